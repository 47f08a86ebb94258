"""Ask what became of every message that the gateway accepted: delivery and price, number by number."""

from __future__ import annotations

import re
import threading
import time
import warnings
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import stamina
from pyrate_limiter import Limiter, Rate
from tqdm.auto import tqdm

from esms_frames import clock, columns, deliveries, phones
from esms_frames.client import check_client
from esms_frames.database import is_there
from esms_frames.deliveries import NOT_KNOWN, PENDING, STATES, Answer, Rows
from esms_frames.errors import GatewayError, InvalidInput, JournalError, Kind, NoAnswer, Refused, Unreachable
from esms_frames.journal import Journal
from esms_frames.results import DELIVERY, TRACKED, Status, column_of, held_as, is_tracked

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from esms_frames.client import Client

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

_ATTEMPTS = 3
_WAIT_INITIAL, _WAIT_MAX, _WAIT_JITTER = 0.5, 4.0, 0.5  # seconds between attempts, doubling
_ROUND_FIRST, _ROUND_MOST, _ROUND_GROWTH = 2.0, 60.0, 1.6  # seconds between rounds of asking
_HOPELESS = 3  # sends in a row without an answer, after which a round ends
_TURN = 0.01  # seconds between tries to be let through by the rate
_POLL = 0.2  # seconds between looks at what is under way, so that Ctrl-C is noticed
_MOST_AT_ONCE = 64
_FASTEST = 1000

_REMEMBERED = timedelta(days=7)  # what the gateway's two status queries know
_SOON = timedelta(hours=1)  # after sending, within which the gateway may not know the send yet
_NOT_FOUND, _BUSY = 105, 160
_YEAR_FIRST = re.compile(r"\s*\d{4}\D")

_NO_ID = "the gateway's id of the send is not known"
_TOO_OLD = "the send is older than the 7 days that the gateway's status queries know"
_NOT_YET = "the gateway does not know the send yet (code 105)"
_LOST = "the gateway does not know the send (code 105): it forgets after 7 days"
_NO_CALLBACK = "no callback has come for this send"


