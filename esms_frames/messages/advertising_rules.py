"""The law's rules for advertising by SMS: allowed hours, the daily cap and the do-not-contact list; pure functions.

The rules come from Decree 91/2020/ND-CP of the government of Vietnam, on fighting spam.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from esms_frames.base import clock
from esms_frames.base.errors import InvalidInput
from esms_frames.base.wording import Sentence, mark, shown
from esms_frames.messages.limits import SmsType

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray


FIRST_HOUR, LAST_HOUR = 7, 22
"""Advertising may be sent from 07:00 to 22:00 (exclusive), Vietnam time."""

MOST_A_DAY = 3
"""How many advertising messages a number may get in any 24 hours."""

DAY = timedelta(hours=24)

REASON_CAPPED = Sentence(
    "it would be more than {most} advertising messages to this number in 24 hours", most=MOST_A_DAY
)
REASON_DO_NOT_CONTACT = mark("on the do-not-contact list")

_LEAD = timedelta(minutes=10)
_DAY_SECONDS = int(DAY.total_seconds())
_TIME_BITS = 18  # hold the seconds of two days


class Rule(StrEnum):
    """A rule of Decree 91/2020/ND-CP; by default all apply to advertising and none to customer care.

    Examples
    --------
    >>> import esms_frames as ef
    >>> [str(rule) for rule in ef.Rule]
    ['sending_hours', 'daily_cap', 'do_not_contact']
    """

    SENDING_HOURS = "sending_hours"
    """Advertising is sent only between 07:00 and 22:00, Vietnam time."""
    DAILY_CAP = "daily_cap"
    """A number gets at most 3 advertising messages in any 24 hours."""
    DO_NOT_CONTACT = "do_not_contact"
    """A number on the do-not-contact list gets no advertising; the fines are VND 80 to 100 million."""


def rules_for(sms_type: SmsType, off: Collection[str] = (), on: Collection[str] = ()) -> frozenset[Rule]:
    """Return the rules that apply to messages of a type.

    Parameters
    ----------
    sms_type : SmsType
        All rules apply to advertising, none to customer care.
    off, on : str or collection of str, optional
        The names of rules to switch off for advertising, and to switch on for customer care. Switching a rule off or on
        that is so already changes nothing.

    Returns
    -------
    frozenset of Rule

    Raises
    ------
    InvalidInput
        When a name is not known, or is both off and on.

    Examples
    --------
    >>> sorted(rules_for(SmsType.ADVERTISING, off="sending_hours"))
    [<Rule.DAILY_CAP: 'daily_cap'>, <Rule.DO_NOT_CONTACT: 'do_not_contact'>]
    >>> rules_for(SmsType.CUSTOMER_CARE, on=["do_not_contact"])
    frozenset({<Rule.DO_NOT_CONTACT: 'do_not_contact'>})
    """
    without, also = _read_names(off), _read_names(on)
    if both := sorted(without & also):
        raise InvalidInput("The rule {rule} is to be both off and on: name it once.", rule=both[0])
    return frozenset(Rule) - without if sms_type is SmsType.ADVERTISING else also


def describe_switched_off(rules: Collection[str], sms_type: SmsType) -> str | None:
    """Return a sentence that names the rules that were switched off, or None if all rules of the law apply.

    Examples
    --------
    >>> describe_switched_off(rules_for(SmsType.ADVERTISING, off="daily_cap"), SmsType.ADVERTISING)
    'Sent with the rule daily_cap switched off.'
    """
    missing = [str(rule) for rule in Rule if rule not in rules] if sms_type is SmsType.ADVERTISING else []
    if not missing:
        return None
    listed = " and ".join(filter(None, [", ".join(missing[:-1]), missing[-1]]))
    if len(missing) == 1:
        return Sentence("Sent with the rule {rule} switched off.", rule=listed)
    return Sentence("Sent with the rules {rules} switched off.", rules=listed)


def next_allowed_time(now: datetime | None = None) -> datetime:
    """Return the next time at which advertising may be sent, for ``Message(…, send_at=ef.next_allowed_time())``.

    Parameters
    ----------
    now : datetime or Timestamp, optional
        The earliest time; without a time zone it is Vietnam time. By default it is ten minutes from now, because a
        schedule must still be in the future when the last batch is sent. To send at once while that is allowed, leave
        out `send_at` instead.

    Returns
    -------
    datetime
        In Vietnam time, to the second: `now` itself (the next whole second) from 07:00 to 22:00 (exclusive), otherwise
        the next 07:00. The hours are those of Decree 91/2020/ND-CP.

    Raises
    ------
    InvalidInput
        When `now` is not a time.

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


