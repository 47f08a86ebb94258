"""The vendor's published sample requests, sent to the sandbox as they are printed, and the answers printed beside them.

Keys, and where the pages leave them open numbers, are filled in. The pages: developers.esms.vn, January to April 2026.
"""

from __future__ import annotations

import json
import re
import time
from urllib.parse import parse_qs, quote

import pytest
import requests
from support.customers import FIFTY

import esms_frames as ef

OTP = "2803 la ma xac minh dang ky Baotrixemay cua ban"
THANKS = "Cam on quy khach da su dung dich vu cua chung toi. Chuc quy khach mot ngay tot lanh!"
ACCEPTED = {"CodeResult": "100", "CountRegenerate": 0, "SMSID": ...}
UNAUTHORIZED = {"CodeResult": "101", "CountRegenerate": 0, "ErrorMessage": "Authorize Failed"}
NO_BRANDNAME = {"CodeResult": "104", "CountRegenerate": 0, "ErrorMessage": "Brand name code is not exist"}
ASKED_UNAUTHORIZED = {"CodeResult": "101", "ErrorMessage": "Authorize Failed"}
ASKED_NO_BRANDNAME = {"CodeResult": "104", "ErrorMessage": "Brand name code is not exist"}


def customers(phones):
    return "".join(f"<CUSTOMER><PHONE>{phone}</PHONE></CUSTOMER>" for phone in phones)


class Samples:
    """How each operation's page prints its request; `changed` are fields by their names in it."""

    def __init__(self, sandbox):
        self.url = sandbox.url
        self.keys = {"ApiKey": sandbox.api_key, "SecretKey": sandbox.secret_key}

    def answer(self, method, path, **options):
        found = requests.request(method, self.url + path, timeout=10, **options)
        assert (found.status_code, found.headers["Content-Type"]) == (200, "application/json"), found.text
        return found.json()

    def xml(self, path, body, phones, changed):
        body = body.replace("{{CONTACTS}}", customers(phones)).replace("{{APIKEY}}", self.keys["ApiKey"])
        body = body.replace("{{SECRETKEY}}", self.keys["SecretKey"])
        for name, value in changed.items():
            body = re.sub(f"<{name}>.*</{name}>", f"<{name}>{value}</{name}>", body)
        return self.answer("POST", path, data=body.encode(), headers={"Content-Type": "text/plain"})

    def json(self, path, fields, changed):
        body = json.dumps({**self.keys, **fields, **changed})
        return self.answer("POST", path, data=body, headers={"Content-Type": "application/json"})

    def care_text(self, **changed):
        return self.xml(
            "SendMultipleMessage_V4/",
            f"""<RQST>
<APIKEY>{{{{APIKEY}}}}</APIKEY>
<SECRETKEY>{{{{SECRETKEY}}}}</SECRETKEY>
<CONTENT>{THANKS}</CONTENT>
<SMSTYPE>2</SMSTYPE>
<BRANDNAME>Baotrixemay</BRANDNAME>
<SENDDATE></SENDDATE>
<CALLBACKURL>https://esms.vn/webhook/</CALLBACKURL>
<CONTACTS>
{{{{CONTACTS}}}}
</CONTACTS>
</RQST>""",
            FIFTY,
            changed,
        )

    def advertising_text(self, path="SendMultipleSMSBrandname", **changed):
        return self.xml(
            path,
            """<RQST>
<APIKEY>{{APIKEY}}</APIKEY>
<SECRETKEY>{{SECRETKEY}}</SECRETKEY>
<CONTENT>Khuyen mai 20%</CONTENT>
<SMSTYPE>1</SMSTYPE>
<REQUESTID>96accf59-0c41-4bc7-a5c4-4a466c2e41c2</REQUESTID>
<CAMPAIGNID>khuyến mãi</CAMPAIGNID>
<BRANDNAME>QC_ONLINE</BRANDNAME>
<CONTACTS>
{{CONTACTS}}
</CONTACTS>
</RQST>""",
            FIFTY,
            changed,
        )

    def care_json(self, **changed):
        fields = {
            "Content": OTP,
            "Phone": "0901888484",
            "Brandname": "Baotrixemay",
            "SmsType": "2",
            "IsUnicode": "0",
            "campaignid": "Cảm ơn sau mua hàng tháng 7",
            "RequestId": "c82cd356-bf49-4113-9466-65a7f6359c96",
            "CallbackUrl": "https://esms.vn/webhook/",
        }
        return self.json("SendMultipleMessage_V4_post_json/", fields, changed)

    def care_form(self, **changed):
        fields = {
            "Phone": "0901888484",
            "Content": OTP,
            "Apikey": self.keys["ApiKey"],
            "SecretKey": self.keys["SecretKey"],
            "SmsType": "2",
            "Brandname": "Baotrixemay",
        }
        return self.answer("POST", "SendMultipleMessage_V4_post/", data={**fields, **changed})

    def care_get(self, **changed):
        fields = {
            "Phone": "0901888484",
            "Content": OTP,
            **self.keys,
            "IsUnicode": "0",
            "Brandname": "Baotrixemay",
            "SmsType": "2",
            "CallbackUrl": "https://esms.vn/webhook/",
            "RequestId": "96accf59",
            "SendDate": "2030-01-31 09:00:00",
            "SandBox": "0",
        }
        return self.answer("GET", "SendMultipleMessage_V4_get", params={**fields, **changed})

    def advertising_json(self, **changed):
        fields = {
            "Brandname": "QC_ONLINE",
            "Content": "Khuyen mai 20%",
            "RequestId": "96accf59-0c41-4bc7-a5c4-4a466c2e41c2",
            "Phones": FIFTY,
            "SmsType": "1",
        }
        return self.json("SendMultipleSMSBrandname_json/", fields, changed)

    def price_care(self, **changed):
        query = {**self.keys, "SmsType": "2", "BrandName": "Baotrixemay", **changed}
        text = "456756756%20la%20ma%20xac%20minh%20dang%20ky%20Baotrixemay%20cua%20ban"
        tail = "".join(f"&{name}={quote(value)}" for name, value in query.items())
        return self.answer("GET", f"SummaryMultipleMessage_V4_get?Phone=0901888484&Content={text}{tail}")

    def brandnames(self, **changed):
        keys = {**self.keys, **changed}
        return self.answer("GET", f"GetListBrandname/{keys['ApiKey']}/{keys['SecretKey']}")

    def templates(self, **changed):
        return self.json("GetTemplate/", {"SmsType": "2", "Brandname": "Baotrixemay"}, changed)

    def balance(self, **changed):
        return self.json("GetBalance_json", {}, changed)

    def sent_data(self, **changed):
        period = {"From": "2030-01-31 06:00:00", "To": "2030-02-01 18:00:00", "Page": 1, "PageSize": 500}
        return self.json("GetSmsSentData_V2", {"SmsType": "2", **period}, changed)

    def ask(self, path, sms_id, **changed):
        return self.answer("GET", path, params={"RefId": sms_id, **self.keys, **changed})


