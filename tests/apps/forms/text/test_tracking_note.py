"""What a form or view says once results are tracked: every accepted row is in one of its counts."""

from __future__ import annotations

import pytest

import esms_frames as ef
from esms_frames.apps.forms.text.labels import Words
from esms_frames.apps.forms.text.tracking_note import tracking_note


@pytest.fixture
def results(client, message, customers):
    return ef.send(customers, message, client, campaign="Tết", progress=False)


@pytest.mark.parametrize(
    ("lang", "sentence"),
    [("en", "20 more are not known: their reasons say why."), ("vi", "20 số khác chưa rõ kết quả: xem cột lý do.")],
)
def test_rows_of_which_nothing_is_known_are_counted_and_not_passed_over(results, client, lang, sentence):
    with pytest.warns(UserWarning, match="20 accepted rows have no sms_id"):
        tracked = ef.track(results.assign(sms_id=results["sms_id"].where(results.index >= 20)), client, progress=False)
    note = tracking_note(tracked, Words(lang))
    assert sentence in note
    assert "⚠" in note


def test_when_all_is_known_nothing_is_to_be_looked_at(results, client):
    note = tracking_note(ef.track(results, client, progress=False), Words("en"))
    assert "more are not known" not in note
    assert "✓" in note
