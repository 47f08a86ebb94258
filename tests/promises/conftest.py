"""The fixtures of runs that die, and of journals from which people are taken out."""

from support.dying import died  # noqa: F401 - a fixture of this folder's tests
from support.erasing import address, journal, new_address  # noqa: F401 - fixtures of this folder's tests
