"""Write docs/codes.md, the gateway's codes with what to do, from the table that the package goes by.

Run: python docs/make_codes.py
"""

from __future__ import annotations

from pathlib import Path

from esms_frames.base.codes import CODES, Kind

TARGET = Path(__file__).with_name("codes.md")

HEAD = """\
# The gateway's codes, and what to do

They stand in the column `code` of the results; `reason` says the same in words. Written by `python docs/make_codes.py`
from the table that the package goes by.

| code | meaning | what to do | what `send` does |
| --- | --- | --- | --- |
"""

DOES = {
    Kind.OK: "the batch is `accepted`",
    Kind.ALREADY_THERE: "after an attempt without an answer: `accepted`, for that attempt was taken",
    Kind.BATCH: "the batch is `refused`, the others go on",
    Kind.MESSAGE: "ends the run; the rest is `not_sent`",
    Kind.ACCOUNT: "ends the run; the rest is `not_sent`",
    Kind.TRY_LATER: "tries again, up to five times",
}
SPLIT = "sends the batch again in halves, down to 30 numbers; what is left over is `refused`"

TAIL = """
Any other code is `refused`, with its number and the gateway's own words: 106, 110, 115, 171, 204, 210, 301, 687, 789 to
791, 799, 801, 802, 851 and 854 belong to its voice, Zalo and code services.
"""


def page() -> str:
    """Write the page's text."""
    rows = [
        f"| {code} | {entry.meaning} | {entry.advice} | {SPLIT if code in {99, 108, 177} else DOES[entry.kind]} |"
        for code, entry in CODES.items()
    ]
    return HEAD + "\n".join(rows) + "\n" + TAIL


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8", newline="\n")
