"""What one writes with libphonenumber and requests alone: the other side of the benchmarks."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import phonenumbers
import requests

if TYPE_CHECKING:
    import pandas as pd

BATCH = 5000


def phone(cell: str) -> str | None:
    """Parse, check, format; None for what is no Vietnamese mobile number."""
    try:
        number = phonenumbers.parse(cell, "VN")
    except phonenumbers.NumberParseException:
        return None
    mobile = phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.MOBILE
    return f"0{number.national_number}" if number.country_code == 84 and mobile else None


def send(customers: pd.DataFrame, url: str, keys: tuple[str, str], campaign: str) -> None:
    """Send to everybody once, in requests of 5000."""
    numbers = customers["sdt"].map(phone).dropna().drop_duplicates()
    for start in range(0, len(numbers), BATCH):
        root = ET.Element("RQST")
        fields = {
            "APIKEY": keys[0],
            "SECRETKEY": keys[1],
            "CONTENT": "Cam on quy khach!",
            "SMSTYPE": "2",
            "BRANDNAME": "Baotrixemay",
            "REQUESTID": f"{campaign}-{start}",
        }
        for name, value in fields.items():
            ET.SubElement(root, name).text = value
        contacts = ET.SubElement(root, "CONTACTS")
        for number in numbers.iloc[start : start + BATCH]:
            ET.SubElement(ET.SubElement(contacts, "CUSTOMER"), "PHONE").text = number
        answer = requests.post(
            f"{url}SendMultipleMessage_V4/", data=ET.tostring(root), headers={"Content-Type": "text/plain"}, timeout=60
        ).json()
        assert answer["CodeResult"] == "100", answer
