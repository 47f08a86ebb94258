"""Hold the keys of an account, and keep them out of everything that is shown."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Generic, TypeVar

from esms_frames.base.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable


_Value = TypeVar("_Value")

_INVISIBLE = (
    r"[\s\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0]*"
)
"""What may stand between two characters of a text without being seen, and blanks, at which a long text is wrapped."""


class Hidden(Generic[_Value]):
    """A value that is shown nowhere: debuggers and verbose tracebacks see only that it exists.

    It is no text itself, so whatever slices, joins or formats it has nothing of the value.
    """

    __slots__ = ("_value",)

    def __init__(self, value: _Value) -> None:
        self._value = value

    def reveal(self) -> _Value:
        """Return the value."""
        return self._value

    def __repr__(self) -> str:
        return "<hidden>"


def shield(work: Callable[[], _Value]) -> _Value:
    """Call `work` and return its result; raise its error without the frames in which it arose.

    Frames hold values: whatever shows a traceback with them, or walks through it, sees nothing below this one. That goes
    for Ctrl-C too, wherever it comes.

    Examples
    --------
    >>> def fail():
    ...     key = "made-up"
    ...     raise ValueError("no")
    >>> try:
    ...     shield(fail)
    ... except ValueError as error:
    ...     frame = error.__traceback__
    ...     while frame.tb_next:
    ...         frame = frame.tb_next
    ...     "key" in frame.tb_frame.f_locals
    False
    """
    try:
        done = _attempt(work)
    except BaseException as interruption:  # noqa: BLE001 - Ctrl-C between the two, while an error was on its way
        done = _strip_frames(interruption)
    if isinstance(done, _Raised):
        raise done.error
    return done


class _Raised:
    """An error without its frames."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


def _attempt(work: Callable[[], _Value]) -> _Value | _Raised:
    try:
        return work()
    except BaseException as error:  # noqa: BLE001 - all of it goes on, without the frames
        return _strip_frames(error)


def _strip_frames(error: BaseException) -> _Raised:
    error.__context__ = error.__cause__ = None
    return _Raised(error.with_traceback(None))


class Keys:
    """ApiKey and SecretKey of an account, which are shown by `reveal` only."""

    __slots__ = ("_api_key", "_secret_key")

    def __init__(self, api_key: object, secret_key: object) -> None:
        self._api_key = api_key.strip() if isinstance(api_key, str) else ""
        self._secret_key = secret_key.strip() if isinstance(secret_key, str) else ""

    @classmethod
    def from_env(cls) -> Keys:
        """Read ESMS_API_KEY and ESMS_SECRET_KEY; what is not set is empty.

        It raises nothing of its own: a verbose traceback shows the value of every name on a failing line, and the
        environment is one.
        """
        return shield(lambda: cls(os.environ.get("ESMS_API_KEY"), os.environ.get("ESMS_SECRET_KEY")))

    @property
    def missing(self) -> list[str]:
        """The names, as of parameters, of what is empty."""
        return [
            name for name, is_there in zip(("api_key", "secret_key"), self._are_there(), strict=True) if not is_there
        ]

    def _are_there(self) -> tuple[bool, bool]:
        return bool(self._api_key), bool(self._secret_key)

    def check(self) -> None:
        """Check that both can be keys."""
        if name := shield(self._unusable):
            raise InvalidInput(
                "{key} is empty or holds unusual characters: copy it again from your eSMS account.", key=name
            )

    def _unusable(self) -> str | None:
        for name, key in zip(("api_key", "secret_key"), self.reveal(), strict=True):
            if not (key and key.isascii() and key.isprintable()):
                return name
        return None

    def reveal(self) -> tuple[str, str]:
        """Return ApiKey and SecretKey."""
        return self._api_key, self._secret_key

    def mask(self, text: str) -> str:
        """Return a text without the keys in it, however they are spelled there."""
        for key in self.reveal():
            text = remove_secret(key, text)
        return text

    def __repr__(self) -> str:
        return "<keys>"


def remove_secret(secret: str, text: str) -> str:
    """Return a text without a secret, also where it is in other case, encoded, wrapped, or mixed with invisible characters.

    Examples
    --------
    >>> remove_secret("made up", "<MADE%20up> <ma\u00adde+u\u200bp> <made upon>")
    '<…> <…> <…on>'
    """
    return re.sub(_INVISIBLE.join(map(_any_spelling, secret)), "…", text, flags=re.IGNORECASE) if secret else text


def _any_spelling(character: str) -> str:
    r"""Return a pattern of a character: as it is, escaped as in JSON, or percent-encoded (RFC 3986, 2.1) once or more.

    A blank may also be a plus.
    """
    number = f"{ord(character):02x}"
    spellings = [re.escape(character), rf"%(?:25)*{number}", rf"u00{number}", *(["[+]"] if character == " " else [])]
    return rf"\\*(?:{'|'.join(spellings)})"
