"""Draw docs/results.png, README's picture: the packaged sample, sent to a sandbox in segments and tracked.

Run: python docs/make_picture.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import esms_frames as ef

TARGET = Path(__file__).with_name("results.png")


def draw() -> None:
    """Send, track, and draw."""
    customers = ef.read_customers(ef.SAMPLE)
    texts = {name: f"Cam on quy khach {name}!" for name in customers["segment"].unique()}
    messages = {name: ef.Message(text, "Baotrixemay").without_accents() for name, text in texts.items()}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, ef.Sandbox(report_delay=0) as sandbox:
        client, journal = sandbox.client(), Path(folder) / "journal.sqlite"
        results = ef.send(
            customers, messages, client, by="segment", campaign="picture", journal=journal, progress=False
        )
        tracked = ef.track(results, client, progress=False)
    ef.plot(tracked.drop(columns="network")).savefig(TARGET, dpi=110)


if __name__ == "__main__":
    draw()
