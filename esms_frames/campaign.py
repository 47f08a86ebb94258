"""Send an audience: all its batches, several at once, and say what became of every row."""

from __future__ import annotations

import hashlib
import re
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING

from tqdm.auto import tqdm

from esms_frames import clock
from esms_frames.audience import Audience, prepare
from esms_frames.client import Client
from esms_frames.errors import InvalidInput, Kind, NoAnswer, Refused, Unreachable
from esms_frames.message import MIN_BATCH, Message, SmsType, check_not_past, checked_campaign, strip_accents
from esms_frames.results import Outcome, Status, results_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from typing import Any

    import pandas as pd

_MOST_AT_ONCE = 64


def send(
    data: pd.DataFrame | Audience,
    message: Message,
    client: Client,
    *,
    campaign: str | None = None,
    phone: Hashable | None = None,
    exclude: Any = None,
    concurrency: int = 4,
    progress: bool = True,
) -> pd.DataFrame:
    """Send one text to everyone in a DataFrame, and say what became of each row.

    Parameters
    ----------
    data : DataFrame or Audience
        The customers as they are, or what `prepare` made of them. It is not changed.
    message : Message
        The text and how it is sent.
    client : Client
        The gateway, from `Client.from_env` or a `Sandbox`.
    campaign : str, optional
        The campaign's name, at most 254 characters; the gateway keeps it with the messages. Without one it is derived
        from the text.
    phone, exclude : optional
        As for `prepare`, when `data` is a DataFrame.
    concurrency : int, optional
        How many requests may be under way at once. Four keep a gateway with some latency busy without pressing it.
    progress : bool, optional
        Whether to show a progress bar.

    Returns
    -------
    DataFrame
        One row for each row of `data`, with the same index: ``phone``, ``network``, ``status``, ``reason``, ``batch``,
        ``request_id``, ``sms_id``, ``code``, ``attempts``, ``sent_at``; the dtypes are those of `results_frame`.
        A refusal that concerns one batch leaves the others alone. One that concerns the message or the account ends the
        run, and so does a gateway that can't be reached: what is left is ``not_sent``, with the reason.

    Raises
    ------
    PhoneColumnError, TooFewRecipients
        As for `prepare`; nothing was sent.
    InvalidInput
        When something handed in can't be used; nothing was sent.

    Examples
    --------
    >>> import esms_frames as ef
    >>> import pandas as pd
    >>> customers = pd.DataFrame({"sdt": [f"09018884{n}" for n in range(10, 50)] + ["+84 901 888 410", "n/a"]})
    >>> with ef.Sandbox() as sandbox:
    ...     message = ef.Message("Cam on quy khach!", "Baotrixemay")
    ...     results = ef.send(customers, message, sandbox.client(), progress=False)
    >>> results["status"].value_counts()[["accepted", "duplicate", "invalid"]]
    status
    accepted     40
    duplicate     1
    invalid       1
    Name: count, dtype: int64
    """
    if not isinstance(message, Message):
        raise InvalidInput(f"message must be a Message, not {type(message).__name__}: make one with ef.Message(…).")
    if not isinstance(client, Client):
        raise InvalidInput(f"client must be a Client, not {type(client).__name__}: make one with ef.Client.from_env().")
    if not isinstance(concurrency, int) or not 1 <= concurrency <= _MOST_AT_ONCE:
        raise InvalidInput(f"concurrency is {concurrency!r}: give a whole number from 1 to {_MOST_AT_ONCE}.")
    name = default_campaign(message) if campaign is None else checked_campaign(campaign)
    check_not_past(message)
    audience = _audience(data, phone, exclude)
    if message.sms_type is SmsType.ADVERTISING and audience.min_batch < MIN_BATCH:
        raise InvalidInput(
            f"Advertising goes out in batches of at least {MIN_BATCH} numbers, and this audience was prepared with "
            f"min_batch={audience.min_batch}: prepare it again without."
        )
    run = _Run(message, client, name, audience, concurrency)
    return results_frame(audience, run.outcomes(progress=progress))


