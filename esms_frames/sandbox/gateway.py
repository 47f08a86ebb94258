"""What the sandbox decides and remembers: its judgement of each request, and the ledger of what it took."""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from esms_frames import clock, numbering
from esms_frames.errors import lookup
from esms_frames.message import MAX_BATCH, MIN_BATCH, SmsType
from esms_frames.sandbox import tariff
from esms_frames.sandbox.outcomes import NO_REPORT
from esms_frames.sandbox.reading import BadRequest
from esms_frames.templates import fits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from esms_frames.sandbox.outcomes import Outcomes
    from esms_frames.sandbox.registry import Registry

_WORDS = {
    101: "Authorize Failed",
    104: "Brand name code is not exist",
    107: "Each request has at least 30 numbers to be approved",
    124: "Request exist 1",
    146: "Sai template Brandname CSKH",
}
"""The gateway's own words where its documentation shows them; for other codes the table's meaning stands in."""

_SPELLING = {"MobiFone": "Mobifone", "VinaPhone": "Vinaphone"}
"""The networks whose names the gateway writes in another way in its answers."""

_PHONE = re.compile("0[0-9]{9}")
_REPETITION = timedelta(hours=24)
_LARGEST_PAGE = 500
_REMEMBERED = timedelta(days=7)  # what the two status queries know


@dataclass(frozen=True)
class Send:
    """One accepted request."""

    sms_id: str
    request_id: str | None
    campaign: str | None
    brandname: str
    sms_type: SmsType
    content: str
    phones: tuple[str, ...]
    price: int
    accepted_at: datetime
    send_at: datetime
    callback_url: str | None = None


