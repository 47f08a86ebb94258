"""What is registered for a sandbox's account, and what is barred."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count

import numpy as np
import pandas as pd

from esms_frames import numbering, phones
from esms_frames.errors import InvalidInput
from esms_frames.message import SmsType
from esms_frames.templates import Template

BRANDNAMES: Mapping[str, frozenset[SmsType]] = {
    "Baotrixemay": frozenset({SmsType.CUSTOMER_CARE}),
    "QC_ONLINE": frozenset({SmsType.ADVERTISING}),
}
"""The names that the vendor publishes for trials, with their types."""

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
"""Published templates of the vendor's trial name, and one that lets any text be tried."""


@dataclass(frozen=True)
class Registry:
    """What is registered, and what is barred; made by `registered` from what people write."""

    brandnames: Mapping[str, frozenset[SmsType]]
    templates: Mapping[str, tuple[Template, ...]]
    blocked: frozenset[str]
    unregistered_networks: Mapping[str, frozenset[str]]


def registered(
    brandnames: Mapping[str, str | Iterable[str]] | None,
    templates: Mapping[str, Iterable[str | Template]] | None,
    blocked: Iterable[str],
    unregistered_networks: Mapping[str, Iterable[str]] | None,
) -> Registry:
    """Check what people wrote, and bring it into the form that requests are judged by."""
    given = {"brandnames": brandnames, "templates": templates, "unregistered_networks": unregistered_networks}
    for argument, value in given.items():
        if value is not None and not isinstance(value, Mapping):
            raise InvalidInput(f"{argument} is no dict: write {{brandname: …}}.")
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
        raise InvalidInput(f"brandnames[{name!r}]: {error}; use 'customer_care', 'advertising' or both.") from None


def _templates(name: str, given: Iterable[str | Template]) -> tuple[Template, ...]:
    """Make templates of texts: a text is registered with every network, as a template of its own with each."""
    listed = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [None]
    known, numbers = set(numbering.GATEWAY_NETWORKS.values()), count(1)
    found: list[Template] = []
    for one in listed:
        if isinstance(one, str):
            found += [Template(next(numbers), network, one) for network in numbering.GATEWAY_NETWORKS.values()]
        elif isinstance(one, Template) and one.network in known:
            found.append(one)
        else:
            raise InvalidInput(
                f"templates[{name!r}] is no list of texts or Templates, or one names a network that the gateway has no "
                f"number for: write [text, …], with networks from {', '.join(sorted(known))}."
            )
    return tuple(found)


def _numbers(blocked: Iterable[str]) -> frozenset[str]:
    if isinstance(blocked, str) or not isinstance(blocked, Iterable):
        raise InvalidInput("blocked is no list of numbers: write [number, …].")
    found = phones.read(pd.Series(list(blocked), dtype=object))
    if (found < 0).any():
        raise InvalidInput(
            f"blocked holds {np.count_nonzero(found < 0)} cells that are no mobile number: correct them."
        )
    return frozenset(map(str, phones.phone_text(found)))


def _networks(name: str, given: Iterable[str]) -> frozenset[str]:
    known, _ = numbering.networks()
    networks = frozenset([given] if isinstance(given, str) else given)
    if not networks <= set(known):
        raise InvalidInput(
            f"unregistered_networks[{name!r}] names a network that there is not: choose from {', '.join(known)}."
        )
    return networks
