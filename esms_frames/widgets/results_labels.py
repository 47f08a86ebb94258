"""What the view of results says beside the form's own words, in Vietnamese and English."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esms_frames.audience import REASON_NO_MESSAGE, REASON_NO_SEGMENT
from esms_frames.results import DELIVERY
from esms_frames.widgets.labels import LABELS, Words
from esms_frames.widgets.sentences import told

if TYPE_CHECKING:
    from collections.abc import Mapping

VIETNAMESE: Mapping[str, str] = {
    "view": "Kết quả gửi tin",
    "filters": "Lọc",
    "filter_hint": "Giữ Ctrl (hoặc Shift) để chọn nhiều mục trong một ô.",
    "all": "Tất cả ({rows})",
    "choice": "{value} ({rows})",
    "rarer": "{others} giá trị khác",
    "clear": "Bỏ lọc",
    "shown": "Đang xem {rows} trên {all} dòng.",
    "shown_all": "Đang xem tất cả {rows} dòng.",
    "shown_none": "Không có dòng nào khớp với bộ lọc: hãy bỏ bớt điều kiện.",
    "empty": "Kết quả không có dòng nào.",
    "summary": "Tổng hợp",
    "by": "Theo",
    "by_none": "tất cả",
    "more_groups": "Còn {groups} nhóm nhỏ hơn, xem bằng ef.summarize(view.frame, by=…).",
    "show_chart": "Hiện biểu đồ",
    "chart_described": "Biểu đồ kết quả của {rows} dòng; số liệu có trong bảng tổng hợp.",
    "columns": "Hiện thêm cột",
    "page_number": "Trang",
    "page_rows": "trong {pages} trang: dòng {first}–{last}",
    "make_csv": "Tạo tệp CSV ({rows} dòng)",
    "csv": "Tải về {name} ({size})",
    "csv_saved": "Đã ghi {rows} dòng ({size}) vào tệp {path}",
    "no_client": "Chưa có kết nối để hỏi kết quả: mở bằng ef.ResultsView(results, client), client của tài khoản đã gửi.",
    "none_accepted": "Không có tin nào được tiếp nhận, nên không có gì để hỏi.",
    "asked": "Đã hỏi {done} / {total} số",
    "row_label": "Dòng",
    "segment": "Phân khúc",
    "sent_at": "Gửi lúc",
    "column_rows": "Dòng",
    "column_recipients": "Người nhận",
    "column_accepted": "Tiếp nhận",
    "column_refused": "Bị từ chối",
    "column_unknown": "Chưa rõ",
    "column_not_sent": "Chưa gửi",
    "column_delivered": "Đã nhận",
    "column_failed": "Không nhận được",
    "column_pending": "Đang chờ",
    "column_delivery_rate": "Tỷ lệ nhận",
    "column_price": "Giá (đ)",
    "column_price_per_delivered": "Giá mỗi tin nhận (đ)",
    "moment": "%d/%m/%Y %H:%M",
}

ENGLISH: Mapping[str, str] = {
    "view": "Results of a send",
    "filters": "Filter",
    "filter_hint": "Hold Ctrl (or Shift) to choose several values in a box.",
    "all": "All ({rows})",
    "choice": "{value} ({rows})",
    "rarer": "{others} other values",
    "clear": "Clear filter",
    "shown": "Showing {rows} of {all} rows.",
    "shown_all": "Showing all {rows} rows.",
    "shown_none": "No row fits the filter: take a condition away.",
    "empty": "The results have no rows.",
    "summary": "Summary",
    "by": "By",
    "by_none": "all",
    "more_groups": "{groups} smaller groups are left: see them with ef.summarize(view.frame, by=…).",
    "show_chart": "Show the chart",
    "chart_described": "Chart of the results of {rows} rows; its numbers are in the summary.",
    "columns": "Show more columns",
    "page_number": "Page",
    "page_rows": "of {pages}: rows {first}–{last}",
    "make_csv": "Make a CSV file ({rows} rows)",
    "csv": "Download {name} ({size})",
    "csv_saved": "Wrote {rows} rows ({size}) to the file {path}",
    "no_client": "There is no connection to ask: open it as ef.ResultsView(results, client), with the client that sent.",
    "none_accepted": "No message was accepted, so there is nothing to ask about.",
    "asked": "Asked about {done} / {total} numbers",
    "row_label": "Row",
    "segment": "Segment",
    "sent_at": "Sent at",
    "column_rows": "Rows",
    "column_recipients": "Recipients",
    "column_accepted": "Accepted",
    "column_refused": "Refused",
    "column_unknown": "Unknown",
    "column_not_sent": "Not sent",
    "column_delivered": "Delivered",
    "column_failed": "Failed",
    "column_pending": "Pending",
    "column_delivery_rate": "Delivery rate",
    "column_price": "Price (VND)",
    "column_price_per_delivered": "VND per delivered",
    "moment": "%Y-%m-%d %H:%M",
}

RESULTS_LABELS = {"vi": {**LABELS["vi"], **VIETNAMESE}, "en": {**LABELS["en"], **ENGLISH}}
"""What a view says: the form's words and its own."""

# Reasons that the form itself never meets: of segments, and of tracking.
_REASONS = {
    REASON_NO_SEGMENT: "không thuộc phân khúc nào",
    REASON_NO_MESSAGE: "phân khúc không có tin nhắn",
    "the gateway rejected the send (SendStatus 4)": "nhà cung cấp không duyệt đợt gửi này (SendStatus 4)",
    "the gateway's list of this send does not hold the number": "danh sách của nhà cung cấp không có số này",
    "no callback has come for this number": "chưa có callback cho số này",
    "no callback has come for this send": "chưa có callback cho đợt gửi này",
    "the gateway's id of the send is not known": "không biết mã SMSID của đợt gửi",
    "the send is older than the 7 days that the gateway's status queries know": (
        "đã gửi quá 7 ngày, nhà cung cấp không còn trả lời tình trạng"
    ),
    "the gateway does not know the send yet (code 105)": "nhà cung cấp chưa có thông tin đợt gửi (mã 105)",
    "the gateway does not know the send (code 105): it forgets after 7 days": (
        "nhà cung cấp không còn thông tin đợt gửi (mã 105): chỉ giữ 7 ngày"
    ),
}


def value_in(words: Words, column: str, value: str) -> str:
    """Say a value of a column of the results in the language of the words, as far as it has them."""
    if column == "reason":
        return reason_in(words, value)
    key = f"{column}_{value}"
    return words(key) if column in {"status", "delivery"} and key in words else value


def reason_in(words: Words, reason: str) -> str:
    """Say a reason of the results; what tracking found stands behind what the send had to say.

    Examples
    --------
    >>> reason_in(Words("vi"), "Delivery: no callback has come for this send")
    'chưa có callback cho đợt gửi này'
    """
    parts = [part.strip() for part in reason.split(DELIVERY)]
    return " · ".join(_phrase(words, part) for part in parts if part)


def _phrase(words: Words, phrase: str) -> str:
    if f"reason_{phrase}" in words:
        return words(f"reason_{phrase}")
    return _REASONS[phrase] if words.lang == "vi" and phrase in _REASONS else told(phrase, words)


def size_in(words: Words, size: int) -> str:
    """Write a number of bytes.

    Examples
    --------
    >>> size_in(Words("vi"), 1_600_000)
    '1,5 MB'
    """
    text = f"{size / 2**20:.1f} MB" if size >= 2**20 else f"{max(1, round(size / 2**10))} KB"
    return text.replace(".", ",") if words.lang == "vi" else text