@pytest.fixture
def samples(sandbox, at):
    at("2030-01-31 08:00")
    return Samples(sandbox)


SENDS = ["care_text", "advertising_text", "care_json", "care_form", "care_get", "advertising_json"]
SINGLE = ["care_json", "care_form", "care_get"]


def fits(answer, shape):
    return answer == {name: answer.get(name) if value is ... else value for name, value in shape.items()}


@pytest.mark.parametrize("send", SENDS)
def test_a_send_is_accepted_in_every_form(samples, sandbox, send):
    answer = getattr(samples, send)()
    assert fits(answer, ACCEPTED)
    assert 31 <= len(answer["SMSID"]) <= 38
    assert sandbox.sent["phone"].tolist() == (["0901888484"] if send in SINGLE else FIFTY)
    assert sandbox.balance < 10**12
    expected = {"care_text": THANKS, "advertising_text": "Khuyen mai 20%", "advertising_json": "Khuyen mai 20%"}
    assert sandbox.sent["content"].iloc[0] == expected.get(send, OTP)


def test_what_the_forms_carry_is_kept(samples, sandbox):
    samples.care_json()
    row = sandbox.sent.iloc[0]
    assert (row["request_id"], row["campaign"]) == (
        "c82cd356-bf49-4113-9466-65a7f6359c96",
        "Cảm ơn sau mua hàng tháng 7",
    )
    sms_id = samples.care_get(Content="2804 là mã ấy & hơn", IsUnicode="1")["SMSID"]
    assert sandbox.sent["content"].iloc[1] == "2804 là mã ấy & hơn"
    assert samples.ask("GetSendStatus", sms_id)["SendStatus"] == 2  # scheduled


