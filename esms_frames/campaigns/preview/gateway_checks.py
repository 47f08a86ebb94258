"""Ask the gateway beforehand about a send: price, balance, brandnames, templates."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from esms_frames.base.errors import GatewayError, Refused
from esms_frames.base.wording import Sentence, mark
from esms_frames.messages.limits import MAX_BATCH, SmsType
from esms_frames.messages.templates import fits
from esms_frames.recipients.batching import batch_borders
from esms_frames.recipients.phones import formatting, normalize, numbering_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from esms_frames.campaigns.decisions.order import Group
    from esms_frames.gateway.answers import Brandname
    from esms_frames.gateway.client import Client
    from esms_frames.journal.records import Batch, NewBatch
    from esms_frames.messages.message import Message
    from esms_frames.messages.templates import Template


_MOST_ESTIMATES = 20
"""How many batches of advertising the gateway is asked the price of; more of them are priced like these."""

_AT_ONCE = 4
"""How many questions are under way at once: as many as `send` has requests."""

_LOOKED_AT = 1_000_000  # numbers looked at together

_TOLD = 3  # texts of which it is told that they fit no template


@dataclass(frozen=True)
class Parcel:
    """One text and all who are to get it."""

    segment: str | None
    message: Message
    numbers: NDArray[np.int32]
    batches: int
    smallest: int
    """How many numbers its smallest batch has."""


@dataclass
class Answers:
    """The gateway's answers.

    Attributes
    ----------
    price, balance : Decimal or None
        In VND; None where it could not be asked.
    price_basis : str
        What the price rests on.
    problems : list of str
        What would make the send fail.
    warnings : list of str
        What is worth a look.
    """

    price: Decimal | None = None
    price_basis: str = mark("the gateway was not asked")
    balance: Decimal | None = None
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def parcels_of(
    batches: Sequence[Batch | NewBatch], groups: Sequence[Group] = (), max_batch: int = MAX_BATCH
) -> list[Parcel]:
    """Put the batches of one segment and text together, and those that groups will be put into."""
    together: dict[tuple[str | None, Message], list[tuple[NDArray[np.int32], int]]] = defaultdict(list)
    for batch in batches:
        together[batch.segment, batch.message].append((batch.numbers, 1))
    for group in groups:
        together[group.segment, group.message].append((group.numbers, -(-len(group.numbers) // max_batch)))
    return [
        Parcel(
            segment,
            message,
            np.concatenate([numbers for numbers, _ in several]) if len(several) > 1 else several[0][0],
            batches=sum(count for _, count in several),
            smallest=min(len(numbers) // count for numbers, count in several),
        )
        for (segment, message), several in together.items()
    ]


def ask(client: Client, parcels: Sequence[Parcel]) -> Answers:
    """Ask the gateway about what is to be sent.

    A refusal of the account is a problem, for sends would meet it too. Anything else that keeps the gateway from answering
    is a warning, and ends the asking.
    """
    answers = Answers()
    care = [parcel for parcel in parcels if parcel.message.sms_type is SmsType.CUSTOMER_CARE]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="esms-ask") as pool:
        balance, registered = pool.submit(client.balance), pool.submit(client.brandnames)
        templates = {
            name: pool.submit(client.templates, name)
            for name in dict.fromkeys(parcel.message.brandname for parcel in care)
        }
        try:
            answers.balance = balance.result()
            _check_brandnames(registered.result(), parcels, answers)
            if not answers.problems:  # the gateway knows no templates and no price of a name that it does not know
                for name, listed in templates.items():
                    _check_templates(name, listed.result(), care, answers)
                answers.price, answers.price_basis = _price(client, pool, parcels)
        except Refused as refusal:
            (answers.problems if refusal.kind.stops_campaign else answers.warnings).append(str(refusal))
        except GatewayError as error:
            answers.warnings.append(
                Sentence("The gateway could not be asked about everything: {error_text}", error_text=error)
            )
    if answers.price is not None and answers.balance is not None and answers.price > answers.balance:
        answers.problems.append(
            Sentence(
                "The price of {price} VND is more than the balance of {balance} VND: top up the account, or "
                "send to fewer.",
                price=round(answers.price),
                balance=round(answers.balance),
            )
        )
    return answers


def _check_brandnames(registered: Sequence[Brandname], parcels: Sequence[Parcel], answers: Answers) -> None:
    for name, sms_type in dict.fromkeys((parcel.message.brandname, parcel.message.sms_type) for parcel in parcels):
        names = [each.name for each in registered if each.sms_type is sms_type]
        if name in names:
            continue
        alike = {each.casefold(): each for each in names}
        near = get_close_matches(name.casefold(), alike, n=1)
        kind = Sentence(str(sms_type).replace("_", " "))
        answers.problems.append(
            Sentence(
                "The brandname {name} is not registered for {kind_text} in this account: did you mean {near}?",
                name=repr(name),
                kind_text=kind,
                near=repr(alike[near[0]]),
            )
            if near
            else Sentence(
                "The brandname {name} is not registered for {kind_text} in this account: it has {names}.",
                name=repr(name),
                kind_text=kind,
                names=", ".join(map(repr, names)) or "none",
            )
        )


def _check_templates(brandname: str, templates: Sequence[Template], care: Sequence[Parcel], answers: Answers) -> None:
    if not templates:
        answers.warnings.append(
            Sentence(
                "The gateway lists no templates of {name}, and customer care has to fit one (code 146 if not).",
                name=repr(brandname),
            )
        )
        return
    misfits = 0
    for parcel in care:
        if parcel.message.brandname == brandname:
            misfits += _check_template(parcel, templates, answers, silent=misfits >= _TOLD)
    if misfits > _TOLD:
        answers.problems.append(
            Sentence(
                "{count} more texts fit no template of {brandname}.", count=misfits - _TOLD, brandname=repr(brandname)
            )
        )


def _check_template(parcel: Parcel, templates: Sequence[Template], answers: Answers, *, silent: bool) -> bool:
    """Return whether a text fits no template at all; that it fits those of some networks only is a warning."""
    fit = fits(parcel.message.content, templates)
    if not fit:
        if not silent:
            whose = f"Segment {parcel.segment!r}: " if parcel.segment is not None else ""
            answers.problems.append(f"{whose}{fit.sentence}")
        return True
    networks = {template.network for template in templates if fits(parcel.message.content, [template])}
    if None not in networks:
        missing = [
            f"{name} ({size:,} recipients)"
            for name, (_, size) in _by_network(parcel.numbers).items()
            if name is not None and name not in networks
        ]
        if missing:
            answers.warnings.append(
                Sentence(
                    "The text fits a template of {networks} only, and some numbers are of {others}: register it "
                    "there too, or expect refusals.",
                    networks=", ".join(sorted(map(str, networks))),
                    others=", ".join(missing),
                )
            )
    return False


def _price(client: Client, pool: ThreadPoolExecutor, parcels: Sequence[Parcel]) -> tuple[Decimal, str]:
    """Ask for the price once for all texts that cost the same a number."""
    alike: dict[tuple[object, ...], list[Parcel]] = defaultdict(list)
    for parcel in parcels:
        message = parcel.message
        alike[message.sms_type, message.brandname, message.encoding, message.parts].append(parcel)
    questions: list[tuple[Message, NDArray[np.int32], Fraction]] = []
    asked, total = 0, 0
    for some in alike.values():
        message = some[0].message
        numbers = some[0].numbers if len(some) == 1 else np.concatenate([parcel.numbers for parcel in some])
        if message.sms_type is SmsType.CUSTOMER_CARE:
            for number, count in _by_network(numbers).values():
                questions.append((message, np.array([number], dtype=np.int32), Fraction(count)))
            continue
        batches = batch_borders(len(numbers), MAX_BATCH)
        chosen = np.unique(np.linspace(0, len(batches) - 1, min(len(batches), _MOST_ESTIMATES)).astype(int))
        sample = [numbers[slice(*batches[n])] for n in chosen]
        weight = Fraction(len(numbers), sum(len(batch) for batch in sample))
        questions += [(message, batch, weight) for batch in sample]
        asked, total = asked + len(sample), total + len(batches)

    def ask_price(question: tuple[Message, NDArray[np.int32], Fraction]) -> Fraction:
        message, batch, weight = question
        return weight * Fraction(client.estimate(message, formatting.join_phones(batch).split()).price)

    price = sum(pool.map(ask_price, questions), Fraction(0))
    basis = (
        mark("by the gateway")
        if asked == total
        else Sentence("scaled from the gateway's for {asked} of {total} batches", asked=asked, total=total)
    )
    return (Decimal(price.numerator) / price.denominator).quantize(Decimal("0.0001")), basis


def _by_network(numbers: NDArray[np.int32]) -> dict[str | None, tuple[int, int]]:
    """Return a number of each network that there is, and how many numbers have it."""
    names, _ = numbering_plan.networks()
    first: dict[int, int] = {}
    counts = np.zeros(len(names) + 1, dtype=np.int64)
    for start in range(0, len(numbers), _LOOKED_AT):
        some = numbers[start : start + _LOOKED_AT]
        codes, places = np.unique(normalize.network_of(some).codes, return_index=True)
        for code, place in zip(codes.tolist(), places.tolist(), strict=True):
            first.setdefault(code, int(some[place]))
        counts += np.bincount(normalize.network_of(some).codes + 1, minlength=len(counts))
    return {
        names[code] if code >= 0 else None: (number, int(counts[code + 1])) for code, number in sorted(first.items())
    }