def track(
    results: pd.DataFrame,
    client: Client | None = None,
    *,
    callbacks: pd.DataFrame | None = None,
    journal: Journal | str | os.PathLike[str] | None = None,
    until: str | None = None,
    timeout: float = 600.0,
    concurrency: int = 4,
    rate: float | None = 5.0,
    progress: bool | Callable[[int, int], object] = True,
) -> pd.DataFrame:
    """Find out what became of every message that the gateway accepted, and what it cost.

    Rows are matched by their number within the send that their ``sms_id`` names, never by position.

    Parameters
    ----------
    results : DataFrame
        What `send`, `resume` or `results` returned, with ``phone``, ``status`` and ``sms_id``, and best with ``sent_at``
        and ``reason``; also filtered, in another order, read back from a file, or joined with the customers. It is not
        changed. What `track` returned is asked about again where it is not settled.
    client : Client, optional
        The gateway and account that the messages were sent with; can be left out with `callbacks` or `journal`.
    callbacks : DataFrame, optional
        What `read_callbacks` returned, several of them also put together with `pandas.concat`. Sends that they settle
        are not asked about; the others are if there is a client.
    journal : Journal, str or path-like, optional
        Where the gateway's callbacks came to by `callbacks_app`, and which is used like `callbacks`; with a client, of its
        gateway and account. By default the user's journal, if there is one, and no `callbacks` are given.
    until : {"settled"}, optional
        Ask again, with growing waits of up to a minute, until nothing is pending or the time is over.
    timeout : float, optional
        After how many seconds to end that.
    concurrency, rate : optional
        How many requests may be under way at once, and how many may leave in a second, as for `send`. A send of up to
        5,000 numbers takes two.
    progress : bool or callable, optional
        Whether to show a progress bar; or a function that is called, in this thread, with how many numbers are done and how
        many there are in all, after each send. What that raises ends the tracking.

    Returns
    -------
    DataFrame
        A new frame with the same rows, index and columns, and these; where it holds other columns of such a name, as
        customers may, they are named with ``_sms`` after it:

        - ``delivery``: category ``delivered``, ``failed`` or ``pending``; NA where the row was not accepted or it can't
          be known. It is ``failed`` only where that is final: the send is done (SendStatus 5), all its numbers are
          counted as delivered or failed, and the number did not get it; or the gateway rejected it (SendStatus 4).
        - ``delivered``: Int32, how many of the row's send are delivered so far.
        - ``price``: decimal, VND. The gateway tells the price of a send; it is spread evenly over the numbers of the
          send, to the ten-thousandth, so that they add up to it exactly. Customer-care callbacks tell it by number.

        ``reason`` says for each accepted row why it isn't known or how it failed, as far as the gateway says; it stands
        behind what was there already, after ``Delivery:``.

    Raises
    ------
    InvalidInput
        When something handed in can't be used.
    Refused
        When the gateway refuses the account, such as wrong keys (101).

    Warns
    -----
    UserWarning
        When sends could not be asked about; their rows keep what they had, with the reason. When accepted rows have no
        ``sms_id``, because the answer that held it was lost: they stay NA. Also when the user's own journal can't be
        looked into, without which all sends are asked about.

    Notes
    -----
    The gateway's status queries know the last 7 days. Older sends are not asked about: what is not settled is NA then.
    Code 105 means too early within an hour of sending, and forgotten later. A send is gone through as a whole even if
    only some of its rows are in the frame; rows that are delivered or failed already stay so.

    Examples
    --------
    >>> import esms_frames as ef
    >>> import pandas as pd
    >>> customers = pd.DataFrame({"sdt": [f"09018884{n}" for n in range(10, 50)] + ["n/a"]})
    >>> message = ef.Message("Cam on quy khach!", "Baotrixemay")
    >>> with ef.Sandbox(report_delay=0) as sandbox:
    ...     results = ef.send(customers, message, sandbox.client(), campaign="track", progress=False)
    ...     tracked = ef.track(results, sandbox.client(), progress=False)
    >>> int(tracked["delivery"].count()), tracked["price"].sum()
    (40, Decimal('34000.0000'))
    """
    _check(client, callbacks, journal, until, timeout)
    limits = _checked_pace(concurrency, rate)
    looked = _Looked(results)
    answers: dict[int, Answer] = {}
    arrived = _arrived(callbacks, journal, looked.sms_ids, client)
    if arrived is not None:
        answers = deliveries.from_callbacks(arrived, looked.sms_ids, looked.rows)
    called = dict(answers)
    now = pd.Timestamp(clock.now())
    age = [now - moment for moment in looked.sent_at]
    errors: dict[int, str] = {}
    due = [place for place in looked.unsettled() if place not in answers or not answers[place].final]
    for place in due:
        if place not in answers and age[place] > _REMEMBERED:
            answers[place] = Answer(rest=NOT_KNOWN, reason=_TOO_OLD, final=True)
        elif place not in answers and client is None:
            answers[place] = Answer(rest=PENDING, reason=_NO_CALLBACK)
    if client is not None:
        due = [place for place in due if not age[place] > _REMEMBERED]
        asking = _Asking(client, looked, age, **limits)
        asking.until(due, time.monotonic() + timeout if until else None, progress=progress)
        answers |= asking.answers
        errors = asking.errors
    if errors:
        warnings.warn(
            f"{len(errors):,} of {len(due):,} sends could not be asked about, and their rows keep what they had: track "
            f"them again later ({next(iter(errors.values()))}).",
            stacklevel=2,
        )
    if nameless := int(looked.nameless.sum()):
        warnings.warn(
            f"{nameless:,} accepted rows have no sms_id, for the answer that held it was lost: what became of them and "
            "what they cost is not known here, and no sum holds it. client.sent_between shows the sms_id of each number: "
            "fill it in, and track again.",
            stacklevel=2,
        )
    return looked.with_findings(answers, errors, called)


