"""The rules of advertising by SMS: at which hours, how often, and to whom never; pure functions, no I/O.

They are those of Decree 91/2020/ND-CP of the government of Vietnam, on fighting spam.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from esms_frames import clock
from esms_frames.errors import InvalidInput, shown
from esms_frames.message import SmsType

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

FIRST_HOUR, LAST_HOUR = 7, 22
"""Advertising may go out from 07:00 until before 22:00, Vietnam time."""

MOST_A_DAY = 3
"""How many advertising messages a number may get in any 24 hours."""

DAY = timedelta(hours=24)

REASON_CAPPED = f"it would be more than {MOST_A_DAY} advertising messages to this number in 24 hours"
REASON_DO_NOT_CONTACT = "on the do-not-contact list"

_LEAD = timedelta(minutes=10)
_DAY_SECONDS = int(DAY.total_seconds())
_TIME_BITS = 18  # hold the seconds of two days


class Rule(StrEnum):
    """A rule of Decree 91/2020/ND-CP; all hold for advertising, and none for customer care, unless named otherwise.

    Examples
    --------
    >>> import esms_frames as ef
    >>> [str(rule) for rule in ef.Rule]
    ['sending_hours', 'daily_cap', 'do_not_contact']
    """

    SENDING_HOURS = "sending_hours"
    """Advertising goes out between 07:00 and 22:00 only, Vietnam time."""
    DAILY_CAP = "daily_cap"
    """A number gets at most 3 advertising messages in any 24 hours."""
    DO_NOT_CONTACT = "do_not_contact"
    """A number on the do-not-contact list gets no advertising; the fines are VND 80 to 100 million."""


def rules_for(sms_type: SmsType, off: Collection[str] = (), on: Collection[str] = ()) -> frozenset[Rule]:
    """Say which rules hold for messages of a type.

    Parameters
    ----------
    sms_type : SmsType
        All rules hold for advertising, none for customer care.
    off, on : str or collection of str, optional
        The names of rules that don't hold for advertising, and of those that hold for customer care too. To switch off
        what does not hold anyway, or on what does, changes nothing.

    Returns
    -------
    frozenset of Rule

    Raises
    ------
    InvalidInput
        When a name is not known, or is to be both off and on.

    Examples
    --------
    >>> sorted(rules_for(SmsType.ADVERTISING, off="sending_hours"))
    [<Rule.DAILY_CAP: 'daily_cap'>, <Rule.DO_NOT_CONTACT: 'do_not_contact'>]
    >>> rules_for(SmsType.CUSTOMER_CARE, on=["do_not_contact"])
    frozenset({<Rule.DO_NOT_CONTACT: 'do_not_contact'>})
    """
    without, also = _named(off), _named(on)
    if both := sorted(without & also):
        raise InvalidInput(f"The rule {both[0]} is to be both off and on: name it once.")
    return frozenset(Rule) - without if sms_type is SmsType.ADVERTISING else also


def switched_off(rules: Collection[str], sms_type: SmsType) -> str | None:
    """Say for people which rules were switched off, or nothing where all that the law asks for hold.

    Examples
    --------
    >>> switched_off(rules_for(SmsType.ADVERTISING, off="daily_cap"), SmsType.ADVERTISING)
    'Sent with the rule daily_cap switched off.'
    """
    missing = [str(rule) for rule in Rule if rule not in rules] if sms_type is SmsType.ADVERTISING else []
    if not missing:
        return None
    listed = " and ".join(filter(None, [", ".join(missing[:-1]), missing[-1]]))
    return f"Sent with the rule{'s' if len(missing) > 1 else ''} {listed} switched off."


def next_allowed_time(now: datetime | None = None) -> datetime:
    """Give the next moment at which advertising may go out, for ``Message(…, send_at=ef.next_allowed_time())``.

    Parameters
    ----------
    now : datetime or Timestamp, optional
        From when on; without a time zone it is Vietnam time. Left out, it is ten minutes from now, for
        a schedule has to be still to come when the last batch leaves. To send at once while that is allowed, leave out
        `send_at` instead.

    Returns
    -------
    datetime
        In Vietnam time, to the second: `now` itself (the next whole second) from 07:00 until before 22:00, else the
        next 07:00. The hours are those of Decree 91/2020/ND-CP.

    Raises
    ------
    InvalidInput
        When `now` is not a moment.

    Examples
    --------
    >>> import esms_frames as ef
    >>> from datetime import datetime
    >>> print(ef.next_allowed_time(datetime(2030, 1, 31, 12, 30)))
    2030-01-31 12:30:00+07:00
    >>> print(ef.next_allowed_time(datetime(2030, 1, 31, 22, 0)))
    2030-02-01 07:00:00+07:00
    """
    moment = clock.now() + _LEAD if now is None else in_vietnam(now, "now")
    if moment.microsecond:
        moment = moment.replace(microsecond=0) + timedelta(seconds=1)
    if FIRST_HOUR <= moment.hour < LAST_HOUR:
        return moment
    opening = moment.replace(hour=FIRST_HOUR, minute=0, second=0)
    return opening if opening > moment else opening + timedelta(days=1)


def outside_hours(moment: datetime) -> str | None:
    """Say in one sentence that advertising may not go out at a moment, and when it may; None where it may.

    Examples
    --------
    >>> print(outside_hours(datetime(2030, 1, 31, 6, 30)))
    Advertising may go out from 07:00 to 22:00 Vietnam time only (Decree 91/2020/ND-CP), and 2030-01-31 06:30 is not:
    the next allowed time is 2030-01-31 07:00, schedule it with send_at='2030-01-31 07:00' or
    send_at=ef.next_allowed_time().
    """
    moment = in_vietnam(moment, "moment")
    if FIRST_HOUR <= moment.hour < LAST_HOUR:
        return None
    then = f"{next_allowed_time(moment):%Y-%m-%d %H:%M}"
    return (
        f"Advertising may go out from {FIRST_HOUR:02}:00 to {LAST_HOUR}:00 Vietnam time only (Decree 91/2020/ND-CP), and "
        f"{moment:%Y-%m-%d %H:%M} is not: the next allowed time is {then}, schedule it with send_at='{then}' or "
        "send_at=ef.next_allowed_time()."
    )


def over_cap(
    numbers: NDArray[np.int32], contacted: NDArray[np.int32], seconds: NDArray[np.int64], at: datetime
) -> NDArray[np.bool_]:
    """Tell for each number whether one more advertising message would be more than the law allows in some 24 hours.

    Parameters
    ----------
    numbers : array of int32, shape (n,)
        National numbers, as `phones.read` gives them.
    contacted : array of int32, shape (m,)
        The numbers of all advertising messages, sent and scheduled, as often as each was or will be texted.
    seconds : array of int64, shape (m,)
        When, in seconds since 1970 (UTC).
    at : datetime
        When the message would go out.

    Returns
    -------
    array of bool, shape (n,)
        Whether any 24 hours that hold `at` would hold more than 3 messages to the number. Two messages that are exactly
        24 hours apart are not within the same.

    Notes
    -----
    With `at` put among the times of a number, 24 hours with more than 3 are 4 neighbours, `at` among them, of which the
    last is less than 24 hours after the first. So the 3 times before and the 3 after `at` are all that matters.
    """
    moment = int(in_vietnam(at, "at").timestamp())
    begin = moment - _DAY_SECONDS + 1
    near = (seconds >= begin) & (seconds < moment + _DAY_SECONDS)
    keys = np.sort(_keys(contacted[near], seconds[near] - begin))
    order = np.argsort(numbers)  # neighbours are looked up together: a cache holds them
    wanted = numbers[order]
    after = np.searchsorted(keys, _keys(wanted, np.int64(moment - begin)), side="right")
    never = np.iinfo(np.int64).max // 2
    present = np.full(len(wanted), moment - begin)
    earlier = [present, *(_time_at(keys, after - n, wanted, -never) for n in range(1, MOST_A_DAY + 1))]
    later = [present, *(_time_at(keys, after + n, wanted, never) for n in range(MOST_A_DAY))]
    over = np.empty(len(wanted), dtype=bool)
    over[order] = np.any(
        [later[MOST_A_DAY - before] - earlier[before] < _DAY_SECONDS for before in range(MOST_A_DAY + 1)], axis=0
    )
    return over


def _keys(numbers: NDArray[np.int32], offsets: NDArray[np.int64] | np.int64) -> NDArray[np.int64]:
    """Put number and time into one integer each, so that they are sorted and searched together."""
    return (numbers.astype(np.int64) << _TIME_BITS) | offsets


def _time_at(
    keys: NDArray[np.int64], places: NDArray[np.int64], numbers: NDArray[np.int32], otherwise: int
) -> NDArray[np.int64]:
    """Give the times at places of the sorted keys, where these are the numbers' own."""
    if not len(keys):
        return np.full(len(places), otherwise)
    found = keys[np.clip(places, 0, len(keys) - 1)]
    own = (places >= 0) & (places < len(keys)) & (found >> _TIME_BITS == numbers)
    return np.where(own, found & ((1 << _TIME_BITS) - 1), otherwise)


def in_vietnam(moment: datetime, name: str) -> datetime:
    """Give a moment as a plain datetime in Vietnam time, which it is in where it names no time zone."""
    way_out = "give a datetime, Vietnam time where it names no time zone."
    if not isinstance(moment, datetime) or moment != moment:  # noqa: PLR0124 - NaT is a datetime that is not itself
        raise InvalidInput(f"{name} is {shown(moment)} and no moment: {way_out}")
    try:
        moment = moment.replace(tzinfo=clock.VIETNAM) if moment.tzinfo is None else moment.astimezone(clock.VIETNAM)
        plain = datetime.combine(moment.date(), moment.time(), clock.VIETNAM)
        return plain + DAY - DAY  # the next day is asked for, too
    except (OverflowError, ValueError):
        raise InvalidInput(f"{name} is {moment!r}, out of the calendar's range: {way_out}") from None


def _named(names: Collection[str]) -> frozenset[Rule]:
    given = [names] if isinstance(names, str) else names
    try:
        return frozenset(Rule(name) for name in given)
    except (TypeError, ValueError):
        known = ", ".join(Rule)
        raise InvalidInput(f"{names!r} names no rule, or one that is not known: the rules are {known}.") from None
