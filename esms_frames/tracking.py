"""Find out what became of every message that the gateway accepted, from callbacks and by asking: delivery and price."""

from __future__ import annotations

import warnings
from contextlib import closing, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from esms_frames import clock, deliveries
from esms_frames.asking import Asking
from esms_frames.client import check_client
from esms_frames.database import is_there
from esms_frames.deliveries import NOT_KNOWN, PENDING, Answer
from esms_frames.errors import InvalidInput, JournalError
from esms_frames.journal import Journal
from esms_frames.pace import checked_pace
from esms_frames.tracked import Tracked

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from esms_frames.client import Client

_REMEMBERED = timedelta(days=7)  # what the gateway's two status queries know

_TOO_OLD = "the send is older than the 7 days that the gateway's status queries know"
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
    pace = checked_pace(concurrency, rate)
    tracked = Tracked(results)
    answers: dict[int, Answer] = {}
    arrived = _arrived(callbacks, journal, tracked.sms_ids, client)
    if arrived is not None:
        answers = deliveries.from_callbacks(arrived, tracked.sms_ids, tracked.rows)
    called = dict(answers)
    now = pd.Timestamp(clock.now())
    age = [now - moment for moment in tracked.sent_at]
    errors: dict[int, str] = {}
    due = [place for place in tracked.unsettled() if place not in answers or not answers[place].final]
    for place in due:
        if place not in answers and age[place] > _REMEMBERED:
            answers[place] = Answer(rest=NOT_KNOWN, reason=_TOO_OLD, final=True)
        elif place not in answers and client is None:
            answers[place] = Answer(rest=PENDING, reason=_NO_CALLBACK)
    if client is not None:
        due = [place for place in due if not age[place] > _REMEMBERED]
        asking = Asking(client, tracked.sms_ids, tracked.sizes(), age, **pace)
        asking.ask(due, timeout=timeout if until else None, progress=progress)
        answers |= asking.answers
        errors = asking.errors
    if errors:
        warnings.warn(
            f"{len(errors):,} of {len(due):,} sends could not be asked about, and their rows keep what they had: track "
            f"them again later ({next(iter(errors.values()))}).",
            stacklevel=2,
        )
    if nameless := int(tracked.nameless.sum()):
        warnings.warn(
            f"{nameless:,} accepted rows have no sms_id, for the answer that held it was lost: what became of them and "
            "what they cost is not known here, and no sum holds it. client.sent_between shows the sms_id of each number: "
            "fill it in, and track again.",
            stacklevel=2,
        )
    return tracked.with_findings(answers, errors, called)


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
