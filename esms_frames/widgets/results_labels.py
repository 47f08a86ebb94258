"""What the view of results says beside the form's own words, in Vietnamese and English."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esms_frames.audience import REASON_DUPLICATE, REASON_EXCLUDED, REASON_NO_MESSAGE, REASON_NO_SEGMENT
from esms_frames.consent import REASON_CAPPED, REASON_DO_NOT_CONTACT
from esms_frames.widgets.labels import LABELS, Words

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

# The reasons that are always said in the same words; others hold numbers, names or the gateway's own words.
_REASONS = {
    REASON_DUPLICATE: "trùng số với một dòng phía trên",
    REASON_EXCLUDED: "có trong danh sách không gửi lần này",
    REASON_NO_SEGMENT: "không thuộc phân khúc nào",
    REASON_NO_MESSAGE: "phân khúc không có tin nhắn",
    REASON_DO_NOT_CONTACT: "có trong danh sách không liên hệ",
    REASON_CAPPED: "sẽ quá 3 tin quảng cáo tới số này trong 24 giờ",
}


def value_in(words: Words, column: str, value: str) -> str:
    """Say a value of a column of the results in the language of the words, as far as it has them."""
    if column == "reason" and words.lang == "vi" and value in _REASONS:
        return _REASONS[value]
    key = f"{column}_{value}"
    return words(key) if column in {"status", "reason", "delivery"} and key in words else value


def size_in(words: Words, size: int) -> str:
    """Write a number of bytes.

    Examples
    --------
    >>> size_in(Words("vi"), 1_600_000)
    '1,5 MB'
    """
    text = f"{size / 2**20:.1f} MB" if size >= 2**20 else f"{max(1, round(size / 2**10))} KB"
    return text.replace(".", ",") if words.lang == "vi" else text
