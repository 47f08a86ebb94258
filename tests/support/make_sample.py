"""Write the packaged sample, customers.csv beside its reader: 1,000 made-up customers, as Excel in Vietnam saves them.

Run: python tests/support/make_sample.py
"""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta

import numpy as np
from support import spellings

from esms_frames.recipients.files.customer_files import SAMPLE

FAMILY = "Nguyễn Trần Lê Phạm Hoàng Huỳnh Phan Vũ Võ Đặng Bùi Đỗ Hồ Ngô Dương Lý".split()
MIDDLE = "Thị Văn Minh Ngọc Thanh Đức Hữu Quang Thu Kim Gia Bảo Phương Khánh Hồng Xuân".split()
GIVEN = "An Anh Bình Châu Chi Dũng Giang Hà Hải Hạnh Hiếu Hoa Huy Hương Khoa Lan Linh Long Mai My Nga Phúc".split()
CITIES = {"TP. Hồ Chí Minh": 0.38, "Hà Nội": 0.3, "Đà Nẵng": 0.12, "Cần Thơ": 0.08, "Hải Phòng": 0.07, "Huế": 0.05}
SEGMENTS = {"thân thiết": 0.45, "mới": 0.3, "vip": 0.15, "ngủ quên": 0.1}
ROWS = 1000


def sample(seed: int = 2026) -> str:
    """Write the file's text."""
    rng = np.random.default_rng(seed)

    def draw(shares):
        return rng.choice(list(shares), ROWS, p=list(shares.values()))

    names = [" ".join(rng.choice(part) for part in (FAMILY, MIDDLE, GIVEN)) for _ in range(ROWS)]
    dirt = rng.random(ROWS)
    names = [
        name.upper() if d < 0.06 else name.lower() if d < 0.1 else f" {name} " if d < 0.12 else name
        for name, d in zip(names, dirt, strict=True)
    ]
    segments = draw(SEGMENTS)
    spend = (rng.lognormal(np.where(segments == "vip", 15.5, 14.0), 0.7) // 1000 * 1000).astype(int)
    days = np.where(segments == "ngủ quên", rng.integers(200, 700, ROWS), rng.integers(1, 120, ROWS))
    last = [(date(2026, 10, 31) - timedelta(days=int(d))).isoformat() for d in days]

    file = io.StringIO()
    writer = csv.writer(file, delimiter=";", lineterminator="\r\n")
    writer.writerow(["ma_kh", "ten", "so_dien_thoai", "segment", "city", "spend", "last_purchase"])
    ids = [f"KH{n:05d}" for n in range(1, ROWS + 1)]
    phones = spellings.mixed(ROWS, seed, duplicates=0.08)
    writer.writerows(zip(ids, names, phones, segments, draw(CITIES), spend, last, strict=True))
    return file.getvalue()


if __name__ == "__main__":
    SAMPLE.parent.mkdir(exist_ok=True)
    SAMPLE.write_text(sample(), encoding="utf-8-sig", newline="")
