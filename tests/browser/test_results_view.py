"""The view of results in a browser."""

from __future__ import annotations

import io
import time

import pandas as pd
import pytest

from browser.looks import NAMELESS, TOO_WIDE

MILLION = """
import numpy as np
from esms_frames.base.columns import category_from_codes, text_dtype
from esms_frames.reporting.frame import Status
n = np.arange(1_000_000)
results = pd.DataFrame({
    "phone": pd.array(np.char.add("09", np.char.zfill(n.astype(str), 8)), dtype=text_dtype()),
    "network": category_from_codes(n % 5, ["Viettel", "MobiFone", "VinaPhone", "iTel", "Gmobile"]),
    "status": category_from_codes(n % 9, list(Status)),
    "reason": category_from_codes(n % 7 - 1, [f"reason {k}" for k in range(6)]),
    "segment": category_from_codes(n % 3, ["vip", "mới", "cũ"]),
})
view = ef.ResultsView(results)
view
"""
SENT = """
message = ef.Message("Cam on quy khach da mua hang!", "Baotrixemay")
customers = ef.read_customers(ef.SAMPLE)
results = ef.send(customers, message, client, campaign="trinh duyet", progress=False)
view = ef.ResultsView(customers.esms.join(results), client{lang})
view
"""


@pytest.mark.parametrize("place", ["voila", "lab"], indirect=True)
def test_a_colleague_filters_pages_tracks_and_downloads(place, setup):
    page = place.show(setup + SENT.format(lang="")).page
    page.get_by_text("Đang xem tất cả 1.000 dòng.").wait_for()
    page.get_by_label("Tình trạng").select_option(label="trùng số (66)")
    page.get_by_text("Đang xem 66 trên 1.000 dòng.").wait_for()
    page.get_by_role("button", name="Sau").click()
    page.get_by_text("trong 2 trang: dòng 51–66").wait_for()
    page.get_by_role("img", name="Biểu đồ kết quả của 66 dòng").wait_for()

    page.get_by_role("button", name="Tạo tệp CSV (66 dòng)").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Tải về").click()
    assert download.value.suggested_filename.endswith(".csv")
    back = pd.read_csv(io.BytesIO(download.value.path().read_bytes()), dtype=str)
    assert back["status"].tolist() == ["duplicate"] * 66
    assert back["ten"].notna().all()

    page.get_by_role("button", name="Bỏ lọc").click()
    page.get_by_text("Đang xem tất cả 1.000 dòng.").wait_for()
    page.get_by_role("button", name="Xem tin đã tới chưa").click()
    page.get_by_text("Cập nhật lúc").wait_for()
    page.get_by_label("Đã nhận", exact=True).wait_for()


def test_in_english_too(place, setup):
    page = place.show(setup + SENT.format(lang=', lang="en"')).page
    page.get_by_text("Showing all 1,000 rows.").wait_for()
    page.get_by_label("Status").select_option(label="duplicate (66)")
    page.get_by_text("Showing 66 of 1,000 rows.").wait_for()


@pytest.mark.parametrize("place", ["voila", "lab"], indirect=True)
def test_a_million_rows_open_and_turn_their_pages(place, setup, capsys):
    began = time.monotonic()
    page = place.show(setup + MILLION).page
    page.get_by_text("Đang xem tất cả 1.000.000 dòng.").wait_for()
    opened = time.monotonic() - began
    page.get_by_role("img", name="Biểu đồ kết quả").wait_for()
    began = time.monotonic()
    page.get_by_label("Tình trạng").select_option(label="bị từ chối (111.111)")
    page.get_by_text("Đang xem 111.111 trên 1.000.000 dòng.").wait_for()
    filtered = time.monotonic() - began
    page.get_by_role("img", name="Biểu đồ kết quả của 111.111 dòng").wait_for()
    drawn = time.monotonic() - began
    began = time.monotonic()
    page.get_by_role("button", name="Sau").click()
    page.get_by_text("dòng 51–100").wait_for()
    turned = time.monotonic() - began
    page.get_by_label("Trang").fill("2223")
    page.keyboard.press("Enter")
    page.get_by_text("dòng 111.101–111.111").wait_for()
    with capsys.disabled():
        print(
            f"\n  1,000,000 rows in {place.kind}: opened in {opened:.1f} s (and kernel), filtered in {filtered:.2f} s, "
            f"chart after {drawn:.2f} s, page turned in {turned:.2f} s"
        )


@pytest.mark.parametrize("place", ["voila", "lab"], indirect=True)
def test_every_field_has_a_name_and_nothing_is_wider_than_900_pixels(place, setup):
    place.page.set_viewport_size({"width": 900, "height": 900})
    tracked = "view = ef.ResultsView(ef.track(results, client, progress=False))\nview\n"
    page = place.show(setup + SENT.format(lang="") + tracked).page
    if place.kind == "lab":
        page.keyboard.press("Control+b")
    page.get_by_role("img", name="Biểu đồ kết quả").wait_for()
    assert place.output.evaluate(TOO_WIDE) == []
    assert place.output.evaluate(NAMELESS) == []
