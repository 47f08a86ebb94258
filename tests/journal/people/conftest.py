"""The fixtures of journals from which people are taken out."""

from support.erasing import address, journal, new_address  # noqa: F401 - fixtures of this folder's tests
