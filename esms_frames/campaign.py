"""Send an audience within a campaign: nobody twice, every row accounted for, whatever happened before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from esms_frames.account import outcome_of
from esms_frames.allocation import LIVE, LeftOut
from esms_frames.audience import Audience, check_floor, drafted, ready_frame
from esms_frames.client import SANDBOX, check_client
from esms_frames.delivery import Delivery
from esms_frames.errors import InvalidInput
from esms_frames.journal import Journal
from esms_frames.message import MAX_BATCH, checked_campaign
from esms_frames.order import numbers_of, take_order
from esms_frames.pace import checked_pace
from esms_frames.pieces import run_pieces
from esms_frames.planning import refuse_what_would_fail
from esms_frames.results import Outcome, Status, results_frame
from esms_frames.sets import places
from esms_frames.streaming import is_large, large_audience, results_large, send_large, take_large_order

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Hashable, Mapping, Sequence

    from esms_frames.batch import Batch
    from esms_frames.client import Client
    from esms_frames.delivery import Progress
    from esms_frames.large import LargeAudience
    from esms_frames.message import Message
    from esms_frames.schema import Scope

_NOBODY = np.empty(0, dtype=np.int32)
_WITHDRAWN = Outcome(Status.NOT_SENT, "Another run withdrew its batch before it was sent.")


def send(
    data: pd.DataFrame | Audience | LargeAudience,
    message: Message | Mapping[Any, Message],
    client: Client,
    *,
    campaign: str | None = None,
    journal: Journal | str | os.PathLike[str] | None = None,
    phone: Hashable | None = None,
    by: Any = None,
    exclude: Any = None,
    checks: bool = True,
    split: bool = True,
    rules_off: Collection[str] = (),
    rules_on: Collection[str] = (),
    concurrency: int = 4,
    rate: float | None = 5.0,
    progress: bool | Callable[[Progress], object] = True,
) -> pd.DataFrame:
    """Send one text to everyone in a DataFrame, nobody twice in a campaign, and say what became of each row.

    Every batch is written into the journal before it leaves, so that a time-out, a killed kernel, a cell run again, a
    changed DataFrame or a second notebook never make a phone be texted twice. Run again under the same campaign, it
    finishes what is unfinished, unchanged and under its own request ids, and texts only numbers that are new to it.

    Parameters
    ----------
    data : DataFrame, Dask DataFrame, Audience or LargeAudience
        The customers as they are, or what `prepare` made of them. It is not changed. Of a Dask DataFrame or a
        `LargeAudience` 1,000,000 numbers at a time are written down and sent, so that memory does not grow with the rows.
    message : Message or dict of one for each segment
        The text and how it is sent. Of several, each goes to the rows of its segment (see `by`); rows of a segment without
        a message are ``excluded``.
    client : Client
        The gateway, from `Client.from_env` or a `Sandbox`.
    campaign : str, optional
        Within which nobody is texted twice: a name of at most 254 characters, which the gateway keeps with the
        messages. Without one it is derived from the text, so that the same text never goes twice to the same phone. It
        is good within one gateway and account: a rehearsal on a sandbox never counts for the live gateway. Several messages
        need a name: a corrected text would be another campaign otherwise.
    journal : Journal, str or path-like, optional
        Where batches are written down; by default the user's (see `Journal`).
    phone, by, exclude : optional
        As for `prepare`, when `data` is a DataFrame.
    checks : bool, optional
        Whether to ask the gateway first, as `plan` does, and to send nothing if it would refuse: for its brandname, for a
        text that fits no template, or for want of money.
    split : bool, optional
        Whether a batch that is refused for some of its numbers (codes 99, 108, 177) is sent again in two halves, and these
        in halves, down to the 30 that a batch needs. That costs at most 2 (n / 30 - 1) more requests for a batch of n: 14
        for one bad number among 5000, 254 if they are all over it. What is left over is ``refused``.
    rules_off, rules_on : collection of str, optional
        Rules of advertising (see `Rule`) that are not to hold for it, and that are to hold for customer care too, by their
        names: ``sending_hours``, ``daily_cap``, ``do_not_contact``. The results of what was sent without a rule say so.
    concurrency : int, optional
        How many requests may be under way at once. Four keep a gateway with some latency busy without pressing it.
    rate : float or None, optional
        How many requests a second may leave, retries included; None for no limit. The gateway's own limit is not
        published; five a second are 25,000 numbers a second, and it answers 160 to those that are too fast.
    progress : bool or callable, optional
        Whether to show a progress bar; or a function that is called with a `Progress` several times a second. What that
        raises interrupts the run as Ctrl-C does.

    Returns
    -------
    DataFrame
        Of a Dask DataFrame or a `LargeAudience`, a Dask DataFrame that is the same: it reads what became of each partition
        from the audience's folder when it is asked, and needs no journal for it. One row for each row of `data`, with the
        same index: ``phone``, ``network``, ``status``, ``reason``, ``batch``,
        ``request_id``, ``sms_id``, ``code``, ``attempts``, ``sent_at``; the dtypes are those of `results_frame`.
        A refusal that concerns one batch leaves the others alone. One that concerns the message or the account ends the
        run, and so do a gateway that can't be reached and three batches in a row without an answer: what is left is
        ``not_sent``, with the reason. A number that the campaign has texted before is ``already_sent``, with when and
        under which SMSID. Fewer new numbers than a batch needs are ``not_sent``. Advertising to a number that has had three
        in 24 hours is ``capped``, and to one on the do-not-contact list ``excluded``. With segments there is a column
        ``segment``.

    Raises
    ------
    PhoneColumnError, TooFewRecipients
        As for `prepare`; nothing was sent.
    WouldFail
        When the gateway would refuse; nothing was sent.
    InvalidInput
        When something handed in can't be used, and for advertising at an hour at which it may not go out; nothing was sent.
    JournalError
        When the journal can't be relied on; nothing more was sent.
    KeyboardInterrupt
        When interrupted: requests under way are let settle first, the journal is true, and `resume` goes on from there.

    Notes
    -----
    What is worth retrying (no connection, a cut one, a time-out, HTTP 5xx and 429, an answer that is none, codes 160 and
    199) is tried up to five times under the same request id, with waits of half a second doubling to eight. 124 after an
    attempt that got no answer means that attempt was taken. What stays without an answer is ``unknown``.

    The batches that an interrupted run left behind are finished first, unchanged, whoever is in `data`. But one that never
    left and holds somebody who is excluded now, is not to be contacted or has had enough advertising, or all of whom are in
    `data` with another text, is replaced: an exclude list that has grown and a text that was corrected are respected. An
    uncertain one that holds somebody who is excluded now is not tried again.

    Of a Dask DataFrame or a `LargeAudience`, everybody is looked at before anything is sent, so that checks, price and the
    sizes of batches are those of the whole; then the batches of each piece are in the journal before its first byte
    leaves. Who has come into another run's batch or onto the do-not-contact list meanwhile is left out when the piece's
    turn comes; where that leaves too few for a batch, they go with a later piece. What a run that has ended did not come
    to is ``not_sent`` and in no batch; the same send again goes on from there, while `resume` finishes what is in batches
    only.

    A half of a batch is a batch: it is in the journal before it leaves, in the same transaction that settles the whole, so
    that nobody is in two that are sent. Only a batch that was certainly not taken is split.

    Examples
    --------
    >>> import esms_frames as ef
    >>> import pandas as pd
    >>> customers = pd.DataFrame({"sdt": [f"09018884{n}" for n in range(10, 50)] + ["+84 901 888 410", "n/a"]})
    >>> message = ef.Message("Cam on quy khach!", "Baotrixemay")
    >>> with ef.Sandbox() as sandbox:
    ...     results = ef.send(customers, message, sandbox.client(), progress=False)
    ...     again = ef.send(customers, message, sandbox.client(), progress=False)
    >>> results["status"].value_counts()[["accepted", "duplicate", "invalid"]].tolist()
    [40, 1, 1]
    >>> again["status"].value_counts()[["already_sent", "duplicate", "invalid"]].tolist()
    [40, 1, 1]
    """
    check_client(client)
    delivers = checked_pace(concurrency, rate)
    asked: dict[str, Any] = {"campaign": campaign, "phone": phone, "by": by, "exclude": exclude}
    asked |= {"rules_off": rules_off, "rules_on": rules_on}
    if is_large(data):
        large = take_large_order(data, message, **asked)
        book = _opened(journal)
        streamed = send_large(large, client, book, checks=checks, progress=progress, split=split, **delivers)
        return cast("pd.DataFrame", streamed)  # Dask's, which has no types and is used like pandas'
    order = take_order(data, message, **asked)
    check_floor(order.audience)
    book = _opened(journal)
    if checks:
        refuse_what_would_fail(order, client, book)
    scope = book.scope(order.campaign, client.gateway, client.account)
    with Delivery(book, scope, client, split=split, **delivers) as delivery:
        pieces, limit = [order.groups], order.audience.max_batch
        left_out = run_pieces(delivery, book, scope, client, pieces, order.excluded, limit, progress=progress)
    mine = [batch for batch in book.batches(scope) if batch.status in LIVE or batch.id in delivery.driven]
    return _account(order.audience.frame, mine, left_out, _WITHDRAWN, delivery, run=delivery.run)


def resume(
    campaign: str,
    client: Client,
    *,
    journal: Journal | str | os.PathLike[str] | None = None,
    split: bool = True,
    concurrency: int = 4,
    rate: float | None = 5.0,
    progress: bool | Callable[[Progress], object] = True,
) -> pd.DataFrame:
    """Finish what a run of a campaign left unfinished or uncertain.

    Batches that never arrived are sent, uncertain ones are tried again under their own request ids while the gateway
    refuses repetitions (24 hours), and later settled by asking it what it holds, never by sending blindly. What can't be
    settled stays ``unknown``, with the reason. To leave out numbers that were not excluded then, use `send` with
    `exclude` under the same name.

    Parameters
    ----------
    campaign : str
        The campaign's name; `Journal.campaigns` lists those that there are.
    client : Client
        The gateway and account that it was sent with.
    journal, split, concurrency, rate, progress : optional
        As for `send`.

    Returns
    -------
    DataFrame
        The campaign's `results`, one row a number.

    Raises
    ------
    InvalidInput
        When the journal has no such campaign of this gateway and account.
    JournalError, KeyboardInterrupt
        As for `send`.

    Examples
    --------
    A gateway that is down takes nothing; once it is up again, the campaign is finished:

    >>> import esms_frames as ef
    >>> import pandas as pd
    >>> customers = pd.DataFrame({"sdt": [f"09018884{n}" for n in range(10, 50)]})
    >>> sandbox = ef.Sandbox(port=0).start()
    >>> client = sandbox.client()
    >>> sandbox.stop()
    >>> message = ef.Message("Cam on quy khach!", "Baotrixemay")
    >>> results = ef.send(customers, message, client, campaign="down", checks=False, progress=False)
    >>> results["status"].unique().tolist()
    ['not_sent']
    >>> with sandbox:
    ...     results = ef.resume("down", sandbox.client(), progress=False)
    >>> results["status"].unique().tolist()
    ['accepted']
    """
    check_client(client)
    delivers = checked_pace(concurrency, rate)
    book = _opened(journal)
    scope = _found(book, checked_campaign(campaign), client)
    with Delivery(book, scope, client, split=split, **delivers) as delivery:
        left_out = run_pieces(delivery, book, scope, client, [()], _NOBODY, MAX_BATCH, progress=progress)
    return _of_campaign(book, scope, None, delivery, left_out)


def results(
    campaign: str,
    data: pd.DataFrame | Audience | LargeAudience | None = None,
    *,
    journal: Journal | str | os.PathLike[str] | None = None,
    client: Client | None = None,
    phone: Hashable | None = None,
    by: Any = None,
    exclude: Any = None,
) -> pd.DataFrame:
    """Rebuild the results of any past campaign from the journal; nothing is sent or asked.

    Parameters
    ----------
    campaign : str
        The campaign's name.
    data : DataFrame, Dask DataFrame, Audience or LargeAudience, optional
        The customers again, to have a row for each of theirs; of Dask's, results are Dask's too. Without it there is a row
        for each number of the campaign.
    journal : Journal, str or path-like, optional
        As for `send`.
    client : Client, optional
        Whose campaign it is, where several gateways or accounts have one of the name. Without it, a live campaign goes
        before rehearsals on sandboxes, and of these the latest is meant.
    phone, by, exclude : optional
        As for `prepare`, when `data` is a DataFrame.

    Returns
    -------
    DataFrame
        As `send` returns it; what the campaign has sent, whenever that was, is ``accepted``. Numbers of `data` that are
        not in the campaign are ``not_sent``.

    Raises
    ------
    InvalidInput
        When the journal has no such campaign, or several and `client` does not say which.

    Examples
    --------
    >>> import esms_frames as ef
    >>> import pandas as pd
    >>> customers = pd.DataFrame({"sdt": [f"09018884{n}" for n in range(10, 50)]})
    >>> with ef.Sandbox() as sandbox:
    ...     message = ef.Message("Cam on quy khach!", "Baotrixemay")
    ...     sent = ef.send(customers, message, sandbox.client(), campaign="July", progress=False)
    >>> again = ef.results("July", customers)
    >>> bool((again["sms_id"] == sent["sms_id"]).all())
    True
    """
    if client is not None:
        check_client(client)
    if is_large(data):
        large, book = large_audience(data, phone=phone, by=by, exclude=exclude), _opened(journal)
        scope = _found(book, checked_campaign(campaign), client)
        return cast("pd.DataFrame", results_large(large, book, scope))
    audience = drafted(data, phone, by=by, exclude=exclude) if isinstance(data, pd.DataFrame) else data
    if audience is not None and not isinstance(audience, Audience):
        raise InvalidInput(
            f"data must be a DataFrame or an Audience, not {type(data).__name__}: hand in your customers, or nothing."
        )
    book = _opened(journal)
    scope = _found(book, checked_campaign(campaign), client)
    return _of_campaign(book, scope, audience)


def _account(
    frame: pd.DataFrame,
    batches: Sequence[Batch],
    left_out: Sequence[LeftOut],
    otherwise: Outcome,
    delivery: Delivery | None = None,
    run: str | None = None,
) -> pd.DataFrame:
    """Say of each row what became of its number; `otherwise` of those that are ready and nowhere else.

    With `run`, what another run has sent is already sent.
    """
    # A number may be in several batches, of which all but one were refused: the one, or the last, counts.
    ranked = sorted(batches, key=lambda batch: (batch.status in LIVE, batch.number))
    holders: list[LeftOut | Batch] = [*left_out, *ranked]
    outcomes = [*(some.outcome for some in left_out), *(outcome_of(batch, delivery, run) for batch in ranked)]
    numbers = numbers_of(frame, "ready")
    owner = np.full(len(numbers), len(outcomes))
    if holders:
        held = np.concatenate([each.numbers for each in holders])
        holder = np.repeat(np.arange(len(holders)), [len(each.numbers) for each in holders])
        last = ~pd.Series(held).duplicated(keep="last").to_numpy()
        place = places(numbers, held[last])
        owner[place >= 0] = holder[last][place[place >= 0]]
    position = np.full(len(frame), -1)
    position[(frame["status"] == "ready").to_numpy()] = owner
    return results_frame(frame, position, [*outcomes, otherwise])


def _of_campaign(
    book: Journal,
    scope: Scope,
    audience: Audience | None,
    delivery: Delivery | None = None,
    left_out: Sequence[LeftOut] = (),
) -> pd.DataFrame:
    batches = book.batches(scope)
    otherwise = Outcome(Status.NOT_SENT, f"The number is not in the campaign {scope.name!r}.")
    if audience is None:
        holders: list[LeftOut | Batch] = [*batches, *left_out]
        frame = ready_frame(pd.unique(np.concatenate([_NOBODY, *(each.numbers for each in holders)])))
    else:
        frame = audience.frame
    return _account(frame, batches, left_out, otherwise, delivery)


def _opened(journal: Journal | str | os.PathLike[str] | None) -> Journal:
    return journal if isinstance(journal, Journal) else Journal(journal)


def _found(book: Journal, name: str, client: Client | None) -> Scope:
    """Find the one campaign that is meant by a name; a rehearsal on a sandbox is not taken for the live one."""
    scopes = book.scopes(name)
    if client is not None:
        scopes = [scope for scope in scopes if (scope.gateway, scope.account) == (client.gateway, client.account)]
    live = [scope for scope in scopes if scope.gateway != SANDBOX]
    if not scopes:
        whose = "" if client is None else f" of account {client.account} at {client.gateway}"
        raise InvalidInput(
            f"{book} has no campaign {name!r}{whose}: Journal().campaigns() and `esms-frames results` list those there are."
        )
    if len(live) > 1:
        accounts = ", ".join(f"{scope.account} at {scope.gateway}" for scope in live)
        raise InvalidInput(f"Several accounts have a campaign {name!r} ({accounts}): say whose with client=….")
    return live[0] if live else scopes[0]
