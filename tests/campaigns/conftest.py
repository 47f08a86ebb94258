"""The fixture of runs that die."""

from support.dying import died  # noqa: F401 - a fixture of this folder's tests
