"""The tables of the numbering plan, held against the package that they come from."""

from __future__ import annotations

import numpy as np
import phonenumbers
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberType, carrier

from esms_frames.recipients.phones import numbering_plan


@given(st.integers(100_000_000, 999_999_999))
def test_the_table_of_validity_answers_as_the_package_does(number):
    parsed = phonenumbers.PhoneNumber(country_code=84, national_number=number)
    is_mobile = phonenumbers.number_type(parsed) == PhoneNumberType.MOBILE
    assert numbering_plan.valid_prefixes()[number // numbering_plan.PREFIX] == is_mobile


@given(st.sampled_from(np.flatnonzero(numbering_plan.valid_prefixes()).tolist()), st.integers(0, 99_999))
def test_the_table_of_networks_answers_as_the_package_does(prefix, rest):
    names, table = numbering_plan.networks()
    number = prefix * numbering_plan.PREFIX + rest
    theirs = carrier.name_for_number(phonenumbers.PhoneNumber(country_code=84, national_number=number), "en")
    same = {"Vinaphone": "VinaPhone", "G-Mobile": "Gmobile", "Indochina Telecom": "iTel"}
    ours = names[table[prefix]] if table[prefix] >= 0 else ""
    assert ours == ("iTel" if prefix // 100 == 87 else same.get(theirs, theirs))


def test_every_new_prefix_of_2018_is_assigned():
    new = numbering_plan.new_prefixes()
    assert np.count_nonzero(new) == 21
    assert numbering_plan.valid_prefixes()[new[new > 0] * 100].all()


def test_networks_come_in_the_order_of_the_gateways_ids():
    names, _ = numbering_plan.networks()
    assert names[:7] == ("Viettel", "MobiFone", "VinaPhone", "Vietnamobile", "Gmobile", "iTel", "Reddi")