class _Looked:
    """What of a frame matters here: the rows that were accepted, their sends, and what was known before."""

    def __init__(self, results: pd.DataFrame) -> None:
        status, phone, sms_id = (column_of(results, name) for name in ("status", "phone", "sms_id"))
        self._frame = results
        self._was_tracked = is_tracked(results)
        accepted = status.astype(object).isin([Status.ACCEPTED, Status.ALREADY_SENT]).to_numpy()
        code, written = pd.factorize(sms_id)
        name, ids = pd.factorize(np.array([str(value).strip() for value in written], dtype=object))
        named = np.append(ids[name] != "", False)[code]  # the code of what is missing is -1
        has_id = accepted & named
        self.nameless: Bools = accepted & ~has_id
        self.places = np.flatnonzero(has_id)
        used, send = np.unique(name[code[self.places]], return_inverse=True)
        self.sms_ids: list[str] = [str(ids[place]) for place in used]
        number = phones.read(phone.iloc[self.places]).astype(np.int64)
        self.rows = Rows(send.astype(np.int64), number, len(self.sms_ids))
        self.sent_at = self._times()
        self._before = self._known("delivery", status)

    def unsettled(self) -> list[int]:
        """Give the sends that have rows of which it is not known for good what became of them."""
        open_ = self._before[self.places] >= PENDING
        open_ |= self._before[self.places] == NOT_KNOWN
        found: list[int] = np.unique(self.rows.send[open_]).tolist()
        return found

    def sizes(self) -> Ints:
        return np.bincount(self.rows.send, minlength=self.rows.sends)

    def _known(self, name: str, like: pd.Series[Any]) -> Ints:
        if not self._was_tracked:
            return np.full(len(like), NOT_KNOWN)
        return np.asarray(
            pd.Categorical(column_of(self._frame, name).astype(object), categories=list(STATES)).codes
        ).astype(np.int64)

    def _times(self) -> list[Any]:
        """Give the time of each send: the latest that its rows hold; NaT where they hold none."""
        if held_as(self._frame, "sent_at") is None:
            return [pd.NaT] * self.rows.sends
        column = column_of(self._frame, "sent_at").iloc[self.places]
        code, different = pd.factorize(column)
        moments = pd.Series([_moment(value) for value in different], dtype="datetime64[us, UTC]")
        of_row = moments.reindex(code).reset_index(drop=True)
        return of_row.groupby(self.rows.send).max().reindex(range(self.rows.sends)).tolist()

    def with_findings(
        self, answers: Mapping[int, Answer], errors: Mapping[int, str], called: Mapping[int, Answer]
    ) -> pd.DataFrame:
        """Write what was found into a new frame; what callbacks said for good stands where the gateway can't tell."""
        found = deliveries.match(self.rows, answers)
        if called:
            found = deliveries.completed(found, deliveries.match(self.rows, called))
        size, at, send = len(self._frame), self.places, self.rows.send
        answered, failed = (
            np.isin(send, np.fromiter(places, dtype=np.int64, count=len(places))) for places in (answers, errors)
        )
        failed &= ~answered
        before = self._before[at]
        open_ = (before == NOT_KNOWN) | (before == PENDING)

        state = self._before.copy()
        state[at] = np.where(open_ & answered, found.state, before)
        delivered, has_delivered = self._counts(size)
        units, has_units = self._prices(size)
        told = answered & found.has_delivered
        delivered[at[told]], has_delivered[at[told]] = found.delivered[told], True
        told = answered & found.has_units
        units[at[told]], has_units[at[told]] = found.units[told], True

        texts = [*found.reasons, *errors.values(), _NO_ID]
        error_of = np.full(self.rows.sends, -1)
        error_of[list(errors)] = len(found.reasons) + np.arange(len(errors))
        reason = np.full(size, -1)
        reason[at] = np.where(answered, found.reason, np.where(failed, error_of[send], -1))
        reason[self.nameless] = len(texts) - 1
        asked = np.zeros(size, dtype=bool)
        asked[at] = open_ & (answered | failed)
        asked |= self.nameless
        new = {
            "reason": self._reasons(asked, reason, texts),
            "delivery": columns.category_from_codes(state.astype(np.int8), STATES),
            "delivered": deliveries.counts_column(delivered, has_delivered),
            "price": columns.money_from_units(units, has_units),
        }
        return self._frame.assign(**{self._label(name): values for name, values in new.items()})

    def _label(self, name: str) -> str:
        """Name a column so that none of the customers' is lost."""
        if name not in TRACKED or self._was_tracked:
            return held_as(self._frame, name) or name
        return name if name not in self._frame.columns else f"{name}_sms"

    def _counts(self, size: int) -> tuple[Ints, Bools]:
        if not self._was_tracked:
            return np.zeros(size, dtype=np.int64), np.zeros(size, dtype=bool)
        plain = pd.to_numeric(column_of(self._frame, "delivered"), errors="coerce")
        known = plain.notna().to_numpy(dtype=bool)
        return plain.fillna(0).to_numpy(dtype=np.int64).copy(), known.copy()

    def _prices(self, size: int) -> tuple[Ints, Bools]:
        if not self._was_tracked:
            return np.zeros(size, dtype=np.int64), np.zeros(size, dtype=bool)
        units, known = columns.money_units(column_of(self._frame, "price"))
        return units.copy(), known.copy()

    def _reasons(self, asked: Bools, reason: Ints, texts: Sequence[str]) -> Any:
        """Put the new reasons behind those that were there, in place of what tracking said before."""
        label = held_as(self._frame, "reason")
        old = pd.Series([None] * len(asked), dtype=object) if label is None else column_of(self._frame, "reason")
        code, different = pd.factorize(old.reset_index(drop=True))
        olds = [str(text) for text in different]
        bare = [text.partition(DELIVERY)[0].strip() for text in olds]
        span = len(texts) + 2
        which, pairs = pd.factorize((code + 1) * span + np.where(asked, reason, -2) + 2)
        said: list[str | None] = []
        for was, now in zip(
            (pairs // span - 1).tolist(), (pairs % span - 2).tolist(), strict=True
        ):  # a few different ones
            before = "" if was < 0 else (olds if now == -2 else bare)[was]
            after = "" if now < 0 else f"{DELIVERY}{texts[now]}"
            said.append(" ".join(part for part in (before, after) if part) or None)
        codes, categories = pd.factorize(np.array(said, dtype=object))
        return columns.category_from_codes(codes[which], list(categories))


class _Asking:
    """Ask the gateway about sends, several at once, and again until they are settled."""

    def __init__(
        self, client: Client, looked: _Looked, age: Sequence[Any], *, concurrency: int, rate: float | None
    ) -> None:
        self.answers: dict[int, Answer] = {}
        self.errors: dict[int, str] = {}
        """Why sends could not be asked about that have no answer."""
        self._client = client
        self._sms_ids = looked.sms_ids
        self._sizes = looked.sizes()
        self._age = age
        self._concurrency = concurrency
        self._limiter = None if rate is None else Limiter(Rate(1, max(1, round(1000 / rate))))
        self._ended = threading.Event()
        self._unanswered_in_a_row = 0
        self._why = ""
        self._lock = threading.Lock()

    def until(
        self, due: Sequence[int], deadline: float | None, *, progress: bool | Callable[[int, int], object]
    ) -> None:
        """Ask once, or with a deadline as often as something is pending."""
        pause = _ROUND_FIRST
        shown, report = progress is True, progress if callable(progress) else None
        total, done = int(self._sizes[list(due)].sum()), 0
        with tqdm(total=total, desc="Tracking", unit=" numbers", disable=not (shown and due)) as bar:
            while due:
                with closing(self._round(due)) as answered:  # so that nothing more is asked once a report raises
                    for place in answered:
                        if deadline is None or self._is_final(place):
                            done += int(self._sizes[place])
                            bar.update(int(self._sizes[place]))
                        if report is not None:
                            report(done, total)
                due = [place for place in due if not self._is_final(place)]
                if deadline is None or not due or time.monotonic() + pause > deadline:
                    break
                bar.set_postfix({"asking again in seconds": round(pause)})
                time.sleep(pause)
                pause = min(pause * _ROUND_GROWTH, _ROUND_MOST)

    def _is_final(self, place: int) -> bool:
        return place in self.answers and self.answers[place].final

    def _round(self, due: Sequence[int]) -> Generator[int]:
        """Ask about each send once; give them as their answers come."""
        self._ended.clear()
        self._unanswered_in_a_row = 0
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="esms-track") as pool:
            under_way = {pool.submit(self._ask, place): place for place in due}
            try:
                for future in _as_completed(under_way):
                    place, found = under_way[future], future.result()
                    if isinstance(found, Answer):
                        self.answers[place] = found
                        self.errors.pop(place, None)
                    elif place not in self.answers:
                        self.errors[place] = found
                    yield place
            except BaseException:
                self._ended.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _ask(self, place: int) -> Answer | str:
        """Ask about one send; why that could not be where it could not."""
        if self._ended.is_set():
            return self._why
        try:
            found = self._answer(place)
        except Refused as refusal:
            if refusal.kind is Kind.ACCOUNT:
                raise
            if refusal.code == _NOT_FOUND and place not in self.answers:
                return self._not_found(place)
            return f"it could not be asked for: {refusal}"
        except (GatewayError, InvalidInput) as error:
            self._no_answer(error)
            return f"it could not be asked for: {error}"
        with self._lock:
            self._unanswered_in_a_row = 0
        return found

    def _answer(self, place: int) -> Answer:
        sms_id = self._sms_ids[place]
        status = self._patiently(lambda: self._client.status(sms_id))
        known = deliveries.waiting(status)
        if known is not None:
            return known
        return deliveries.listed(status, self._patiently(lambda: self._client.receivers(sms_id)))

    def _patiently(self, ask: Any) -> Any:
        for attempt in stamina.retry_context(
            on=_is_worth_another,
            attempts=_ATTEMPTS,
            timeout=None,
            wait_initial=_WAIT_INITIAL,
            wait_max=_WAIT_MAX,
            wait_jitter=_WAIT_JITTER,
        ):
            with attempt:
                while self._limiter is not None and not self._limiter.try_acquire("esms", blocking=False):
                    self._ended.wait(_TURN)
                return ask()
        raise AssertionError("the last attempt has returned or raised")

    def _not_found(self, place: int) -> Answer:
        if self._age[place] < _SOON:
            return Answer(rest=PENDING, reason=_NOT_YET)
        return Answer(rest=NOT_KNOWN, reason=_LOST, final=True)

    def _no_answer(self, error: Exception) -> None:
        with self._lock:
            self._unanswered_in_a_row += 1
            if self._unanswered_in_a_row >= _HOPELESS:
                self._why = f"it was not asked for, since {_HOPELESS} sends in a row got no answer: {error}"
                self._ended.set()