def default_campaign(message: Message) -> str:
    """Name a campaign after its text: the same text, the same campaign."""
    words = re.sub(r"[^a-z0-9]+", "-", strip_accents(message.content).lower()).strip("-")[:32].strip("-")
    digest = hashlib.sha256(message.content.encode()).hexdigest()[:12]
    return f"{words}-{digest}" if words else digest


def request_id(campaign: str, phones: Sequence[str]) -> str:
    """Derive a batch's request id from the campaign and the numbers, so that the same batch always has the same."""
    return hashlib.sha256("\n".join([campaign, *phones]).encode()).hexdigest()[:40]


def _audience(data: pd.DataFrame | Audience, phone: Hashable | None, exclude: Any) -> Audience:
    if not isinstance(data, Audience):
        return prepare(data, phone, exclude=exclude)
    if phone is not None or exclude is not None:
        raise InvalidInput("phone and exclude are for a DataFrame, and this is an Audience: give them to ef.prepare.")
    return data


class _Run:
    """One run over the batches of an audience."""

    def __init__(self, message: Message, client: Client, campaign: str, audience: Audience, concurrency: int) -> None:
        self._message = message
        self._client = client
        self._campaign = campaign
        self._floor = audience.min_batch
        self._batches = audience.batches
        self._concurrency = concurrency
        self._ended = threading.Event()
        self._why_ended = ""

    def outcomes(self, *, progress: bool) -> list[Outcome]:
        """Send all batches and give their outcomes, in the order of the batches."""
        outcomes: dict[int, Outcome] = {}
        total = sum(map(len, self._batches))
        with (
            tqdm(total=total, desc="Sending", unit=" numbers", disable=not progress) as bar,
            ThreadPoolExecutor(self._concurrency, thread_name_prefix="esms-send") as pool,
        ):
            try:
                under_way = {pool.submit(self._send, number): number for number in range(len(self._batches))}
                for future in as_completed(under_way):
                    number = under_way[future]
                    outcomes[number] = future.result()
                    bar.update(len(self._batches[number]))
            except BaseException:  # Ctrl-C too: what is under way settles, nothing more leaves
                self._end("the run was interrupted")
                raise
        return [outcomes[number] for number in range(len(self._batches))]

    def _send(self, number: int) -> Outcome:
        phones = self._batches[number].tolist()
        identity = request_id(self._campaign, phones)
        if self._ended.is_set():
            return Outcome(Status.NOT_SENT, self._why_ended, identity)
        sent_at = clock.now()

        def outcome(status: Status, reason: str | None, sms_id: str | None = None, code: int | None = None) -> Outcome:
            return Outcome(status, reason, identity, sms_id, code, attempts=1, sent_at=sent_at)

        try:
            answer = self._client.send(
                self._message, phones, request_id=identity, campaign=self._campaign, floor=self._floor
            )
        except Refused as refusal:
            return self._refused(number, refusal, outcome)
        except NoAnswer as error:
            return outcome(Status.UNKNOWN, str(error))
        except Unreachable as error:
            self._end(f"the gateway could not be reached: {error}")
            return outcome(Status.NOT_SENT, str(error))
        except InvalidInput as error:  # a schedule can become past while the batches go out
            self._end(str(error))
            return Outcome(Status.NOT_SENT, str(error), identity)
        return outcome(Status.ACCEPTED, None, answer.sms_id, answer.code)

    def _refused(self, number: int, refusal: Refused, outcome: Callable[..., Outcome]) -> Outcome:
        if refusal.kind.stops_campaign:
            self._end(f"batch {number + 1} was refused for a reason that holds for all: {refusal}")
        if refusal.kind is Kind.ALREADY_THERE:
            return outcome(Status.ALREADY_SENT, str(refusal), code=refusal.code)
        if refusal.code == 199:  # taken by an earlier attempt and still in process, so not certainly refused
            return outcome(Status.UNKNOWN, str(refusal), code=refusal.code)
        return outcome(Status.REFUSED, str(refusal), code=refusal.code)

    def _end(self, why: str) -> None:
        if not self._ended.is_set():
            self._why_ended = why
            self._ended.set()
