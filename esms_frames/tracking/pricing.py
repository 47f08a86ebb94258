"""Find what the numbers of each network cost in a send, if the gateway's prices add up to the price of the send."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from esms_frames.base import columns
from esms_frames.base.errors import GatewayError, InvalidInput
from esms_frames.messages.limits import MIN_BATCH, SmsType
from esms_frames.recipients.phones import formatting, normalize, numbering_plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from esms_frames.gateway.client import Client
    from esms_frames.messages.message import Message
    from esms_frames.tracking.deliveries import Answer, Rows

    Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Unpriced:
    """A send of which only the total price is known."""

    send: int
    numbers: Ints
    """All its national numbers."""
    units: int
    """Its price in ten-thousandths of a VND."""

    def by_network(self) -> Ints:
        """Count the numbers of each network, in the order of `numbering_plan.networks`; last those of none."""
        codes = normalize.network_of(self.numbers.astype(np.int32)).codes
        counts = np.bincount(np.where(codes < 0, _networks(), codes), minlength=_networks() + 1)
        return counts.astype(np.int64)


def find_unpriced(rows: Rows, answers: Mapping[int, Answer]) -> list[Unpriced]:
    """Find the sends that have no price by number, and whose numbers are all known.

    The gateway's list of a send has its numbers, and else the frame, where it has as many as the gateway counts.
    """
    open_ = {
        send: answer
        for send, answer in answers.items()
        if answer.units and answer.recipients > 1 and (answer.prices is None or bool((answer.prices < 0).any()))
    }
    of_rows = rows.numbers_of(sorted(open_))
    found = []
    for send, answer in open_.items():
        listed = np.unique(answer.numbers)
        numbers = next((subset for subset in (listed, of_rows[send]) if len(subset) == answer.recipients), None)
        if numbers is not None and answer.units is not None:
            found.append(Unpriced(send, numbers, answer.units))
    return found


def ask_tariffs(sends: Sequence[Unpriced], messages: Mapping[int, Message], client: Client) -> dict[int, Ints]:
    """Ask the gateway what a number of each network costs, once for all texts that cost the same a number.

    Parameters
    ----------
    sends : sequence of Unpriced
        The sends.
    messages : mapping of int to Message
        What they sent, by send; sends without one are left out.
    client : Client
        The gateway and account.

    Returns
    -------
    dict of int to array of int
        For each send whose price is exactly the sum of these, what a number of each network costs, in ten-thousandths of
        a VND and in the order of `numbering.networks`; last that of numbers of no network; -1 where not asked.
    """
    alike: dict[tuple[object, ...], list[Unpriced]] = defaultdict(list)
    for send in sends:
        if (message := messages.get(send.send)) is not None:
            alike[message.sms_type, message.brandname, message.encoding, message.parts].append(send)
    found: dict[int, Ints] = {}
    try:
        for subset in alike.values():
            tariff = _ask_tariff(
                messages[subset[0].send], np.unique(np.concatenate([s.numbers for s in subset])), client
            )
            found |= {each.send: tariff for each in subset if adds_up(each, tariff)}
    except (GatewayError, InvalidInput):  # then nothing is known of single numbers; what was found before still holds
        return found
    return found


def adds_up(send: Unpriced, tariff: Ints) -> bool:
    """Return whether the price of a send is exactly what its numbers cost by network."""
    counts = send.by_network()
    asked = counts > 0
    return bool((tariff[asked] >= 0).all()) and int((counts[asked] * tariff[asked]).sum()) == send.units


def _ask_tariff(message: Message, numbers: Ints, client: Client) -> Ints:
    """Ask what a number of each network costs that is among some numbers."""
    codes = normalize.network_of(numbers.astype(np.int32)).codes
    codes = np.where(codes < 0, _networks(), codes)
    groups = {int(code): numbers[codes == code] for code in np.unique(codes)}
    found = np.full(_networks() + 1, -1, dtype=np.int64)

    def price(subset: Ints) -> int:
        return round(
            client.estimate(message, formatting.join_phones(subset.astype(np.int32)).split()).price * columns.UNIT
        )

    if message.sms_type is SmsType.CUSTOMER_CARE:
        for code, group in groups.items():
            found[code] = price(group[:1])
        return found
    # Advertising is priced in batches of at least 30, so what a few numbers cost is asked by what they add to a batch.
    first, largest = max(groups.items(), key=lambda item: len(item[1]))
    if len(largest) < MIN_BATCH:
        return found
    base = largest[:MIN_BATCH]
    base_price = price(base)
    for code, group in groups.items():
        subset = base if code == first else group[:MIN_BATCH]
        cost = base_price if code == first else price(np.concatenate([base, subset])) - base_price
        if cost % len(subset) == 0:
            found[code] = cost // len(subset)
    return found


def _networks() -> int:
    return len(numbering_plan.networks()[0])
