"""The view of results, without a browser: filter, summary, chart, pages, download, tracking."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import subprocess
import sys
import time

import ipywidgets as widgets
import numpy as np
import pandas as pd
import pytest
from support.weight import heavy_after

import esms_frames as ef
from esms_frames.apps.forms import results_view
from esms_frames.apps.forms.controls import download
from esms_frames.apps.forms.text import results_labels
from esms_frames.apps.forms.text.labels import Words
from esms_frames.base.columns import category_from_codes, text_dtype
from esms_frames.messages import advertising_rules
from esms_frames.recipients import audience
from esms_frames.reporting.frame import Status
from esms_frames.tracking import deliveries, polling, track, tracked_frame


@pytest.fixture(autouse=True)
def _close_widgets():
    yield
    widgets.Widget.close_all()


@pytest.fixture
def sandbox():
    with ef.Sandbox(balance=10**12, report_delay=0) as running:
        yield running


@pytest.fixture
def customers():
    """Seventy customers with a segment, of whom one has no number and one that another has."""
    phones = [f"09{n:08d}" for n in range(1_000_000, 1_000_068)]
    return pd.DataFrame(
        {"ten": [f"Khách {n}" for n in range(70)], "sdt": [*phones, "n/a", phones[0]], "hang": ["vip", "mới"] * 35},
        index=[f"k{n % 9}" for n in range(70)],
    )


@pytest.fixture
def results(client, customers, message):
    return ef.send(customers, message, client, campaign="xem", progress=False)


def view_of(results, *args, **options):
    return ef.ResultsView(results, *args, **{"lang": "en", **options})


def text_of(view):
    """Everything that it shows, without the chart."""
    found = []
    for widget in parts(view):
        found += [str(getattr(widget, name, "")) for name in ("value", "description", "options")]
    return re.sub('base64,[^"]*', "", " ".join(found))


def parts(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def rows_of(view):
    """The rows of the page that it shows, as lists of cells."""
    table = view._table.value
    return [re.findall("<td[^>]*>(.*?)</td>", row) for row in re.findall("<tr.*?</tr>", table) if "<td" in row]


def choices(view, column):
    return [label for label, _ in view._filters[column].options]


# Filtering


def test_it_begins_with_all_rows(results):
    view = view_of(results)
    pd.testing.assert_frame_equal(view.frame, results)
    assert "Showing all 70 rows." in text_of(view)


def test_the_choices_tell_how_many_rows_they_have(results):
    assert choices(view_of(results), "status") == ["All (70)", "accepted (68)", "unusable number (1)", "duplicate (1)"]


def test_the_frame_has_the_rows_that_pass_all_filters_with_their_index(results):
    view = view_of(results)
    view.choose("status", ["accepted", "duplicate"])
    view.choose("network", [results["network"].iloc[0]])
    wanted = results["status"].isin(["accepted", "duplicate"]) & (results["network"] == results["network"].iloc[0])
    pd.testing.assert_frame_equal(view.frame, results[wanted.to_numpy()])


@pytest.mark.heavy
def test_choosing_in_the_box_is_what_choosing_in_code_is(results):
    view = view_of(results)
    box = view._filters["status"]
    box.value = (-1, 1)  # all is chosen, and a value is added with Ctrl
    assert box.value == (1,)
    assert view.frame["status"].tolist() == ["invalid"]
    box.value = (1, 2)
    assert len(view.frame) == 2
    box.value = (-1, 1, 2)
    assert box.value == (-1,)
    assert len(view.frame) == 70
    box.value = (1,)
    box.value = ()
    assert box.value == (-1,)


@pytest.mark.heavy
def test_one_button_takes_the_filter_away(results):
    view = view_of(results)
    assert view._clear.disabled
    view.choose("status", ["invalid"])
    view.choose("reason", ["not_a_number"])
    view._clear.click()
    assert len(view.frame) == 70
    assert view._clear.disabled


def test_the_rows_without_a_value_can_be_chosen(results):
    view = view_of(results)
    view.choose("reason", [None])
    assert view.frame["status"].unique().tolist() == ["accepted"]


def test_what_can_not_be_chosen_is_one_sentence(results):
    view = view_of(results)
    with pytest.raises(ef.InvalidInput, match="no filter 'city': choose from status, network, reason"):
        view.choose("city", ["x"])
    with pytest.raises(ef.InvalidInput, match="'blue'"):
        view.choose("status", ["blue"])


def test_summary_chart_and_page_follow_the_filter(results):
    view = view_of(results)
    before = view._chart.value
    view.choose("status", ["invalid"])
    assert len(rows_of(view)) == 1
    assert "Showing 1 of 70 rows." in text_of(view)
    assert re.findall("<td[^>]*>(.*?)</td>", view._summary.value)[-4:] == ["all", "1", "0", "0"]
    assert view._chart.value != before
    assert 'alt="Chart of the results of 1 rows' in view._chart.value


def test_the_summary_is_by_the_column_that_is_asked_for(results):
    view = view_of(results)
    view._by.value = "status"
    first = [re.findall("<td[^>]*>(.*?)</td>", row)[0] for row in re.findall("<tr.*?</tr>", view._summary.value)[1:]]
    assert first == ["accepted", "unusable number", "duplicate", "all"]


def test_no_chart_is_drawn_when_it_is_switched_off(results, monkeypatch):
    view = view_of(results)
    view._with_chart.value = False
    monkeypatch.setattr(results_view, "plot", None)
    view.choose("status", ["accepted"])
    assert view._chart.value == ""


def test_in_a_kernel_the_chart_is_drawn_once_when_the_choosing_pauses(results, monkeypatch):
    drawn = []
    real = results_view.plot
    monkeypatch.setattr(
        results_view, "plot", lambda frame, **options: drawn.append(len(frame)) or real(frame, **options)
    )
    monkeypatch.setattr(results_view, "_REST", 0.01)

    async def choose():
        view = view_of(results)
        view.choose("status", ["accepted"])
        view.choose("status", ["invalid"])
        assert drawn == []
        await asyncio.sleep(0.1)

    asyncio.run(choose())
    assert drawn == [1]


def test_the_chart_leaves_nothing_open_in_pyplot(results):
    from matplotlib import pyplot as plt

    view_of(results)
    assert plt.get_fignums() == []


# Pages


def test_a_page_has_fifty_rows_and_the_buttons_turn_it(results):
    view = view_of(results)
    assert [row[0] for row in rows_of(view)] == results.index[:50].tolist()
    assert view._back.disabled
    view._forth.click()
    assert [row[0] for row in rows_of(view)] == results.index[50:].tolist()
    assert "of 2: rows 51–70" in text_of(view)
    assert view._forth.disabled
    view._back.click()
    assert view._page.value == 1


@pytest.mark.heavy
def test_a_page_is_gone_to_by_its_number_and_never_beyond_the_last(results):
    view = view_of(results)
    view._page.value = 99
    assert view._page.value == 2
    view.choose("status", ["invalid"])
    assert (view._page.value, view._page.max) == (1, 1)
    assert len(rows_of(view)) == 1


@pytest.mark.heavy
def test_any_column_of_the_customers_can_be_shown_too(results, customers):
    view = view_of(customers.esms.join(results))
    place = next(place for label, place in view._columns.options if label == "ten")
    view._columns.value = (place,)
    assert rows_of(view)[0][-1] == "Khách 0"


def test_what_stands_in_the_cells_is_shown_as_text(results):
    view = view_of(results.assign(phone="<script>alert(1)</script>"))
    assert "<script" not in view._table.value
    assert "&lt;script" in view._table.value


# Whatever results there are


def test_empty_results_say_so(results):
    view = view_of(results.iloc[:0])
    assert "The results have no rows." in text_of(view)
    assert view.frame.empty
    assert view._make_csv.disabled
    assert view._chart.value == ""


def test_a_filter_that_nothing_passes_says_so(results):
    view = view_of(results)
    view.choose("status", ["invalid"])
    view.choose("reason", [None])
    assert "No row fits the filter" in text_of(view)
    assert rows_of(view) == []


@pytest.mark.heavy
def test_results_with_segments_are_filtered_by_them(client, customers, message):
    sent = ef.send(customers, {"vip": message, "mới": message}, client, by="hang", campaign="hai", progress=False)
    view = view_of(sent)
    assert choices(view, "segment") == ["All (70)", "mới (35)", "vip (35)"]
    view.choose("segment", ["vip"])
    assert view.frame["segment"].unique().tolist() == ["vip"]


def test_tracked_results_are_filtered_by_delivery_and_show_prices(results, client):
    view = view_of(ef.track(results, client, progress=False))
    assert "delivered (" in " ".join(choices(view, "delivery"))
    assert "850" in rows_of(view)[0]
    assert "Delivery rate" in view._summary.value


def test_results_beside_customers_with_columns_of_the_same_names(results, customers):
    joined = customers.assign(status="gold", price=1, delivery="courier").esms.join(results)
    view = view_of(joined)
    assert choices(view, "status")[1] == "accepted (68)"
    assert "Price (VND)" not in view._summary.value
    view.choose("status", ["invalid"])
    assert view.frame["ten"].tolist() == ["Khách 68"]


@pytest.mark.parametrize("suffix", heavy_after(1, [".csv", ".xlsx", ".parquet"]))
def test_results_read_back_from_a_file(results, tmp_path, suffix):
    from esms_frames.reporting.files import write_results

    back = ef.read_customers(write_results(results.reset_index(drop=True), tmp_path / f"results{suffix}"))
    view = view_of(back)
    view.choose("status", ["accepted"])
    assert len(view.frame) == 68


def test_results_with_the_status_only():
    view = view_of(pd.DataFrame({"status": ["accepted", "refused"]}))
    assert len(rows_of(view)) == 2


@pytest.mark.parametrize(
    ("handed_in", "sentence"),
    [
        ([1], "must be a DataFrame"),
        (pd.DataFrame({"a": [1]}), "no column 'status'"),
        (pd.DataFrame({"status": ["gold"]}), "something else than a status"),
        (pd.DataFrame([["accepted", "refused"]], columns=["status", "status"]), "2 columns 'status'"),
    ],
)
def test_what_are_no_results_is_one_sentence_and_leaves_no_widget(handed_in, sentence):
    with pytest.raises(ef.InvalidInput, match=sentence):
        view_of(handed_in)


def test_a_wrong_client_or_language_is_one_sentence(results):
    with pytest.raises(ef.InvalidInput, match="client must be a Client, not str"):
        view_of(results, "key")
    with pytest.raises(ef.InvalidInput, match="lang is 'fr'"):
        view_of(results, lang="fr")


def test_the_results_handed_in_are_not_changed(results, client):
    before = results.copy()
    view = view_of(results, client)
    view.choose("status", ["accepted"])
    view._track.click()
    view._worker.wait()
    pd.testing.assert_frame_equal(results, before)


# Handing out


def test_the_csv_holds_the_rows_that_pass_the_filter(results):
    view = view_of(results)
    view.choose("status", ["invalid", "duplicate"])
    view._make_csv.click()
    data = re.search('base64,([^"]*)"', view._csv.value)[1]
    back = pd.read_csv(io.BytesIO(base64.b64decode(data)), dtype={"phone": str})
    assert back["status"].tolist() == ["invalid", "duplicate"]
    assert "Download esms-results-" in view._csv.value


@pytest.mark.heavy
def test_a_csv_of_other_rows_is_not_left_standing(results):
    view = view_of(results)
    view._make_csv.click()
    view.choose("status", ["invalid"])
    assert view._csv.value == ""
    assert view._make_csv.description == "Make a CSV file (1 rows)"


def test_a_large_csv_is_written_to_a_file_whose_path_is_told(results, monkeypatch, tmp_path):
    monkeypatch.setattr(download, "LINKED_BYTES", 10)
    monkeypatch.chdir(tmp_path)
    view = view_of(results)
    view._make_csv.click()
    (written,) = tmp_path.glob("esms-downloads-*/*.csv")
    assert str(written) in view._csv.value
    assert len(pd.read_csv(written)) == 70


def test_a_csv_that_can_not_be_written_is_one_sentence(results, monkeypatch, tmp_path):
    monkeypatch.setattr(download, "LINKED_BYTES", 10)
    monkeypatch.setattr(download.Path, "cwd", lambda: tmp_path / "gone")
    view = view_of(results)
    view._make_csv.click()
    assert "✗" in view._csv.value
    assert "open the notebook in one that can" in view._csv.value


# Tracking


def test_tracking_asks_the_gateway_and_shows_what_it_found(results, client):
    view = view_of(results, client)
    view.choose("status", ["accepted"])
    view._track.click()
    view._worker.wait()
    assert view.results["delivery"].notna().sum() == 68
    assert view.frame["status"].unique().tolist() == ["accepted"]
    assert "delivery" in view._filters
    assert re.search(r"As of .*: \d+ delivered, \d+ failed, 0 pending", text_of(view))
    assert not view._track.disabled


def test_the_kernel_is_free_while_tracking_runs(results, client, monkeypatch):
    view = view_of(results, client)
    slow = polling.Asking._answer
    monkeypatch.setattr(polling.Asking, "_answer", lambda self, place: time.sleep(0.3) or slow(self, place))

    async def kernel():
        view._track.click()
        assert view._track.disabled
        assert view._progress.layout.display is None
        beats = 0
        while view._worker.busy:
            await asyncio.sleep(0.02)
            beats += 1
        await asyncio.sleep(0.05)
        return beats

    assert asyncio.run(kernel()) >= 5
    assert view._progress.value == 68
    assert view.results["delivery"].notna().sum() == 68


def test_without_a_client_tracking_is_disabled_and_says_why(results):
    view = view_of(results)
    assert view._track.disabled
    assert "There is no connection to ask" in text_of(view)


def test_where_nothing_was_accepted_tracking_is_disabled_and_says_why(results, client):
    view = view_of(results[results["status"] == "invalid"], client)
    assert view._track.disabled
    assert "No message was accepted" in text_of(view)


def test_a_gateway_that_refuses_the_account_is_one_sentence(results, sandbox):
    view = view_of(results, ef.Client("wrong", "wrong", base_url=sandbox.url))
    view._track.click()
    view._worker.wait()
    assert "code 101" in text_of(view)
    assert not view._track.disabled
    assert "delivery" not in view.results


# Languages, secrets, size


def test_vietnamese_is_the_default(results):
    view = ef.ResultsView(results)
    shown = text_of(view)
    assert "Đang xem tất cả 70 dòng." in shown
    assert "đã tiếp nhận (68)" in shown
    assert "trùng số với một dòng phía trên" in shown


def test_every_status_and_summed_column_has_a_name(results):
    labels = results_labels.RESULTS_LABELS
    assert {f"status_{status}" for status in Status} <= labels.keys()
    assert {f"column_{name}" for name in ef.summarize(results).columns} <= labels.keys()


def test_every_reason_that_the_package_always_says_the_same_way_is_said_in_vietnamese():
    said = [
        value
        for module in (audience, advertising_rules, polling, tracked_frame, track, deliveries)
        for name, value in vars(module).items()
        if isinstance(value, str) and (name.startswith("REASON_") or (name.startswith("_") and name.isupper()))
    ]
    said = [text for text in said if "{" not in text and "recipients than" not in text]
    assert len(said) >= 10
    words = Words("vi", results_labels.RESULTS_LABELS)
    for text in said:
        assert results_labels.reason_in(words, text) != text


def test_the_keys_are_in_no_state_and_no_repr(results, client, sandbox):
    view = view_of(results, client)
    view._track.click()
    view._worker.wait()
    everything = json.dumps(widgets.Widget.get_manager_state()) + repr(view) + repr(vars(view))
    assert sandbox.api_key not in everything
    assert sandbox.secret_key not in everything


def test_every_field_has_a_label_and_every_button_words(results, client):
    view = view_of(results, client)
    for widget in parts(view):
        if isinstance(widget, (widgets.SelectMultiple, widgets.Dropdown, widgets.BoundedIntText, widgets.Checkbox)):
            assert widget.description, widget
        if isinstance(widget, widgets.Button):
            assert widget.description, widget


def million():
    size = 1_000_000
    rows = np.arange(size)
    return pd.DataFrame(
        {
            "phone": pd.array(np.char.add("09", np.char.zfill(rows.astype(str), 8)), dtype=text_dtype()),
            "network": category_from_codes(rows % 5, ["Viettel", "MobiFone", "VinaPhone", "iTel", "Gmobile"]),
            "status": category_from_codes(rows % 9, list(Status)),
            "reason": category_from_codes(rows % 7 - 1, [f"reason {n}" for n in range(6)]),
            "segment": category_from_codes(rows % 3, ["vip", "mới", "cũ"]),
        }
    )


@pytest.mark.heavy
def test_a_million_rows_send_a_browser_no_more_than_a_page(results):
    view = view_of(million())
    view.choose("status", ["accepted", "refused"])
    small = view_of(results)
    sizes = [len(json.dumps([part.get_state() for part in parts(each)], default=str)) for each in (view, small)]
    assert max(sizes) < 500_000


@pytest.mark.heavy
def test_filtering_a_million_rows_takes_less_than_half_a_second():
    view = view_of(million())
    view._with_chart.value = False
    times = []
    for status in ("accepted", "refused", "unknown"):
        began = time.perf_counter()
        view.choose("status", [status])
        times.append(time.perf_counter() - began)
        assert 111_000 < len(view.frame) < 112_000
    print(f"filter of 1,000,000 rows, with page and summary: {min(times):.3f} s")
    assert min(times) < 0.5


@pytest.mark.heavy
def test_importing_the_package_does_not_import_widgets():
    code = "import sys, esms_frames as ef; ef.prepare, ef.send; print('ipywidgets' in sys.modules); ef.ResultsView; "
    code += "print('ipywidgets' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["False", "True"]