def explain_hours(moment: datetime) -> str | None:
    """Return a sentence that says why advertising may not be sent at a time, and when it may; None if it may.

    Examples
    --------
    >>> print(explain_hours(datetime(2030, 1, 31, 6, 30)))
    Advertising may go out from 07:00 to 22:00 Vietnam time only (Decree 91/2020/ND-CP), and 2030-01-31 06:30 is not:
    the next allowed time is 2030-01-31 07:00, schedule it with send_at='2030-01-31 07:00' or
    send_at=ef.next_allowed_time().
    """
    moment = in_vietnam(moment, "moment")
    if FIRST_HOUR <= moment.hour < LAST_HOUR:
        return None
    then = f"{next_allowed_time(moment):%Y-%m-%d %H:%M}"
    return Sentence(
        "Advertising may go out from {first}:00 to {last}:00 Vietnam time only (Decree "
        "91/2020/ND-CP), and {when} is not: the next allowed time is {next}, schedule it with "
        "send_at='{_next}' or send_at=ef.next_allowed_time().",
        first=f"{FIRST_HOUR:02}",
        last=LAST_HOUR,
        when=f"{moment:%Y-%m-%d %H:%M}",
        next=then,
        _next=then,
    )


def find_over_cap(
    numbers: NDArray[np.int32], contacted: NDArray[np.int32], seconds: NDArray[np.int64], at: datetime
) -> NDArray[np.bool_]:
    """Return for each number whether one more advertising message would exceed the daily cap.

    Parameters
    ----------
    numbers : array of int32, shape (n,)
        National numbers, as returned by `phones.read`.
    contacted : array of int32, shape (m,)
        The number of every advertising message that was sent or is scheduled; a number can occur several times.
    seconds : array of int64, shape (m,)
        The time of each of these messages, in seconds since 1970 (UTC).
    at : datetime
        When the new message would be sent.

    Returns
    -------
    array of bool, shape (n,)
        Whether any period of 24 hours around `at` would contain more than 3 messages to the number. Two messages exactly
        24 hours apart are not in the same period.

    Notes
    -----
    Sort `at` among the times of a number. More than 3 messages in 24 hours means 4 neighbours, one of them `at`, with less
    than 24 hours from the first to the last. So only the 3 times before and the 3 times after `at` matter.
    """
    moment = int(in_vietnam(at, "at").timestamp())
    begin = moment - _DAY_SECONDS + 1
    near = (seconds >= begin) & (seconds < moment + _DAY_SECONDS)
    keys = np.sort(_keys(contacted[near], seconds[near] - begin))
    order = np.argsort(numbers)  # looking up neighbours together makes better use of the CPU's cache
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
    """Combine each number and its time into one integer, so that they can be sorted and searched together."""
    return (numbers.astype(np.int64) << _TIME_BITS) | offsets


def _time_at(
    keys: NDArray[np.int64], positions: NDArray[np.int64], numbers: NDArray[np.int32], otherwise: int
) -> NDArray[np.int64]:
    """Return the times at positions of the sorted keys; `otherwise` if the key there belongs to another number."""
    if not len(keys):
        return np.full(len(positions), otherwise)
    found = keys[np.clip(positions, 0, len(keys) - 1)]
    own = (positions >= 0) & (positions < len(keys)) & (found >> _TIME_BITS == numbers)
    return np.where(own, found & ((1 << _TIME_BITS) - 1), otherwise)


def in_vietnam(moment: datetime, name: str) -> datetime:
    """Convert a time to a plain datetime in Vietnam time; without a time zone it is taken as Vietnam time."""
    way_out = Sentence("give a datetime, Vietnam time where it names no time zone.")
    if not isinstance(moment, datetime) or moment != moment:  # noqa: PLR0124 - NaT is a datetime that is not itself
        raise InvalidInput(
            "{name} is {moment} and no moment: {way_out_text}", name=name, moment=shown(moment), way_out_text=way_out
        )
    try:
        moment = moment.replace(tzinfo=clock.VIETNAM) if moment.tzinfo is None else moment.astimezone(clock.VIETNAM)
        plain = datetime.combine(moment.date(), moment.time(), clock.VIETNAM)
        return plain + DAY - DAY  # raises if the next day is out of range, which callers need too
    except (OverflowError, ValueError):
        raise InvalidInput(
            "{name} is {moment}, out of the calendar's range: {way_out_text}",
            name=name,
            moment=repr(moment),
            way_out_text=way_out,
        ) from None


def _read_names(names: Collection[str]) -> frozenset[Rule]:
    given = [names] if isinstance(names, str) else names
    try:
        return frozenset(Rule(name) for name in given)
    except (TypeError, ValueError):
        known = ", ".join(Rule)
        raise InvalidInput(
            "{names} names no rule, or one that is not known: the rules are {known}.", names=repr(names), known=known
        ) from None
