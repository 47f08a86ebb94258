"""Decide about each request as the gateway does, and record the accepted requests."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from esms_frames.base import clock
from esms_frames.base.codes import lookup
from esms_frames.messages.limits import MAX_BATCH, MIN_BATCH, SmsType
from esms_frames.messages.templates import fits
from esms_frames.recipients.phones import numbering_plan
from esms_frames.sandbox import account
from esms_frames.sandbox.parsing import BadRequest, UnknownRequest
from esms_frames.sandbox.records import build_record
from esms_frames.sandbox.reports import Send

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from esms_frames.sandbox.account import Registry
    from esms_frames.sandbox.records import Look
    from esms_frames.sandbox.reports import Outcomes


_WORDS = {
    101: "Authorize Failed",
    104: "Brand name code is not exist",
    107: "Each request has at least 30 numbers to be approved",
    124: "Request exist 1",
    146: "Sai template Brandname CSKH",
}
"""The gateway's own words, if its documentation shows them; for other codes the meaning in `CODES` is used."""

_SPELLING = {"MobiFone": "Mobifone", "VinaPhone": "Vinaphone"}
"""The networks whose names the gateway spells differently in its answers."""

_PHONE = re.compile("0[0-9]{9}")
_REPETITION = timedelta(hours=24)
_LARGEST_PAGE = 500
_REMEMBERED = timedelta(days=7)  # what the two status queries know
_REPEATED_TEXT = 0  # the vendor names no code for a text that is repeated within five minutes