def _is_worth_another(error: Exception) -> bool:
    return isinstance(error, (NoAnswer, Unreachable)) or (isinstance(error, Refused) and error.code == _BUSY)


def _as_completed(under_way: Collection[Future[Any]]) -> Iterator[Future[Any]]:
    waiting: Collection[Future[Any]] = under_way
    while waiting:
        done, waiting = wait(waiting, timeout=_POLL, return_when=FIRST_COMPLETED)
        yield from done


def _arrived(
    callbacks: pd.DataFrame | None,
    journal: Journal | str | os.PathLike[str] | None,
    sms_ids: Sequence[str],
    client: Client | None,
) -> pd.DataFrame | None:
    """Give the callbacks that have come for some sends: those handed in, and those in the journal; None without any.

    Where it is known by whom the messages were sent, one sandbox's do not count for another's, whose ids can be the same.
    """
    if journal is None and (callbacks is not None or not is_there()):
        return callbacks
    try:
        with nullcontext(journal) if isinstance(journal, Journal) else closing(Journal(journal)) as book:
            found = book.callbacks_of(sms_ids, None if client is None else (client.gateway, client.account))
    except JournalError as error:
        if journal is not None:
            raise
        warnings.warn(f"It was not looked whether callbacks have come: {error}", stacklevel=3)
        return None
    given = [frame for frame in (callbacks, found) if frame is not None and len(frame)]
    return pd.concat(given, ignore_index=True) if given else None


