"""The registrations of the sandbox's account, and the prices of messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from esms_frames.base.errors import InvalidInput
from esms_frames.messages.limits import SmsType
from esms_frames.messages.message import Message
from esms_frames.messages.templates import Template
from esms_frames.recipients.phones import formatting, normalize, numbering_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


BRANDNAMES: Mapping[str, frozenset[SmsType]] = {
    "Baotrixemay": frozenset({SmsType.CUSTOMER_CARE}),
    "QC_ONLINE": frozenset({SmsType.ADVERTISING}),
}
"""The brandnames that the vendor publishes for trials, with their types."""

_TRIAL_TEXT = "Cam on quy khach da su dung dich vu cua chung toi. Chuc quy khach mot ngay tot lanh!"
ANY_TEXT = "{P1,9999}"

TEMPLATES: Mapping[str, Iterable[str | Template]] = {
    "Baotrixemay": (
        Template(458, "iTel", "{P1,20} la ma xac minh dang ky Baotrixemay cua ban"),
        Template(12640, "MobiFone", _TRIAL_TEXT),
        Template(12647, "Gmobile", _TRIAL_TEXT),
        Template(12884, "Viettel", _TRIAL_TEXT),
        ANY_TEXT,
    )
}
"""The templates published for the vendor's trial name, and one that any text fits."""


@dataclass(frozen=True)
class Registry:
    """The registered brandnames and templates, and the blocked numbers and networks; built by `build_registry`."""

    brandnames: Mapping[str, frozenset[SmsType]]
    templates: Mapping[str, tuple[Template, ...]]
    blocked: frozenset[str]
    unregistered_networks: Mapping[str, frozenset[str]]


def build_registry(
    brandnames: Mapping[str, str | Iterable[str]] | None,
    templates: Mapping[str, Iterable[str | Template]] | None,
    blocked: Iterable[str],
    unregistered_networks: Mapping[str, Iterable[str]] | None,
) -> Registry:
    """Check the sandbox's settings, and build the registry that requests are checked against."""
    given = {"brandnames": brandnames, "templates": templates, "unregistered_networks": unregistered_networks}
    for argument, value in given.items():
        if value is not None and not isinstance(value, Mapping):
            raise InvalidInput("{argument} is no dict: write {{brandname: …}}.", argument=argument)
    return Registry(
        BRANDNAMES if brandnames is None else {name: _types(name, types) for name, types in brandnames.items()},
        {name: _templates(name, given) for name, given in (TEMPLATES if templates is None else templates).items()},
        _numbers(blocked),
        {name: _networks(name, given) for name, given in (unregistered_networks or {}).items()},
    )


def _types(name: str, types: str | Iterable[str]) -> frozenset[SmsType]:
    try:
        return frozenset(SmsType(kind) for kind in ([types] if isinstance(types, str) else types))
    except ValueError as error:
        raise InvalidInput(
            "brandnames[{name}]: {error}; use 'customer_care', 'advertising' or both.",
            name=repr(name),
            error=str(error),
        ) from None


def _templates(name: str, given: Iterable[str | Template]) -> tuple[Template, ...]:
    """Build templates from texts: a text is registered with every network, as a separate template with each."""
    listed = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [None]
    known, numbers = set(numbering_plan.GATEWAY_NETWORKS.values()), count(1)
    found: list[Template] = []
    for one in listed:
        if isinstance(one, str):
            found += [Template(next(numbers), network, one) for network in numbering_plan.GATEWAY_NETWORKS.values()]
        elif isinstance(one, Template) and one.network in known:
            found.append(one)
        else:
            raise InvalidInput(
                "templates[{name}] is no list of texts or Templates, or one names a network that the gateway has no "
                "number for: write [text, …], with networks from {known}.",
                name=repr(name),
                known=", ".join(sorted(known)),
            )
    return tuple(found)


def _numbers(blocked: Iterable[str]) -> frozenset[str]:
    if isinstance(blocked, str) or not isinstance(blocked, Iterable):
        raise InvalidInput("blocked is no list of numbers: write [number, …].")
    found = normalize.read(pd.Series(list(blocked), dtype=object))
    if (found < 0).any():
        raise InvalidInput(
            "blocked holds {count} cells that are no mobile number: correct them.",
            count=int(np.count_nonzero(found < 0)),
        )
    return frozenset(map(str, formatting.format_phones(found)))


def _networks(name: str, given: Iterable[str]) -> frozenset[str]:
    known, _ = numbering_plan.networks()
    networks = frozenset([given] if isinstance(given, str) else given)
    if not networks <= set(known):
        raise InvalidInput(
            "unregistered_networks[{name}] names a network that there is not: choose from {known}.",
            name=repr(name),
            known=", ".join(known),
        )
    return networks


PRICES: Mapping[str, int] = {"Viettel": 800, "MobiFone": 850, "VinaPhone": 830, "Vietnamobile": 780, "Gmobile": 780}
"""VND per part by network. Made up, except MobiFone's, which matches the vendor's sample answer for 0901888484."""

OTHER_PRICE = 850
"""VND per part on networks that `PRICES` does not list."""


def price(content: str, phones: Sequence[str], prices: Mapping[str, int]) -> int:
    """Return the price of sending one text to all the numbers, in VND."""
    names, codes = networks(phones)
    by_network = np.array([prices.get(name, OTHER_PRICE) for name in names] + [OTHER_PRICE])
    return Message(content, "any").parts * int(by_network[codes].sum())


def networks(phones: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int8]]:
    """Return the names of the networks, and for each number the position of its network, or -1."""
    names, table = numbering_plan.networks()
    numbers = np.array(phones, dtype="U10").astype(np.int64)
    return names, table[numbers // numbering_plan.PREFIX]