@dataclass
class Gateway:
    """The state behind a sandbox, and the decisions of a gateway, without HTTP. Safe to use from several threads."""

    api_key: str
    secret_key: str
    registry: Registry
    outcomes: Outcomes
    balance: int
    prices: Mapping[str, int]
    customer_care_floor: int
    save: Callable[[Send], None] | None = None
    """Writes down a request that was taken, before it is answered."""
    report: Callable[[Send], None] | None = None
    """Reports what becomes of a request that was taken, in time."""
    sends: dict[str, Send] = field(default_factory=dict)
    _by_request: dict[str, Send] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(
        self, path_type: SmsType, fields: Mapping[str, str], phones: Sequence[str], *, is_single: bool = False
    ) -> dict[str, Any]:
        """Judge a request to send; take it, or say why not.

        With the field ``SANDBOX`` = 1 it is answered and nothing else: neither stored nor charged.
        """
        floor = MIN_BATCH if path_type is SmsType.ADVERTISING else 1 if is_single else self.customer_care_floor
        code = self._objection(path_type, fields, phones, floor) or self._bar(path_type, fields, phones)
        if code == 146:
            return refusal(code) | {"SMSID": self._new_id(None)}
        if code:
            return refusal(code)
        sms_type = SmsType.ADVERTISING if fields["SMSTYPE"] == "1" else SmsType.CUSTOMER_CARE
        different = tuple(dict.fromkeys(phones))
        price = tariff.price(fields["CONTENT"], different, self.prices)
        request_id = fields.get("REQUESTID")
        now = clock.now()
        with self._lock:
            earlier = self._by_request.get(request_id) if request_id else None
            if earlier and now - earlier.accepted_at < _REPETITION:
                return refusal(124)
            if price > self.balance:
                return refusal(103)
            accepted = Send(
                self._new_id(request_id),
                request_id,
                fields.get("CAMPAIGNID"),
                fields["BRANDNAME"],
                sms_type,
                fields["CONTENT"],
                different,
                price,
                now,
                max(now, _send_date(fields.get("SENDDATE")) or now),
                fields.get("CALLBACKURL"),
            )
            if fields.get("SANDBOX") != "1":
                if self.save is not None:
                    self.save(accepted)
                self.take(accepted)
                if self.report is not None:
                    self.report(accepted)
        return {"CodeResult": "100", "CountRegenerate": 0, "SMSID": accepted.sms_id}

    def take(self, send: Send) -> None:
        """Enter a request into the ledger, and charge for it."""
        self.balance -= send.price
        self.sends[send.sms_id] = send
        if send.request_id:
            self._by_request[send.request_id] = send

    def get_balance(self, api_key: str, secret_key: str) -> dict[str, Any]:
        """Tell the balance."""
        if not self._knows(api_key, secret_key):
            return {"Balance": 0, "CodeResponse": "101", "ErrorMessage": _WORDS[101]}
        return {"Balance": self.balance, "CodeResponse": "100", "UserID": 9999}

    def status(self, api_key: str, secret_key: str, sms_id: str) -> dict[str, Any]:
        """Tell how many messages of a send were delivered so far."""
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
            "SendStatus": 2 if waiting else 5 if reported.all() else 7,
            "SendSuccess": int((reported & delivered).sum()),
            "TotalPrice": float(found.price),
            "TotalReceiver": len(found.phones),
            "TotalSent": 0 if waiting else len(found.phones),
        }

    def receivers(self, api_key: str, secret_key: str, sms_id: str) -> dict[str, Any]:
        """Tell what became of each number of a send so far."""
        if not self._knows(api_key, secret_key):
            return _said(101)
        found = self._recent(sms_id)
        if found is None:
            return _said(105)
        reported, delivered = self.outcomes.reports(found)
        names, codes = tariff.networks(found.phones)
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
        """List the messages of a period that have gone out, one page of them."""
        if not self._knows(str(asked.get("ApiKey", "")), str(asked.get("SecretKey", ""))):
            return _said(101)
        start, end = (_send_date(str(asked.get(name, ""))) for name in ("From", "To"))
        page, size = (_count(asked.get(name)) for name in ("Page", "PageSize"))
        if start is None or end is None or size > _LARGEST_PAGE:
            raise BadRequest("From, To, Page or PageSize is missing or too large")
        now = clock.now()
        rows = [
            (send, phone, outcome)
            for send in list(self.sends.values())
            if start <= send.send_at.replace(microsecond=0) <= end
            and send.send_at <= now
            and str(send.sms_type.code) == str(asked.get("SmsType"))
            for phone, outcome in zip(send.phones, self.outcomes.results(send), strict=True)
        ]
        chosen = rows[(page - 1) * size : page * size]
        return {
            "CodeResult": "100",
            "CountTotal": len(rows),
            "SentData": [
                {
                    "Campaign": send.campaign or "",
                    "Content": send.content,
                    "Phone": phone,
                    "ReferenceId": send.sms_id,
                    "SellPrice": send.price / len(send.phones),
                    "SendResult": outcome,
                    "SendStatus": 7 if outcome == NO_REPORT else 5,
                    "SentTime": f"/Date({int(send.send_at.timestamp() * 1000)}+0700)/",
                    "SmsId": (page - 1) * size + place + 1,
                    "SmsType": send.sms_type.code,
                }
                for place, (send, phone, outcome) in enumerate(chosen)
            ],
        }

    def estimate(self, path_type: SmsType, fields: Mapping[str, str], phones: Sequence[str]) -> dict[str, Any]:
        """Tell what a send would cost."""
        code = self._objection(path_type, fields, phones, 1)
        if code:
            return _said(code)
        different = tuple(dict.fromkeys(phones))
        price = tariff.price(fields["CONTENT"], different, self.prices)
        total = float(price) if path_type is SmsType.ADVERTISING else price
        return {"CodeResult": "100", "ErrorMessage": "success", "TotalPrice": total, "TotalReceiver": len(different)}

    def list_brandnames(self, keys: str) -> dict[str, Any]:
        """List the active brandnames; `keys` are both keys with a slash between."""
        if keys != f"{self.api_key}/{self.secret_key}":
            return _said(101)
        listed = [
            {"Brandname": name, "Type": code}
            for name, types in self.registry.brandnames.items()
            for code in sorted(kind.code for kind in types)
        ]
        return {"CodeResponse": "100", "ListBrandName": listed}

    def list_templates(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """List the customer-care templates of a brandname."""
        if not self._knows(str(asked.get("ApiKey", "")), str(asked.get("SecretKey", ""))):
            return _said(101)
        if str(asked.get("SmsType")) != "2":
            raise BadRequest("SmsType is not 2")
        brandname = str(asked.get("Brandname", asked.get("BrandName", "")))  # the vendor's sample, and its table
        if SmsType.CUSTOMER_CARE not in self.registry.brandnames.get(brandname, ()):
            return _said(104)
        number_of = {name: number for number, name in numbering.GATEWAY_NETWORKS.items()}
        listed = [
            {"NetworkID": number_of[one.network or ""], "TempContent": one.content, "TempId": one.template_id}
            for one in self.registry.templates.get(brandname, ())
        ]
        return {"BrandnameTemplates": listed, "CodeResult": "100", "ErrorMessage": "success"}

    def _knows(self, api_key: str, secret_key: str) -> bool:
        return (api_key, secret_key) == (self.api_key, self.secret_key)

    def _objection(self, path_type: SmsType, fields: Mapping[str, str], phones: Sequence[str], floor: int) -> int:
        """Find the first code for which a request is refused, whatever else was sent before; 0 if there is none."""
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
        """Find the first code for which an account may not send this text to these numbers; 0 if there is none."""
        is_care, brandname = path_type is SmsType.CUSTOMER_CARE, fields["BRANDNAME"]
        registered = self.registry.templates.get(brandname, ())
        if is_care and registered and not fits(fields["CONTENT"], registered):
            return 146
        if not self.registry.blocked.isdisjoint(phones):
            return 99
        barred = self.registry.unregistered_networks.get(brandname, frozenset())
        if is_care and barred:
            names, codes = tariff.networks(phones)
            if barred & {names[code] for code in np.unique(codes) if code >= 0}:
                return 177
        return 0

    def _new_id(self, request_id: str | None) -> str:
        ids = (hashlib.sha256(f"{self.outcomes.seed}:{request_id!r}:{n}".encode()).hexdigest()[:32] for n in count())
        return next(sms_id for sms_id in ids if sms_id not in self.sends)

    def _recent(self, sms_id: str) -> Send | None:
        found = self.sends.get(sms_id)
        return found if found and clock.now() - found.accepted_at <= _REMEMBERED else None


def refusal(code: int) -> dict[str, Any]:
    """Write the answer of a send that is refused."""
    words = _WORDS.get(code, lookup(code).meaning)
    return {"CodeResult": str(code), "CountRegenerate": 0, "ErrorMessage": words}


def _said(code: int) -> dict[str, Any]:
    """Write the answer of a question that is refused."""
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
