"""The form that sends, in a browser: every path to the end, with mouse and with keyboard."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path

import pandas as pd
import pytest

import esms_frames as ef
from browser.looks import NAMELESS, TOO_WIDE
from esms_frames.apps.forms.text.labels import Words

EVERYWHERE = pytest.mark.parametrize("place", ["voila", "lab"], indirect=True)
VI, EN = Words("vi"), Words("en")
TEXT = "Cam on quy khach da mua hang. Chuc quy khach mot ngay tot lanh!"
FORM = """
customers = ef.read_customers(ef.SAMPLE)
form = ef.SendForm(customers, client{options})
form
"""
SIXTY_THOUSAND = """
customers = pd.DataFrame({"sdt": [f"09{n:08d}" for n in range(1_000_000, 1_060_000)]})
form = ef.SendForm(customers, client)
form
"""
ALL = 861  # of the sample can be texted
NOTEBOOK = Path(ef.__file__).parents[1] / "notebooks" / "send_form.ipynb"


def write_message(page, words=VI, text=TEXT):
    page.get_by_label(words("content")).fill(text)


def button(page, text):
    """The button with this text; the sign in front of it counts as text to a browser."""
    return page.get_by_role("button", name=re.compile(rf"^\W*{re.escape(text)}$"))


def check(page, words=VI):
    button(page, words("check")).click()


def send_button(page, count, words=VI):
    return button(page, words("send_count", count=count))


def downloaded(page, words=VI):
    name = words("download", size="").split("(")[0]
    with page.expect_download() as download:
        page.get_by_role("link", name=name).click()
    return pd.read_csv(io.BytesIO(download.value.path().read_bytes()), dtype=str)


def each_number_once(sandbox, size):
    assert len(sandbox.sent) == sandbox.sent["phone"].nunique() == size


# The whole way


@EVERYWHERE
def test_from_a_dataframe_to_the_results_and_their_file(place, setup, sandbox):
    page = place.show(setup + FORM.format(options="")).page
    write_message(page)
    check(page)
    send_button(page, ALL).click()
    page.get_by_text(VI("done", time="").split("{")[0].strip(" .")).wait_for()
    page.get_by_role("img", name=VI("chart_alt", accepted=ALL, recipients=ALL)).wait_for()
    results = downloaded(page)
    assert results["status"].value_counts()[["accepted", "duplicate", "invalid"]].tolist() == [ALL, 66, 73]
    each_number_once(sandbox, ALL)


def test_people_who_never_see_code_upload_a_file_and_try_it_without_a_gateway(place, tmp_path):
    file = tmp_path / "khách hàng.csv"
    file.write_bytes(ef.SAMPLE.read_bytes())
    place.notebook.write_bytes(NOTEBOOK.read_bytes())
    place.open()
    page = place.page
    page.get_by_text(VI("connected_sandbox")).wait_for()
    assert page.get_by_text("import esms_frames").count() == 0
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=VI("upload")).click()
    chooser.value.set_files(file)
    page.get_by_text(VI("file_read", name=file.name, rows=1000)).wait_for()
    write_message(page)
    check(page)
    send_button(page, ALL).click()
    page.get_by_role("img", name=re.compile("^Biểu đồ kết quả")).wait_for()
    assert len(downloaded(page)) == 1000


def test_in_english_too(place, setup, sandbox):
    page = place.show(setup + FORM.format(options=', lang="en"')).page
    write_message(page, EN)
    check(page, EN)
    send_button(page, ALL, EN).click()
    page.get_by_role("img", name=EN("chart_alt", accepted=ALL, recipients=ALL)).wait_for()
    each_number_once(sandbox, ALL)
    vietnamese = re.compile("[ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", re.IGNORECASE)
    labels = page.locator("label:visible, button:visible, [role=heading]:visible").all_inner_texts()
    assert [text for text in labels if vietnamese.search(text)] == []


# What goes wrong


def test_a_wrong_phone_column_is_told_at_once_and_nothing_can_be_sent(place, setup, sandbox):
    page = place.show(setup + FORM.format(options="")).page
    page.get_by_label(VI("phone_column")).select_option(label="city")
    page.get_by_text(VI("phone_wrong", column="city")).wait_for()
    write_message(page)
    check(page)
    page.get_by_text(VI("missing_recipients"), exact=True).wait_for()
    assert button(page, VI("send")).is_disabled()
    assert sandbox.sent.empty


def test_a_brandname_that_the_gateway_refuses_is_told_before_anything_is_sent(place, setup, sandbox):
    unknown = """
