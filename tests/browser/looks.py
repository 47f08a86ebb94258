"""What a page is asked about how it looks and how it can be used, in the browser's own language."""

from __future__ import annotations

TOO_WIDE = """view => {
    const shown = e => e.clientWidth > 0 && getComputedStyle(e).display !== "inline";
    const own = e => !["SELECT", "OPTION", "PRE", "INPUT"].includes(e.tagName) && e.className !== "widget-readout";
    return [view, ...view.querySelectorAll("*")]
        .filter(e => own(e) && shown(e) && e.scrollWidth > e.clientWidth + 1)
        .map(e => `${e.tagName}.${e.className}: ${e.scrollWidth} > ${e.clientWidth}, ${e.innerText.slice(0, 60)}`);
}"""
"""The elements that are wider inside than outside, which would scroll sideways or be cut; code may."""

NAMELESS = """view => [...view.querySelectorAll("input, select, textarea, button")]
    .filter(e => e.getClientRects().length)
    .filter(e => {
        const labels = [...(e.labels || [])].map(label => label.innerText).join("");
        const own = e.tagName === "BUTTON" ? e.innerText : "";
        return !(labels + own + (e.getAttribute("aria-label") || "")).trim();
    })
    .map(e => e.outerHTML.slice(0, 200))"""
"""The fields and buttons that have no name for those who can't see them."""
