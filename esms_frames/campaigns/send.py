"""Send an audience within a campaign, and resume what was left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from esms_frames.base.wording import mark
from esms_frames.campaigns.decisions.order import take_order, texts_of
from esms_frames.campaigns.outcomes import _none_there, _opened, gather_outcomes, rebuild_results
from esms_frames.campaigns.pending import Pending, find_pending
from esms_frames.campaigns.preview.forecast import refuse_what_would_fail
from esms_frames.campaigns.sending.dispatch import Dispatcher
from esms_frames.campaigns.sending.run import run_pieces
from esms_frames.gateway.client import check_client
from esms_frames.gateway.pace import check_pace
from esms_frames.journal import identity
from esms_frames.journal.database.address import hide
from esms_frames.messages.limits import check_campaign
from esms_frames.reporting.frame import Outcome, Status
from esms_frames.reporting.outcomes import build_results

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Hashable, Mapping

    import pandas as pd

    from esms_frames.campaigns.sending.dispatch import Progress
    from esms_frames.gateway.client import Client
    from esms_frames.journal.journal import Journal
    from esms_frames.messages.message import Message
    from esms_frames.recipients.audience import Audience
    from esms_frames.recipients.large.audience import LargeAudience


_WITHDRAWN = mark("Another run withdrew its batch before it was sent.")


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
        `LargeAudience` 1,000,000 numbers at a time are written down and sent; in memory are its numbers, not its rows.
    message : Message or dict of one for each segment
        The text and how it is sent. Of several, each goes to the rows of its segment (see `by`); rows of a segment without
        a message are ``excluded``.
    client : Client
        The gateway, from `Client.from_env` or a `Sandbox`.
    campaign : str, optional
        Within which nobody is texted twice: a name of at most 254 characters, which the gateway keeps with the
        messages. Names that differ only by case, blanks, full-width characters or characters that show nothing are one.
        Without a name it is derived from the text, so that the same text never goes twice to the same phone. It is good
        within one account, by whatever key and address the gateway is reached: a new ApiKey goes on with it, and a
        rehearsal on a sandbox never counts for the live gateway. Several messages need a name: a corrected text would be
        another campaign otherwise.
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
        ``request_id``, ``sms_id``, ``code``, ``attempts``, ``sent_at``, ``scheduled_for``; the dtypes are those of
        `results_frame`.
        A refusal that concerns one batch leaves the others alone. One that concerns the message or the account ends the
        run, and so do a gateway that can't be reached and three batches in a row without an answer: what is left is
        ``not_sent``, with the reason. A number that the campaign has texted before is ``already_sent``, with when and
        under which SMSID. Fewer new numbers than a batch needs are ``not_sent``. Advertising to a number that has had three
        in 24 hours is ``capped``, and to one on the do-not-contact list ``excluded``. With segments there is a column
        ``segment``, which says under which one each row was sent, and ``segment_in_data`` where the data says another.

    Raises
    ------
    PhoneColumnError, TooFewRecipients
        As for `prepare`; nothing was sent.
    WouldFail
        When the gateway would refuse; nothing was sent.
    InvalidInput
        When something handed in can't be used, for advertising at an hour at which it may not go out, and where the journal
        has a campaign of the name of which it is not known whether it is this account's (see `Journal.same_account`);
        nothing was sent.
    JournalError
        When the journal can't be relied on; nothing more was sent.
    KeyboardInterrupt
        When interrupted: requests under way are let settle first, the journal is true, and `resume` goes on from there.

    Warns
    -----
    SentOtherwiseWarning
        When the campaign has sent rows another text, or under another segment, than message and data say now; how many,
        in a sentence. ``reason`` and ``segment_in_data`` say which.

    Notes
    -----
    What is worth retrying (no connection, a cut one, a time-out, HTTP 5xx and 429, an answer that is none, codes 160 and
    199) is tried up to five times under the same request id, with waits of half a second doubling to eight; what may have
    arrived only while the gateway's clock is known, and not about midnight in Vietnam. 124 means that an earlier attempt
    was taken, if none of them was refused. What stays without an answer is ``unknown``.

    Before anything new is planned, the gateway is asked for messages of the campaign that the journal lacks, as an older
    copy does, or a new one in the place of one that was lost: at least one question, and at most ten.

    The batches that an interrupted run left behind are finished first, unchanged, whoever is in `data`. But one that never
    left and holds somebody who is excluded now, is not to be contacted or has had enough advertising, or all of whom are in
    `data` with another text, is replaced: an exclude list that has grown and a text that was corrected are respected. An
    uncertain one that holds somebody who is excluded now is not tried again.

    Of a Dask DataFrame or a `LargeAudience` with more numbers, everybody is looked at before anything is sent, so that
    checks, price and the sizes of batches are those of the whole; then the batches of each piece are in the journal
    before its first byte leaves. Who has come into another run's batch or onto the do-not-contact list meanwhile is
    left out when the piece's turn comes; where that leaves too few for a batch, they go with a later piece. What a run
    that has ended did not come to is ``not_sent`` and in no batch; the same send again goes on from there, while
    `resume` finishes what is in batches only.

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
    journal = hide(journal)
    check_client(client)
    delivers = check_pace(concurrency, rate)
    asked: dict[str, Any] = {"campaign": campaign, "phone": phone, "by": by, "exclude": exclude}
    asked |= {"rules_off": rules_off, "rules_on": rules_on}
    order = take_order(data, message, **asked)
    order.audience._check_enough()
    batches = _opened(journal)._batches
    scope = identity.scope_of(order.campaign, client, batches, begin=not checks)
    pending = find_pending(order, batches, scope)
    if checks:
        refuse_what_would_fail(order, pending, scope, client, batches)
        scope = identity.scope_of(order.campaign, client, batches)
    with Dispatcher(batches, scope, client, split=split, **delivers) as dispatcher:
        left_out = run_pieces(dispatcher, batches, scope, client, pending, progress=progress)
    outcomes = gather_outcomes(batches, scope, left_out, dispatcher, dispatcher.run)
    otherwise = Outcome(Status.NOT_SENT, dispatcher.why_ended or _WITHDRAWN)
    found = build_results(order.audience, outcomes, otherwise, texts_of(order.groups), stacklevel=2)
    return cast("pd.DataFrame", found)  # or Dask's, which has no types and is used like pandas'


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
    refuses repetitions (the same day), and later settled by asking it what it holds, never by sending blindly. What can't
    be settled stays ``unknown``, with the reason. To leave out numbers that were not excluded then, use `send` with
    `exclude` under the same name.

    Parameters
    ----------
    campaign : str
        The campaign's name; `Journal.campaigns` lists those that there are.
    client : Client
        Of the account that it was sent with, by whatever key.
    journal, split, concurrency, rate, progress : optional
        As for `send`.

    Returns
    -------
    DataFrame
        The campaign's `results`, one row a number.

    Raises
    ------
    InvalidInput
        When the journal has no such campaign of this account, or it is not known whether it is this account's.
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
    journal = hide(journal)
    check_client(client)
    delivers = check_pace(concurrency, rate)
    book = _opened(journal)
    name = check_campaign(campaign)
    scope = identity.scope_of(name, client, book._batches, begin=False)
    if not scope.id:
        raise _none_there(book, name, client)
    with Dispatcher(book._batches, scope, client, split=split, **delivers) as dispatcher:
        left_out = run_pieces(dispatcher, book._batches, scope, client, Pending(), progress=progress)
    found = rebuild_results(None, scope, gather_outcomes(book._batches, scope, left_out, dispatcher))
    return cast("pd.DataFrame", found)