@pytest.mark.parametrize("send", SENDS)
def test_wrong_keys_and_brandnames_are_refused_in_every_form(samples, sandbox, send):
    secret, brandname = ("SECRETKEY", "BRANDNAME") if send.endswith("text") else ("SecretKey", "Brandname")
    assert getattr(samples, send)(**{secret: "wrong"}) == UNAUTHORIZED
    assert getattr(samples, send)(**{brandname: "Nobody"}) == NO_BRANDNAME
    assert sandbox.sent.empty


@pytest.mark.parametrize(
    ("send", "state"),
    [
        ("advertising_text", {}),
        ("care_json", {"SendStatus": "7"}),
        ("care_get", {"SendStatus": "2"}),  # scheduled
        ("advertising_json", {}),
    ],
)
def test_a_request_id_is_taken_once_in_every_form(samples, send, state):
    assert fits(getattr(samples, send)(), ACCEPTED)
    exists = {"CodeResult": "124", "CountRegenerate": 0, "ErrorMessage": "Request exist 1"}
    assert getattr(samples, send)() == exists | state


def test_advertising_by_json_has_its_floor_and_ceiling(samples):
    too_few = samples.advertising_json(Phones=["0918238965", "0901888484"])
    assert too_few == {
        "CodeResult": "107",
        "CountRegenerate": 0,
        "ErrorMessage": "Each request has at least 30 numbers to be approved",
    }
    assert samples.advertising_json(Phones=[f"09{n:08d}" for n in range(5001)])["CodeResult"] == "120"
    assert samples.advertising_json(Phones=[*FIFTY, "..."])["CodeResult"] == "108"
    assert samples.advertising_json(SmsType="2")["CodeResult"] == "118"


@pytest.mark.parametrize("send", SINGLE)
def test_customer_care_to_one_number_is_checked_in_every_form(samples, sandbox, send):
    call = getattr(samples, send)
    assert call(Phone="0901888484,0918238965")["CodeResult"] == "108"
    assert call(Phone="")["CodeResult"] == "108"
    assert call(SmsType="1")["CodeResult"] == "118"
    assert call(SmsType="")["CodeResult"] == "300"
    assert sandbox.sent.empty


@pytest.mark.parametrize("send", SINGLE)
def test_customer_care_to_one_number_has_all_that_its_pages_document(samples, sandbox, script, at, send):
    """RequestId, IsUnicode, SendDate, campaignid, CallbackUrl and Sandbox, by JSON and GET; the form takes them too."""
    script.says(b"")
    given = {"RequestId": "r-1", "IsUnicode": "1", "SendDate": "2030-01-31 09:00:00", "campaignid": "Tết"}
    given |= {
        "CallbackUrl": script.url + "hook",
        "Content": "Cảm ơn quý khách đã mua hàng, hẹn gặp lại quý khách nhé! ❤",
    }
    call = getattr(samples, send)
    rehearsed = call(**given, Sandbox="1")
    assert fits(rehearsed, ACCEPTED)
    answer = call(**given, **({"SandBox": "0"} if send == "care_get" else {"Sandbox": "0"}))
    assert fits(answer, ACCEPTED)
    assert answer["SMSID"] != rehearsed["SMSID"]
    row = sandbox.sent.iloc[0]
    assert (row["phone"], row["content"], row["campaign"]) == ("0901888484", given["Content"], "Tết")
    assert (row["request_id"], row["sms_id"], len(sandbox.sent)) == ("r-1", answer["SMSID"], 1)
    waiting = samples.ask("GetSendStatus", answer["SMSID"])
    assert (waiting["SendStatus"], waiting["TotalReceiver"], waiting["TotalPrice"]) == (2, 1, 850.0)
    assert call(**given)["SendStatus"] == "2"  # 124 says how the first one is
    at("2030-01-31 09:01")
    assert call(**given)["SendStatus"] == "5"
    until(lambda: script.requests)
    asked = parse_qs(script.requests[0].split()[1].decode().partition("?")[2])
    assert {name: asked[name] for name in ("SMSID", "RequestId", "TypeId", "phonenumber")} == {
        "SMSID": [answer["SMSID"]], "RequestId": ["r-1"], "TypeId": ["2"], "phonenumber": ["0901888484"],
    }  # fmt: skip