from esms_frames.apps.forms.sections import gateway as gateway_section
gateway_section.asked = lambda client: gateway_section.Account(client, client.balance(), None)
"""
    page = place.show(setup + unknown + FORM.format(options="")).page
    page.get_by_label(VI("brandname"), exact=True).and_(page.locator("input")).fill("SaiTen")
    write_message(page)
    check(page)
    page.get_by_text(re.compile("SaiTen.*(brandname|Brandname|đăng ký)")).first.wait_for()
    assert button(page, VI("send")).is_disabled()
    assert sandbox.sent.empty


@EVERYWHERE
def test_what_was_cancelled_in_the_middle_is_resumed_by_a_form_of_another_kernel(place, setup, sandbox, capsys):
    own = SIXTY_THOUSAND.replace("client)", 'client, journal=os.environ["ESMS_JOURNAL"])')  # as one visitor's of a page
    page = place.show(setup + own).page
    write_message(page)
    check(page)
    send = send_button(page, 60_000)
    send.wait_for()
    sandbox._app._latency = 0.3
    began = time.monotonic()
    send.click()
    page.get_by_text(re.compile(r"[1-9][\d.]* / 60\.000 số")).wait_for()
    first = time.monotonic() - began
    button(page, VI("cancel")).click()
    page.get_by_text(VI("cancelled")).wait_for()
    part = len(sandbox.sent)
    assert 0 < part < 60_000
    sandbox._app._latency = 0.0
    with capsys.disabled():
        print(f"\n  {place.kind}: first progress {first:.1f} s after the click, with a gateway that takes 0.3 s")

    place.again()
    page.get_by_text(VI("unfinished")).wait_for()
    button(page, VI("resume")).click()
    page.get_by_role("img", name=VI("chart_alt", accepted=60_000, recipients=60_000)).wait_for()
    each_number_once(sandbox, 60_000)


# Secrets


@pytest.mark.parametrize("place", ["lab"], indirect=True)
def test_a_notebook_saved_with_its_widgets_holds_no_key_that_was_typed(place, sandbox, tmp_path):
    page = place.show(f"""
import functools, os
os.environ["ESMS_JOURNAL"] = {str(tmp_path / "notebook.sqlite")!r}
import esms_frames as ef
from esms_frames.apps.forms.sections import gateway as gateway_section
gateway_section.Client = functools.partial(ef.Client, base_url={sandbox.url!r})
form = ef.SendForm()
form
""").page
    page.get_by_label(VI("gateway"), exact=True).select_option(label=VI("gateway_typed"))
    page.get_by_label(VI("api_key")).fill(sandbox.api_key)
    page.keyboard.press("Enter")
    page.get_by_label(VI("secret_key")).fill(sandbox.secret_key)
    page.keyboard.press("Enter")
    page.get_by_text(VI("balance"), exact=True).wait_for()
    assert page.get_by_label(VI("api_key")).input_value() == page.get_by_label(VI("secret_key")).input_value() == ""
    place.save()
    saved = place.notebook.read_text(encoding="utf-8")
    assert "application/vnd.jupyter.widget-state+json" in saved
    assert VI("api_key") in saved
    assert sandbox.api_key not in saved
    assert sandbox.secret_key not in saved
    assert sandbox.api_key not in page.content()


# For everyone


def tab_to(page, name):
    """Press Tab until the field or button of that name has the focus."""
    named = """() => {
        const e = document.activeElement;
        return (e.labels && e.labels[0] ? e.labels[0].innerText : e.getAttribute("aria-label") || e.innerText).trim();
    }"""
    met = []
    for _ in range(80):
        page.keyboard.press("Tab")
        met.append(page.evaluate(named))
        if met[-1] == name:
            return
    raise AssertionError(f"Tab never comes to {name!r}, but to {met}")


def test_a_message_is_sent_with_the_keyboard_alone(place, setup, sandbox):
    page = place.show(setup + FORM.format(options="")).page
    page.get_by_label(VI("content")).wait_for()
    tab_to(page, VI("content"))
    page.keyboard.type(TEXT)
    page.get_by_text(re.compile(rf"^\s*{len(TEXT)} ký tự")).wait_for()  # typed faster than anybody types
    tab_to(page, VI("check"))
    page.keyboard.press("Enter")
    send_button(page, ALL).wait_for()
    tab_to(page, VI("send_count", count=ALL))
    page.keyboard.press("Space")
    page.get_by_role("img", name=VI("chart_alt", accepted=ALL, recipients=ALL)).wait_for()
    each_number_once(sandbox, ALL)


@EVERYWHERE
def test_every_field_has_a_name_and_nothing_is_wider_than_900_pixels(place, setup):
    place.page.set_viewport_size({"width": 900, "height": 900})
    page = place.show(setup + FORM.format(options="")).page
    if place.kind == "lab":
        page.keyboard.press("Control+b")
    write_message(page, text="Cảm ơn quý khách đã mua hàng. " * 4)
    page.get_by_role("button", name=re.compile("Xem các dòng bị loại")).click()
    check(page)
    send_button(page, ALL).click()
    page.get_by_role("img", name=re.compile("^Biểu đồ kết quả")).wait_for()
    button(page, VI("code")).click()
    page.locator("pre").last.wait_for()
    assert place.output.evaluate(NAMELESS) == []
    assert place.output.evaluate(TOO_WIDE) == []
