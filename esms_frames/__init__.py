"""From a DataFrame of phone numbers to SMS sent through eSMS (esms.vn), and back: every row says what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from esms_frames import accessor as _accessor  # noqa: F401 - gives df.esms and series.esms
from esms_frames.audience import Audience, prepare
from esms_frames.campaign import send
from esms_frames.client import Client
from esms_frames.errors import (
    BadAnswer,
    EsmsError,
    GatewayError,
    InvalidFile,
    InvalidInput,
    InvalidMessage,
    NoAnswer,
    PhoneColumnError,
    Refused,
    TooFewRecipients,
    Unreachable,
)
from esms_frames.files import SAMPLE, read_customers
from esms_frames.message import Message, strip_accents
from esms_frames.phones import normalize_phones

if TYPE_CHECKING:
    from esms_frames.sandbox import Sandbox

__all__ = [
    "SAMPLE",
    "Audience",
    "BadAnswer",
    "Client",
    "EsmsError",
    "GatewayError",
    "InvalidFile",
    "InvalidInput",
    "InvalidMessage",
    "Message",
    "NoAnswer",
    "PhoneColumnError",
    "Refused",
    "Sandbox",
    "TooFewRecipients",
    "Unreachable",
    "normalize_phones",
    "prepare",
    "read_customers",
    "send",
    "strip_accents",
]


def __getattr__(name: str) -> Any:
    # The sandbox brings a web server along, which only those load who use it.
    if name == "Sandbox":
        from esms_frames.sandbox import Sandbox  # noqa: PLC0415

        return Sandbox
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
