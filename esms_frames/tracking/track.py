"""Find out what became of every message that the gateway accepted, from callbacks and by asking: delivery and price."""

from __future__ import annotations

import warnings
from contextlib import closing, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from esms_frames.base import clock
from esms_frames.base.errors import InvalidInput, JournalError
from esms_frames.base.wording import Sentence, mark
from esms_frames.gateway.client import check_client
from esms_frames.gateway.pace import check_pace
from esms_frames.journal.database.address import hide, is_there
from esms_frames.journal.identity import accounts_of
from esms_frames.journal.journal import Journal
from esms_frames.tracking import deliveries, pricing
from esms_frames.tracking.deliveries import NOT_KNOWN, PENDING, Answer
from esms_frames.tracking.polling import Asking
from esms_frames.tracking.tracked_frame import Tracked

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from esms_frames.gateway.client import Client
    from esms_frames.messages.message import Message


_REMEMBERED = timedelta(days=7)  # what the gateway's two status queries know

_TOO_OLD = mark("the send is older than the 7 days that the gateway's status queries know")
_NO_CALLBACK = mark("no callback has come for this send")


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
        What `send`, `resume` or `results` returned, with ``phone``, ``status`` and ``sms_id``, and best with ``sent_at``;
        also filtered, in another order, read back from a file, or joined with the customers. It is not
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
        - ``delivery_reason``: category, why that isn't known or how it failed, as far as the gateway says; NA where there
          is nothing to say.
        - ``delivered``: Int32, how many of the row's send are delivered so far.
        - ``price``: float64, VND. Customer-care callbacks tell it by number. The gateway's status of a send tells that of
          the whole send; where the journal has the text, the gateway is asked for the price of a number of each network,
          and if these add up to that of the send exactly, each row has its network's. Else it is NA: a price that was
          divided would be none.
        - ``batch_price`` (float64, VND) and ``batch_recipients`` (Int32), only where the price of a send is not known by
          number: that of the whole send on each of its rows, and how many numbers it is of. `summarize` counts it once.

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
    >>> int(tracked["delivery"].count()), float(tracked["price"].sum())
    (40, 34000.0)
    """
    journal = hide(journal)
    _check(client, callbacks, journal, until, timeout)
    pace = check_pace(concurrency, rate)
    tracked = Tracked(results)
    answers: dict[int, Answer] = {}
    arrived, messages = _known(callbacks, journal, tracked.sms_ids, client)
    if arrived is not None:
        answers = deliveries.judge_callbacks(arrived, tracked.sms_ids, tracked.rows)
    called = dict(answers)
    now = pd.Timestamp(clock.now())
    age = [now - moment for moment in tracked.sent_at]
    errors: dict[int, str] = {}
    tariffs: dict[int, NDArray[np.int64]] = {}
    due = [position for position in tracked.find_unsettled() if position not in answers or not answers[position].final]
    for position in due:
        if position not in answers and age[position] > _REMEMBERED:
            answers[position] = Answer(rest=NOT_KNOWN, reason=_TOO_OLD, final=True)
        elif position not in answers and client is None:
            answers[position] = Answer(rest=PENDING, reason=_NO_CALLBACK)
    if client is not None:
        due = [position for position in due if not age[position] > _REMEMBERED]
        asking = Asking(client, tracked.sms_ids, tracked.sizes(), age, **pace)
        asking.ask(due, timeout=timeout if until else None, progress=progress)
        answers |= asking.answers
        errors = asking.errors
        sent = {send: messages[sms_id] for send, sms_id in enumerate(tracked.sms_ids) if sms_id in messages}
        tariffs = pricing.ask_tariffs(pricing.find_unpriced(tracked.rows, answers), sent, client)
    if errors:
        warnings.warn(
            Sentence(
                "{count} of {total} sends could not be asked about, and their rows keep what they had: track "
                "them again later ({error_text}).",
                count=len(errors),
                total=len(due),
                error_text=next(iter(errors.values())),
            ),
            stacklevel=2,
        )
    if nameless := int(tracked.nameless.sum()):
        warnings.warn(
            Sentence(
                "{nameless} accepted rows have no sms_id, for the answer that held it was lost: what became "
                "of them and what they cost is not known here, and no sum holds it. client.sent_between "
                "shows the sms_id of each number: fill it in, and track again.",
                nameless=nameless,
            ),
            stacklevel=2,
        )
    return tracked.with_findings(answers, errors, called, tariffs)


def _known(
    callbacks: pd.DataFrame | None,
    journal: Journal | str | os.PathLike[str] | None,
    sms_ids: Sequence[str],
    client: Client | None,
) -> tuple[pd.DataFrame | None, dict[str, Message]]:
    """Return what is known of sends without asking: the callbacks that have come, or None, and the messages.

    Where it is known by whom the messages were sent, one sandbox's do not count for another's, whose ids can be the same.
    """
    if journal is None and not is_there():
        return callbacks, {}
    found, messages = None, {}
    try:
        with nullcontext(journal) if isinstance(journal, Journal) else closing(Journal(journal)) as book:
            whose = None if client is None else accounts_of(client, book._batches)
            if journal is not None or callbacks is None:
                found = book._batches.callbacks_of(sms_ids, whose)
            if whose is not None:
                messages = book._batches.messages_of(sms_ids, whose)
    except JournalError as error:
        if journal is not None:
            raise
        if callbacks is None:
            warnings.warn(
                Sentence("It was not looked whether callbacks have come: {error_text}", error_text=error), stacklevel=3
            )
        return callbacks, {}
    given = [frame for frame in (callbacks, found) if frame is not None and len(frame)]
    return (pd.concat(given, ignore_index=True) if given else None), messages


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
        raise InvalidInput("until is {until}: pass 'settled', or leave it out to ask once.", until=repr(until))
    if until and client is None:
        raise InvalidInput("until='settled' asks the gateway: pass a client with it.")
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 <= timeout < float("inf"):
        raise InvalidInput("timeout is {timeout}: give seconds from 0 up.", timeout=repr(timeout))