def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_text_that_fits_no_template_is_refused_as_printed():
    with ef.Sandbox(templates={"Baotrixemay": ["{P1,20} la ma xac minh dang ky Baotrixemay cua ban"]}) as sandbox:
        samples = Samples(sandbox)
        wrong = samples.care_json(Content="Xin chao")
        shape = {"CodeResult": "146", "CountRegenerate": 0, "ErrorMessage": "Sai template Brandname CSKH", "SMSID": ...}
        assert fits(wrong, shape)
        assert samples.care_text()["CodeResult"] == "146"
        assert samples.care_json()["CodeResult"] == "100"


# Rehearsals


@pytest.mark.parametrize("send", [*SINGLE, "advertising_json"])
def test_a_rehearsal_is_answered_as_a_send_and_leaves_nothing(samples, sandbox, send):
    switch = "SandBox" if send == "care_get" else "Sandbox"
    for _ in range(2):  # the request id is not used up either
        answer = getattr(samples, send)(**{switch: "1"})
        assert fits(answer, ACCEPTED)
        assert samples.ask("GetSendStatus", answer["SMSID"])["CodeResponse"] == "105"
    assert getattr(samples, send)(**{switch: "1", "Brandname": "Nobody"}) == NO_BRANDNAME
    assert sandbox.sent.empty
    assert sandbox.balance == 10**12


def test_the_samples_of_the_page_on_rehearsals_pass(samples, sandbox):
    care = {"Content": THANKS, "Phone": "0901888484", "Brandname": "Baotrixemay", "SmsType": "2", "Sandbox": "1"}
    assert fits(samples.json("SendMultipleMessage_V4_post_json/", care, {}), ACCEPTED)
    advertising = {"Content": "TEST SANDBO", "SmsType": "1", "Brandname": "QC_ONLINE", "Phones": FIFTY, "Sandbox": "1"}
    assert fits(samples.json("SendMultipleSMSBrandname_json/", advertising, {}), ACCEPTED)
    assert sandbox.sent.empty


# Questions


def test_prices_are_told_in_both_forms(samples, sandbox):
    care = {"CodeResult": "100", "ErrorMessage": "success", "TotalPrice": 850, "TotalReceiver": 1}
    assert samples.price_care() == care
    advertising = samples.advertising_text("SummaryMultipleSMSBrandname/")
    assert advertising == {
        "CodeResult": "100",
        "ErrorMessage": "success",
        "TotalPrice": 50 * 850.0,
        "TotalReceiver": 50,
    }
    assert samples.price_care(SecretKey="wrong") == ASKED_UNAUTHORIZED
    assert samples.price_care(BrandName="Nobody") == ASKED_NO_BRANDNAME
    assert samples.advertising_text("SummaryMultipleSMSBrandname/", APIKEY="wrong") == ASKED_UNAUTHORIZED
    assert samples.advertising_text("SummaryMultipleSMSBrandname/", BRANDNAME="Nobody") == ASKED_NO_BRANDNAME
    assert sandbox.sent.empty
    assert sandbox.balance == 10**12


def test_brandnames_are_listed(samples):
    listed = [{"Brandname": "Baotrixemay", "Type": 2}, {"Brandname": "QC_ONLINE", "Type": 1}]
    assert samples.brandnames() == {"CodeResponse": "100", "ListBrandName": listed}
    assert samples.brandnames(SecretKey="wrong") == ASKED_UNAUTHORIZED


def test_templates_are_listed(samples):
    found = samples.templates()
    assert (found["CodeResult"], found["ErrorMessage"]) == ("100", "success")
    otp = {"NetworkID": 6, "TempContent": "{P1,20} la ma xac minh dang ky Baotrixemay cua ban", "TempId": 458}
    assert found["BrandnameTemplates"][0] == otp
    assert {"NetworkID": 2, "TempContent": THANKS, "TempId": 12640} in found["BrandnameTemplates"]
    assert samples.templates(SecretKey="wrong") == ASKED_UNAUTHORIZED
    assert samples.templates(Brandname="Nobody") == samples.templates(Brandname="QC_ONLINE") == ASKED_NO_BRANDNAME
    table_name = samples.json("GetTemplate/", {"SmsType": "2", "BrandName": "Baotrixemay"}, {})  # as in its table
    assert table_name == found


