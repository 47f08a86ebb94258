"""What the sandbox knows became of each message: the truth that tracking has to find."""

from __future__ import annotations

from dataclasses import replace

import esms_frames as ef

NEW = ["delivery", "delivery_reason", "delivered", "price"]
"""The columns that tracking adds."""


def ledger(sandbox):
    """What the sandbox will say of each number: the truth that tracking has to find."""
    found = {}
    for send in sandbox._gateway.sends.values():
        _, delivered = sandbox._gateway.outcomes.reports(send)
        found |= {(send.sms_id, phone): bool(got) for phone, got in zip(send.phones, delivered, strict=True)}
    return found


def reports_take(sandbox, seconds):
    sandbox._gateway.outcomes = replace(sandbox._gateway.outcomes, report_delay=seconds)


def truth(sandbox, tracked):
    known = ledger(sandbox)
    return [
        ("delivered" if known[key] else "failed") if key in known else None
        for key in zip(tracked["sms_id"], tracked["phone"], strict=True)
    ]


def found_in(tracked):
    return tracked["delivery"].astype(object).where(tracked["delivery"].notna(), None).tolist()


def altered(monkeypatch, sandbox, operation, change):
    """Make the sandbox give other answers than it would."""
    real = getattr(sandbox._gateway, operation)

    def answer(*asked):
        said = real(*asked)
        change(said)
        return said

    monkeypatch.setattr(sandbox._gateway, operation, answer)


def nothing():
    """Give a callback of no send that is looked at."""
    return ef.read_callbacks(["SMSID=none&SendStatus=5"])


def shift_ledger(sandbox, by):
    """Let the gateway have sent at another time than this machine thinks."""
    sends = sandbox._gateway.sends
    for sms_id, send in list(sends.items()):
        sends[sms_id] = replace(send, send_at=send.send_at + by, accepted_at=send.accepted_at + by)
