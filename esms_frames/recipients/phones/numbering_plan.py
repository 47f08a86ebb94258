"""The Vietnamese numbering plan as lookup tables, compiled from the phonenumbers package's data.

Numbers are national significant numbers here: integers without the leading zero, 901888484 for 0901 888 484.
Validity and network depend on the first four of their nine digits alone, so a table of 10,000 entries answers for
every number; ``tests/test_numbering.py`` holds that against the package itself.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


PREFIX = 100_000
"""``number // PREFIX`` are the first four digits of a nine-digit number."""

OLD_PREFIX = 10_000_000
"""``number // OLD_PREFIX`` are the first three digits of an old ten-digit number, which change; the rest stays."""

# The 2018 change from eleven to ten digits (leading zero included), by the Ministry of Information and Communications.
_NEW_PREFIX = {
    **{160 + d: 30 + d for d in range(2, 10)},  # Viettel
    120: 70,
    121: 79,
    122: 77,
    126: 76,
    128: 78,  # MobiFone
    123: 83,
    124: 84,
    125: 85,
    127: 81,
    129: 82,  # VinaPhone
    186: 56,
    188: 58,  # Vietnamobile
    199: 59,  # Gmobile
}

# The gateway's networks in the order of its ids, and phonenumbers' names where they differ.
_GATEWAY_ORDER = ("Viettel", "MobiFone", "VinaPhone", "Vietnamobile", "Gmobile", "iTel", "Reddi")
GATEWAY_NETWORKS = dict(enumerate(_GATEWAY_ORDER, 1))
"""The gateway's NetworkID of each network, and its name."""
_GATEWAY_NAME = {"Vinaphone": "VinaPhone", "G-Mobile": "Gmobile", "Indochina Telecom": "iTel"}

# iTel's 087 was VinaPhone's range before, and phonenumbers still says so.
_OVERRIDES = {"8487": "iTel"}


@cache
def valid_prefixes() -> NDArray[np.bool_]:
    """Return for each first four digits whether mobile numbers with them are assigned; shape (10000,)."""
    from phonenumbers import PhoneMetadata  # noqa: PLC0415 - 25 ms that only those pay who normalise

    mobile: Any = PhoneMetadata.metadata_for_region("VN").mobile  # type: ignore[union-attr]
    pattern = re.compile(mobile.national_number_pattern)
    table = np.zeros(10_000, dtype=bool)
    table[1000:] = [pattern.fullmatch(f"{prefix}00000") is not None for prefix in range(1000, 10_000)]
    return table


@cache
def new_prefixes() -> NDArray[np.int32]:
    """Return for the first three digits of an old ten-digit number the two that replace them, or 0; shape (1000,)."""
    table = np.zeros(1000, dtype=np.int32)
    table[list(_NEW_PREFIX)] = list(_NEW_PREFIX.values())
    return table


@cache
def networks() -> tuple[tuple[str, ...], NDArray[np.int8]]:
    """Return the names of the networks, and for each first four digits the position of theirs, or -1; shape (10000,).

    A number may have been ported: the network is the one that its prefix was given to.
    """
    from phonenumbers.carrierdata import CARRIER_DATA  # noqa: PLC0415 - 20 ms that only those pay who normalise

    carriers = {prefix: names["en"] for prefix, names in CARRIER_DATA.items() if prefix.startswith("84")} | _OVERRIDES
    named = {prefix: _GATEWAY_NAME.get(name, name) for prefix, name in carriers.items()}
    names = (*_GATEWAY_ORDER, *sorted(set(named.values()) - set(_GATEWAY_ORDER)))
    table = np.full(10_000, -1, dtype=np.int8)
    for prefix in np.flatnonzero(valid_prefixes()):
        digits = f"84{prefix}"
        longest = next((digits[:n] for n in range(len(digits), 2, -1) if digits[:n] in named), None)
        if longest is not None:
            table[prefix] = names.index(named[longest])
    return names, table