def _moment(value: Any) -> Any:
    """Read a time as files give it back, without a time zone as Vietnam's; NaT where it may be one of two days."""
    if isinstance(value, (int, float)):
        return pd.NaT
    if isinstance(value, str) and not _YEAR_FIRST.match(value):  # 05/11 as a spreadsheet writes it here, or in the US
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            moment, other = (pd.to_datetime(value, errors="coerce", dayfirst=first) for first in (True, False))
        moment = moment if moment == other else pd.NaT
    else:
        moment = pd.to_datetime(value, errors="coerce")
    if pd.isna(moment):
        return pd.NaT
    return (moment.tz_localize(clock.VIETNAM) if moment.tzinfo is None else moment).tz_convert("UTC")


def _check(client: Any, callbacks: Any, journal: Any, until: Any, timeout: Any) -> None:
    if client is None and callbacks is None and journal is None:
        raise InvalidInput("There is nobody to ask: pass a client, or callbacks from ef.read_callbacks.")
    if client is not None:
        check_client(client)
    needed = ["sms_id", "phone", "send_status", "delivered", "failed", "recipients", "price", "received_at"]
    if callbacks is not None and not (
        isinstance(callbacks, pd.DataFrame) and all(name in callbacks.columns for name in needed)
    ):
        raise InvalidInput(
            "callbacks is not what ef.read_callbacks returned: pass callbacks=ef.read_callbacks(source)."
        )
    if until not in {None, "settled"}:
        raise InvalidInput(f"until is {until!r}: pass 'settled', or leave it out to ask once.")
    if until and client is None:
        raise InvalidInput("until='settled' asks the gateway: pass a client with it.")
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 <= timeout < float("inf"):
        raise InvalidInput(f"timeout is {timeout!r}: give seconds from 0 up.")


def _checked_pace(concurrency: Any, rate: Any) -> dict[str, Any]:
    if not isinstance(concurrency, int) or not 1 <= concurrency <= _MOST_AT_ONCE:
        raise InvalidInput(f"concurrency is {concurrency!r}: give a whole number from 1 to {_MOST_AT_ONCE}.")
    if rate is not None and not (isinstance(rate, (int, float)) and 0 < rate <= _FASTEST):
        raise InvalidInput(f"rate is {rate!r}: give requests a second, up to {_FASTEST}, or None for no limit.")
    return {"concurrency": concurrency, "rate": rate}
