"""Plots: what they show, that they say it without colour too, and that a notebook shows them."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.text import Text
from PIL import Image

import esms_frames as ef
from esms_frames.base import columns


@pytest.fixture
def untracked():
    refused = "The gateway refused with code 104, the brandname does not exist or is not active: check its spelling."
    return pd.DataFrame(
        {
            "network": pd.Categorical(["Viettel"] * 60 + ["MobiFone"] * 30 + [None] * 10),
            "status": ["accepted"] * 80 + ["refused"] * 10 + ["invalid"] * 10,
            "reason": [None] * 80 + [refused] * 10 + ["landline"] * 10,
        }
    )


@pytest.fixture
def tracked(untracked):
    units = np.full(100, 8_505_000)
    return untracked.assign(
        delivery=["delivered"] * 70 + ["failed"] * 5 + ["pending"] * 3 + [None] * 22,
        delivered=70,
        price=columns.money_from_units(units, units > 0),
        segment=["Khách thân thiết", "$mới$"] * 50,
    )


def texts(axes):
    return [text.get_text() for text in axes.texts]


def labels(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def widths(axes):
    return {bars.get_label(): [bar.get_width() for bar in bars] for bars in axes.containers}


def test_tracked_results_show_delivery_by_network_by_segment_and_by_reason(tracked):
    figure = ef.plot(tracked)
    assert titles(figure) == ["Delivery by network", "Delivery by segment", "Not delivered, by reason"]
    network, segment, reason = figure.axes
    assert labels(network) == ["Viettel", "MobiFone"]
    assert labels(segment) == ["Khách thân thiết", "$mới$"]
    assert not any(label.get_parse_math() for label in segment.get_yticklabels())  # $mới$ is no formula
    shares = widths(network)
    assert shares["delivered"] == pytest.approx([1, 10 / 30])
    assert shares["not accepted"] == pytest.approx([0, 10 / 30])
    assert sum(share[1] for share in shares.values()) == pytest.approx(1)
    assert "60 · 100.0%" in texts(network)
    assert "30 · 66.7%" in texts(network)
    assert texts(reason) == ["10", "10", "5", "2"]
    assert labels(reason)[2:] == ["failed: no reason given", "not known: no reason given"]
    assert "70 delivered (93.3% of those settled), 85,050 VND" in figure.get_suptitle()


def test_untracked_results_show_what_was_accepted(untracked):
    figure = ef.plot(untracked)
    assert titles(figure) == ["Acceptance by network", "Not accepted, by reason"]
    assert list(widths(figure.axes[0])) == ["accepted", "refused"]


def test_the_labels_speak_vietnamese_too(tracked):
    figure = ef.plot(tracked, lang="vi")
    assert titles(figure)[0] == "Kết quả nhận tin theo nhà mạng"
    assert "đã nhận" in widths(figure.axes[0])


@pytest.mark.heavy
def test_the_reason_that_tracking_gives_is_shown(tracked):
    tracked["reason"] = "Sent by another run."
    tracked["delivery_reason"] = [None] * 70 + ["the gateway rejected the send"] * 30
    assert "failed: the gateway rejected the send" in labels(ef.plot(tracked).axes[-1])


def test_many_groups_become_twelve_and_the_rest(tracked):
    tracked["segment"] = [f"Cửa hàng {n % 30}" for n in range(100)]
    axes = ef.plot(tracked).axes[1]
    assert len(labels(axes)) == 13
    assert labels(axes)[-1] == "18 others"
    shown = [int(text.split(" · ")[0]) for text in texts(axes) if " · " in text]
    assert sum(shown) == 90


def test_nothing_is_told_by_colour_alone(tracked):
    for axes in ef.plot(tracked).axes[:2]:
        hatches = [bars.patches[0].get_hatch() for bars in axes.containers]
        assert len(set(hatches)) == len(hatches)
        assert axes.get_legend() is not None


def test_unknown_and_not_known_are_not_one_in_the_panel_of_reasons(tracked):
    both = tracked.astype({"status": object}).reset_index(drop=True)
    both.loc[0, ["status", "delivery", "reason"]] = ["unknown", None, "no answer"]
    both.loc[1, ["status", "delivery", "reason"]] = ["accepted", None, "too old"]
    axes = ef.plot(both).axes[-1]
    looks = {bars.get_label(): bars.patches[0].get_hatch() for bars in axes.containers}
    assert {"unknown", "not known"} <= set(looks)
    assert looks["unknown"] != looks["not known"]


def test_only_what_there_is_has_a_panel(tracked):
    fine = tracked[tracked["delivery"] == "delivered"].drop(columns="segment")
    assert titles(ef.plot(fine)) == ["Delivery by network"]
    nobody = tracked[tracked["status"] == "invalid"]
    assert titles(ef.plot(nobody)) == ["Not delivered, by reason"]


@pytest.mark.parametrize("size", [(9.5, None), (13.3, 7.5)])
def test_all_letters_are_inside_the_figure_and_none_on_another(tracked, size):
    figure = ef.plot(tracked)
    figure.set_size_inches(size[0], size[1] or figure.get_figheight())
    figure.savefig(io.BytesIO(), format="png")
    for axes in figure.axes:
        boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
        assert all(box.x0 >= 0 for box in boxes)
        assert not any(one.overlaps(other) for n, one in enumerate(boxes) for other in boxes[:n])
        assert all(text.get_window_extent().x1 <= figure.bbox.x1 for text in axes.texts)


def test_a_notebook_shows_it_once_as_a_picture(tracked):
    shown, about = InteractiveShell.instance().display_formatter.format(ef.plot(tracked))
    assert set(shown) == {"text/plain", "image/png"}
    picture = Image.open(io.BytesIO(shown["image/png"]))
    assert picture.width > about["image/png"]["width"] == 950


@pytest.mark.heavy
def test_pyplot_knows_nothing_of_it():
    code = (
        "import sys, pandas as pd, esms_frames as ef; "
        "ef.plot(pd.DataFrame({'network': ['Viettel'], 'status': ['accepted'], 'reason': [None]}))._repr_png_(); "
        "print('matplotlib.pyplot' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


def test_the_argument_is_not_changed(tracked):
    before = tracked.copy(deep=True)
    ef.plot(tracked)
    pd.testing.assert_frame_equal(tracked, before)


def test_what_cannot_be_plotted_is_one_sentence(tracked):
    with pytest.raises(ef.InvalidInput, match="no rows"):
        ef.plot(tracked.iloc[:0])
    with pytest.raises(ef.InvalidInput, match="'en' or 'vi'"):
        ef.plot(tracked, lang="fr")
    with pytest.raises(ef.InvalidInput, match="no column 'status'"):
        ef.plot(pd.DataFrame({"network": ["Viettel"]}))


def test_numbers_are_written_as_the_language_writes_them():
    results = pd.DataFrame({"network": "Viettel", "status": ["accepted"] * 1999 + ["refused"], "reason": None})
    written = {
        lang: " ".join(text.get_text() for text in ef.plot(results, lang=lang).findobj(Text)) for lang in ("vi", "en")
    }
    assert "2.000 dòng" in written["vi"]
    assert re.search(r"2\.000 · \d+,\d%", written["vi"])
    assert "2,000 rows" in written["en"]
