"""Write in one sentence what tracking has found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esms_frames.apps.forms.controls import html
from esms_frames.base import clock
from esms_frames.reporting.summary import summarize

if TYPE_CHECKING:
    import pandas as pd

    from esms_frames.apps.forms.text.labels import Words


def tracking_note(tracked: pd.DataFrame, words: Words) -> str:
    """Count what became of the accepted rows, and those of which it is not known, which `reason` says why."""
    total = summarize(tracked, None).iloc[0]
    counts = {name: int(total[name]) for name in ("delivered", "failed", "pending")}
    text = words("tracked", time=f"{clock.now():%H:%M:%S}", **counts)
    if not_known := int(total["accepted"]) - sum(counts.values()):
        return html.note("look", f"{text} {words('tracked_not_known', count=not_known)}")
    return html.note("good", text)
