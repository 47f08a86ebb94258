"""From a DataFrame of phone numbers to SMS sent through eSMS (esms.vn), and back: every row says what became of it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from esms_frames import accessor as _accessor  # noqa: F401 - gives df.esms and series.esms
from esms_frames import plan as _plan  # noqa: F401 - see below
from esms_frames import results as _results  # noqa: F401 - see below
from esms_frames.audience import Audience
from esms_frames.client import Client
from esms_frames.consent import Rule, next_allowed_time
from esms_frames.errors import (
    BadAnswer,
    EsmsError,
    GatewayError,
    InvalidFile,
    InvalidInput,
    InvalidMessage,
    JournalError,
    NoAnswer,
    PhoneColumnError,
    Refused,
    TooFewRecipients,
    Unreachable,
    WouldFail,
)
from esms_frames.files import SAMPLE, read_customers
from esms_frames.message import Message, strip_accents
from esms_frames.phones import normalize_phones
from esms_frames.preparation import prepare
from esms_frames.templates import Template, fits

if TYPE_CHECKING:
    from esms_frames.analysis import summarize
    from esms_frames.callbacks import read_callbacks
    from esms_frames.campaign import results, resume, send
    from esms_frames.journal import Journal
    from esms_frames.large import LargeAudience
    from esms_frames.plan import Plan
    from esms_frames.plots import plot
    from esms_frames.preview import plan
    from esms_frames.receiver import callbacks_app
    from esms_frames.sandbox import Sandbox
    from esms_frames.tracking import track
    from esms_frames.widgets.results_view import ResultsView
    from esms_frames.widgets.send_form import SendForm

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
    "Journal",
    "JournalError",
    "LargeAudience",
    "Message",
    "NoAnswer",
    "PhoneColumnError",
    "Plan",
    "Refused",
    "ResultsView",
    "Rule",
    "Sandbox",
    "SendForm",
    "Template",
    "TooFewRecipients",
    "Unreachable",
    "WouldFail",
    "callbacks_app",
    "fits",
    "next_allowed_time",
    "normalize_phones",
    "plan",
    "plot",
    "prepare",
    "read_callbacks",
    "read_customers",
    "results",
    "resume",
    "send",
    "strip_accents",
    "summarize",
    "track",
]

# Python names the package's attribute after the module once it is loaded; these two are functions.
globals().pop("plan")
globals().pop("results")

# What brings a database, a web server or plots along is loaded by those who use it.
_LATER = {
    "Journal": "esms_frames.journal",
    "LargeAudience": "esms_frames.large",
    "Plan": "esms_frames.plan",
    "ResultsView": "esms_frames.widgets.results_view",
    "Sandbox": "esms_frames.sandbox",
    "SendForm": "esms_frames.widgets.send_form",
    "callbacks_app": "esms_frames.receiver",
    "plan": "esms_frames.preview",
    "plot": "esms_frames.plots",
    "read_callbacks": "esms_frames.callbacks",
    "results": "esms_frames.campaign",
    "resume": "esms_frames.campaign",
    "send": "esms_frames.campaign",
    "summarize": "esms_frames.analysis",
    "track": "esms_frames.tracking",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_LATER[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