def test_the_balance_is_told(samples):
    assert samples.balance() == {"Balance": 10**12, "CodeResponse": "100", "UserID": samples.balance()["UserID"]}
    assert isinstance(samples.balance()["UserID"], int)
    wrong = {"Balance": 0, "CodeResponse": "101", "ErrorMessage": "Authorize Failed"}
    assert samples.balance(ApiKey="wrong") == wrong


def test_the_status_of_a_send_is_told(samples, at):
    sms_id = samples.care_json()["SMSID"]
    at("2030-01-31 08:01")
    assert samples.ask("GetSendStatus", sms_id) == {
        "CodeResponse": "100",
        "SMSID": sms_id,
        "SendFailed": 0,
        "SendStatus": 5,
        "SendSuccess": 1,
        "TotalPrice": 850.0,
        "TotalReceiver": 1,
        "TotalSent": 1,
    }
    assert samples.ask("GetSendStatus", sms_id, ApiKey="wrong") == {"CodeResponse": "101", "SMSID": sms_id}


def test_the_status_of_each_number_is_told(samples, at):
    sms_id = samples.care_json()["SMSID"]
    at("2030-01-31 08:01")
    row = {"IsSent": True, "NetworkName": "Mobifone", "Phone": "0901888484", "Retry": 0, "SentResult": True}
    assert samples.ask("GetSmsReceiverStatus_get", sms_id) == {"CodeResult": "100", "ReceiverList": [row]}
    assert samples.ask("GetSmsReceiverStatus_get", sms_id, ApiKey="wrong") == ASKED_UNAUTHORIZED


def test_the_messages_of_a_period_are_told(samples, at):
    sms_id = samples.care_json()["SMSID"]
    at("2030-01-31 08:01")
    found = samples.sent_data()
    assert (found["CodeResult"], found["CountTotal"]) == ("100", 1)
    assert found["SentData"] == [
        {
            "Campaign": "Cảm ơn sau mua hàng tháng 7",
            "Content": OTP,
            "Phone": "0901888484",
            "ReferenceId": sms_id,
            "SellPrice": 850.0,
            "SendResult": 1,
            "SendStatus": 5,
            "SentTime": "/Date(1896051600000+0700)/",
            "SmsId": 1,
            "SmsType": 2,
        }
    ]
    assert samples.sent_data(SecretKey="wrong") == ASKED_UNAUTHORIZED


# What no page shows


@pytest.mark.parametrize("send", [*SINGLE, "advertising_json"])
@pytest.mark.parametrize("changed", [{"IsUnicode": "2"}, {"Sandbox": "yes"}, {"Contents": "x"}, {"SendDate": "soon"}])
def test_what_no_page_shows_is_a_bad_request(samples, sandbox, send, changed):
    if send == "care_get" and "Sandbox" in changed:
        changed = {"SandBox": "yes"}
    with pytest.raises(
        AssertionError, match=r"The sandbox (can't read this request|does not know the field 'CONTENTS')"
    ):
        getattr(samples, send)(**changed)
    assert sandbox.sent.empty


@pytest.mark.parametrize(
    "wrong",
    [
        {"Content": 1.5},
        {"Content": True},
        {"Content": ["x"]},
        {"Content": ""},
        {"Content": "a\x01"},
        {"Content": "\ud800"},
        {"RequestId": "\ud800"},
    ],
)
def test_what_is_no_text_is_a_bad_request(samples, wrong):
    for send in (samples.care_json, samples.advertising_json):
        with pytest.raises(AssertionError, match="The sandbox can't read"):
            send(**wrong)


def test_a_list_of_numbers_is_a_list_of_texts(samples):
    for phones in ("0901888484", [901888484], {"a": "b"}, [["0901888484"]]):
        with pytest.raises(AssertionError, match="Phones is no list of texts"):
            samples.advertising_json(Phones=phones)


def test_what_the_help_page_names_without_a_word_is_let_pass(samples):
    assert fits(samples.care_get(IsFlash="0", Priority="1", Email=""), ACCEPTED)
    assert fits(samples.care_json(IsUnicode=0, Sandbox=0, SendDate=None), ACCEPTED)  # as numbers on an older page


def test_each_form_has_its_method(sandbox):
    assert requests.get(sandbox.url + "SendMultipleMessage_V4_post_json/", timeout=10).status_code == 405
    assert requests.post(sandbox.url + "SendMultipleMessage_V4_get", timeout=10).status_code == 405
    assert requests.get(sandbox.url + "GetSendStatus/more", timeout=10).status_code == 400