@dataclass
class Gateway:
    """The state of a sandbox and the decisions of a gateway, without HTTP. Safe to use from several threads."""

    api_key: str
    secret_key: str
    registry: Registry
    outcomes: Outcomes
    balance: int
    prices: Mapping[str, int]
    customer_care_floor: int
    save: Callable[[Send], None] | None = None
    """Called to save an accepted request, before it is answered."""
    report: Callable[[Send], None] | None = None
    """Called to report the deliveries of an accepted request when they are due."""
    user_id: int | None = 9999
    """The account's number in the answer about the balance; None leaves it out."""
    looks: frozenset[Look] = frozenset()
    """How the records of a period differ from what was sent."""
    keeps_refused_ids: bool = False
    """Whether a refused request uses up its request id, which the documentation leaves open."""
    same_text_pause: float = 0.0
    """Seconds during which a number gets the same text only once, through the operations for one number."""
    sends: dict[str, Send] = field(default_factory=dict)
    _by_request: dict[str, Send] = field(default_factory=dict)
    _taken: Counter[str | None] = field(default_factory=Counter)
    """How many requests were accepted with each request id."""
    _refused: dict[str, datetime] = field(default_factory=dict)
    """When each request id was last refused."""
    _texts: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """When each number last got each text, through the operations for one number."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def renew_lock(self) -> None:
        """Create a new lock in a fork: a thread of its parent may have held the old one."""
        self._lock = threading.Lock()

    def send(
        self, path_type: SmsType, fields: Mapping[str, str], phones: Sequence[str], *, is_single: bool = False
    ) -> dict[str, Any]:
        """Check a request to send, and accept or refuse it.

        With the field ``SANDBOX`` = 1 it is only answered, and neither stored nor charged.
        """
        floor = MIN_BATCH if path_type is SmsType.ADVERTISING else 1 if is_single else self.customer_care_floor
        code = self._find_objection(path_type, fields, phones, floor) or self._bar(path_type, fields, phones)
        if code:
            return self.refuse(fields, code)
        different = tuple(dict.fromkeys(phones))
        price = account.price(fields["CONTENT"], different, self.prices)
        request_id = fields.get("REQUESTID")
        is_rehearsal = fields.get("SANDBOX") == "1"
        now = clock.now()
        with self._lock:
            earlier = self._by_request.get(request_id) if request_id else None
            if earlier and now - earlier.accepted_at < _REPETITION:
                return build_refusal(124) | (self._state(earlier) if is_single else {})
            kept = self._refused.get(request_id) if request_id else None
            if kept and now - kept < _REPETITION:
                return build_refusal(124)
            text = (phones[0], fields["CONTENT"]) if is_single and self.same_text_pause else None
            if text in self._texts and (now - self._texts[text]).total_seconds() < self.same_text_pause:
                code = _REPEATED_TEXT
            elif price > self.balance:
                code = 103
            else:
                code = 100
                accepted = Send(
                    secrets.token_hex(16) if is_rehearsal else self._new_id(request_id),
                    request_id,
                    fields.get("CAMPAIGNID"),
                    fields["BRANDNAME"],
                    SmsType.ADVERTISING if fields["SMSTYPE"] == "1" else SmsType.CUSTOMER_CARE,
                    fields["CONTENT"],
                    different,
                    price,
                    now,
                    max(now, _send_date(fields.get("SENDDATE")) or now),
                    fields.get("CALLBACKURL"),
                )
                if not is_rehearsal:
                    if self.save is not None:
                        self.save(accepted)
                    self.take(accepted)
                    if text:
                        self._texts[text] = now
                    if self.report is not None:
                        self.report(accepted)
        if code == 100:
            return {"CodeResult": "100", "CountRegenerate": 0, "SMSID": accepted.sms_id}
        return self.refuse(fields, code)

    def refuse(self, fields: Mapping[str, str], code: int | None) -> dict[str, Any]:
        """Build the refusal of a request to send; with `keeps_refused_ids`, its request id is used up."""
        request_id = fields.get("REQUESTID")
        if self.keeps_refused_ids and request_id and self._knows(fields.get("APIKEY", ""), fields.get("SECRETKEY", "")):
            with self._lock:
                self._refused.setdefault(request_id, clock.now())
        if code is None:
            return {"error": "Invalid request"}
        if code == _REPEATED_TEXT:
            return {"error": f"The sandbox sends this number the same text once in {self.same_text_pause:g} seconds"}
        return build_refusal(code) | ({"SMSID": secrets.token_hex(16)} if code == 146 else {})

    def take(self, send: Send) -> None:
        """Record an accepted request, and charge for it."""
        self.balance -= send.price
        self.sends[send.sms_id] = send
        self._taken[send.request_id] += 1
        if send.request_id:
            self._by_request[send.request_id] = send

    def get_balance(self, api_key: str, secret_key: str) -> dict[str, Any]:
        """Return the balance."""
        if not self._knows(api_key, secret_key):
            return {"Balance": 0, "CodeResponse": "101", "ErrorMessage": _WORDS[101]}
        user = {} if self.user_id is None else {"UserID": self.user_id}
        return {"Balance": self.balance, "CodeResponse": "100"} | user

    def status(self, api_key: str, secret_key: str, sms_id: str) -> dict[str, Any]:
        """Return how many messages of a send were delivered so far."""
        if not self._knows(api_key, secret_key):
            return {"CodeResponse": "101", "SMSID": sms_id}
        found = self._recent(sms_id)
        if found is None:
            return {"CodeResponse": "105", "ErrorMessage": lookup(105).meaning}
        reported, delivered = self.outcomes.reports(found)
        waiting = found.send_at > clock.now()
        return {
            "CodeResponse": "100",
            "SMSID": found.sms_id,
            "SendFailed": int((reported & ~delivered).sum()),
            "SendStatus": self._send_status(found),
            "SendSuccess": int((reported & delivered).sum()),
            "TotalPrice": float(found.price),
            "TotalReceiver": len(found.phones),
            "TotalSent": 0 if waiting else len(found.phones),
        }

    def receivers(self, api_key: str, secret_key: str, sms_id: str) -> dict[str, Any]:
        """Return the delivery to each number of a send so far."""
        if not self._knows(api_key, secret_key):
            return _build_answer(101)
        found = self._recent(sms_id)
        if found is None:
            return _build_answer(105)
        reported, delivered = self.outcomes.reports(found)
        names, codes = account.networks(found.phones)
        rows = zip(found.phones, codes.tolist(), reported.tolist(), (reported & delivered).tolist(), strict=True)
        return {
            "CodeResult": "100",
            "ReceiverList": [
                {
                    "IsSent": sent,
                    "NetworkName": _SPELLING.get(names[code], names[code]) if code >= 0 else "",
                    "Phone": phone,
                    "Retry": 0,
                    "SentResult": result,
                }
                for phone, code, sent, result in rows
            ],
        }

    def sent_data(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """List one page of the sent messages that were created in a period."""
        if not self._knows(str(asked.get("APIKEY", "")), str(asked.get("SECRETKEY", ""))):
            return _build_answer(101)
        start, end = (_send_date(str(asked.get(name, ""))) for name in ("FROM", "TO"))
        page, size = (_count(asked.get(name)) for name in ("PAGE", "PAGESIZE"))
        if start is None or end is None or size > _LARGEST_PAGE:
            raise BadRequest("From, To, Page or PageSize is missing or too large")
        sms_type = str(asked.get("SMSTYPE", ""))
        if sms_type not in {str(kind.code) for kind in SmsType}:
            raise UnknownRequest("messages of another SmsType than 1, advertising, and 2, customer care")
        now = clock.now()
        rows = [
            (send, phone, outcome)
            for send in list(self.sends.values())
            if start <= send.accepted_at.replace(microsecond=0) <= end
            and send.send_at <= now
            and str(send.sms_type.code) == sms_type
            for phone, outcome in zip(send.phones, self.outcomes.results(send), strict=True)
        ]
        chosen = rows[(page - 1) * size : page * size]
        prices = {
            send.sms_id: self._price_by_number(send) for send in {send.sms_id: send for send, *_ in chosen}.values()
        }
        return {
            "CodeResult": "100",
            "CountTotal": len(rows),
            "SentData": [
                build_record(
                    send, phone, outcome, prices[send.sms_id][phone], (page - 1) * size + position + 1, self.looks
                )
                for position, (send, phone, outcome) in enumerate(chosen)
            ],
        }

    def _price_by_number(self, send: Send) -> dict[str, int]:
        """Return what each number of a send costs."""
        _, codes = account.networks(send.phones)
        first = {int(code): phone for phone, code in zip(send.phones, codes, strict=True)}
        of_network = {code: account.price(send.content, [phone], self.prices) for code, phone in first.items()}
        return {phone: of_network[int(code)] for phone, code in zip(send.phones, codes, strict=True)}

    def estimate(self, path_type: SmsType, fields: Mapping[str, str], phones: Sequence[str]) -> dict[str, Any]:
        """Return what a send would cost."""
        code = self._find_objection(path_type, fields, phones, 1)
        if code:
            return _build_answer(code)
        different = tuple(dict.fromkeys(phones))
        price = account.price(fields["CONTENT"], different, self.prices)
        total = float(price) if path_type is SmsType.ADVERTISING else price
        return {"CodeResult": "100", "ErrorMessage": "success", "TotalPrice": total, "TotalReceiver": len(different)}

    def list_brandnames(self, api_key: str, secret_key: str) -> dict[str, Any]:
        """List the active brandnames."""
        if not self._knows(api_key, secret_key):
            return _build_answer(101)
        listed = [
            {"Brandname": name, "Type": code}
            for name, types in self.registry.brandnames.items()
            for code in sorted(kind.code for kind in types)
        ]
        return {"CodeResponse": "100", "ListBrandName": listed}

    def list_templates(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """List the customer-care templates of a brandname."""
        if not self._knows(str(asked.get("APIKEY", "")), str(asked.get("SECRETKEY", ""))):
            return _build_answer(101)
        if str(asked.get("SMSTYPE")) != "2":
            raise UnknownRequest("templates of another SmsType than 2, customer care")
        brandname = str(asked.get("BRANDNAME", ""))
        if SmsType.CUSTOMER_CARE not in self.registry.brandnames.get(brandname, ()):
            return _build_answer(104)
        number_of = {name: number for number, name in numbering_plan.GATEWAY_NETWORKS.items()}
        listed = [
            {"NetworkID": number_of[one.network or ""], "TempContent": one.content, "TempId": one.template_id}
            for one in self.registry.templates.get(brandname, ())
        ]
        return {"BrandnameTemplates": listed, "CodeResult": "100", "ErrorMessage": "success"}

    def _knows(self, api_key: str, secret_key: str) -> bool:
        return (api_key, secret_key) == (self.api_key, self.secret_key)

    def _find_objection(self, path_type: SmsType, fields: Mapping[str, str], phones: Sequence[str], floor: int) -> int:
        """Find the code for which a request is refused regardless of earlier requests; 0 if none."""
        sms_type = fields.get("SMSTYPE", "")
        brandname = fields.get("BRANDNAME", "")
        objections = [
            (101, not self._knows(fields.get("APIKEY", ""), fields.get("SECRETKEY", ""))),
            (300, not sms_type),
            (118, sms_type != str(path_type.code)),
            (104, path_type not in self.registry.brandnames.get(brandname, ())),
            (108, not all(_PHONE.fullmatch(phone) for phone in phones)),
            (107, len(set(phones)) < floor),
            (120, len(set(phones)) > MAX_BATCH),
        ]
        code = next((code for code, applies in objections if applies), 0)
        if not code and not fields.get("CONTENT", "").strip():
            raise BadRequest("CONTENT is empty")
        if not code and len(fields.get("REQUESTID", "")) > 50:
            raise BadRequest("REQUESTID has more than 50 characters")
        if not code and len(fields.get("CAMPAIGNID", "")) > 254:
            raise BadRequest("CAMPAIGNID has more than 254 characters")
        return code

    def _bar(self, path_type: SmsType, fields: Mapping[str, str], phones: Sequence[str]) -> int:
        """Find the code for which an account may not send this text to these numbers; 0 if none."""
        is_care, brandname = path_type is SmsType.CUSTOMER_CARE, fields["BRANDNAME"]
        registered = self.registry.templates.get(brandname, ())
        if is_care and registered and not fits(fields["CONTENT"], registered):
            return 146
        if not self.registry.blocked.isdisjoint(phones):
            return 99
        barred = self.registry.unregistered_networks.get(brandname, frozenset())
        if is_care and barred:
            names, codes = account.networks(phones)
            if barred & {names[code] for code in np.unique(codes) if code >= 0}:
                return 177
        return 0

    def _new_id(self, request_id: str | None) -> str:
        """Derive the SMSID of an accepted request from the seed, its request id and how often that id was accepted."""
        number = self._taken[request_id]
        return hashlib.sha256(f"{self.outcomes.seed}:{request_id!r}:{number}".encode()).hexdigest()[:32]

    def _state(self, send: Send) -> dict[str, str]:
        """Return what the operations for one number answer about the first request with the same request id."""
        return {"SendStatus": str(self._send_status(send))}

    def _send_status(self, send: Send) -> int:
        if send.send_at > clock.now():
            return 2
        return 5 if self.outcomes.reports(send)[0].all() else 7

    def _recent(self, sms_id: str) -> Send | None:
        found = self.sends.get(sms_id)
        return found if found and clock.now() - found.accepted_at <= _REMEMBERED else None


def build_refusal(code: int) -> dict[str, Any]:
    """Build the answer to a refused send."""
    words = _WORDS.get(code, lookup(code).meaning)
    return {"CodeResult": str(code), "CountRegenerate": 0, "ErrorMessage": words}


def _build_answer(code: int) -> dict[str, Any]:
    """Build the answer to a refused query."""
    return {"CodeResult": str(code), "ErrorMessage": _WORDS.get(code, lookup(code).meaning)}


def _count(value: object) -> int:
    if isinstance(value, (int, str)) and str(value).isdigit() and int(value) > 0:
        return int(value)
    raise BadRequest("Page or PageSize is no number above 0")


def _send_date(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=clock.VIETNAM)
    except ValueError:
        raise BadRequest("a date is not written yyyy-mm-dd hh:MM:ss") from None
