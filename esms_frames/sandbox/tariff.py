"""What messages cost on a sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from esms_frames import numbering
from esms_frames.message import Message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

PRICES: Mapping[str, int] = {"Viettel": 800, "MobiFone": 850, "VinaPhone": 830, "Vietnamobile": 780, "Gmobile": 780}
"""VND a part by network. Made up, but for MobiFone's, which gives the vendor's sample answer for 0901888484."""

OTHER_PRICE = 850
"""VND a part on networks that `PRICES` does not list."""


def price(content: str, phones: Sequence[str], prices: Mapping[str, int]) -> int:
    """Give the price of one text to all the numbers, in VND."""
    names, codes = networks(phones)
    by_network = np.array([prices.get(name, OTHER_PRICE) for name in names] + [OTHER_PRICE])
    return Message(content, "any").parts * int(by_network[codes].sum())


def networks(phones: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int8]]:
    """Give the names of the networks, and for each number the position of its network, or -1."""
    names, table = numbering.networks()
    numbers = np.array(phones, dtype="U10").astype(np.int64)
    return names, table[numbers // numbering.PREFIX]
