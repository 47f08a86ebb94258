"""Draw docs/results.en.png and docs/results.vi.png, the READMEs' picture: the packaged sample, sent to a sandbox.

Run: python docs/make_picture.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import esms_frames as ef


def draw(folder: Path) -> None:
    """Send to each segment, track, and draw by segment and by reason."""
    customers = ef.read_customers(ef.SAMPLE)
    texts = {name: f"Cam on quy khach {name}!" for name in customers["segment"].unique()}
    messages = {name: ef.Message(text, "Baotrixemay").without_accents() for name, text in texts.items()}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place, ef.Sandbox(report_delay=0) as sandbox:
        client, journal = sandbox.client(), Path(place) / "journal.sqlite"
        results = ef.send(
            customers, messages, client, by="segment", campaign="picture", journal=journal, progress=False
        )
        tracked = ef.track(results, client, progress=False)
    shown = tracked.drop(columns="network")
    ef.plot(shown).savefig(folder / "results.en.png", dpi=110)
    ef.plot(shown, lang="vi").savefig(folder / "results.vi.png", dpi=110)


if __name__ == "__main__":
    draw(Path(__file__).parent)
