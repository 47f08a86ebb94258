"""Pieces of HTML that a form shows: legible on light and dark themes, and at any width."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


_LINE = "rgba(128,128,128,.35)"
_SIGNS = {"good": ("✓", "#1a7f37"), "look": ("⚠", "#9a6700"), "bad": ("✗", "#cf222e"), "info": ("i", "#57606a")}
_CELL = (
    f"padding:.3em .9em .3em 0;border:0;border-bottom:1px solid {_LINE};background:none;vertical-align:top;text-align:"
)


def heading(number: int, title: str) -> str:
    """Write the heading of a section, which screen readers find as one."""
    circle = (
        "display:inline-block;min-width:1.7em;line-height:1.7em;border-radius:1em;text-align:center;font-size:.85em;"
        f"border:1px solid {_LINE};margin-right:.6em"
    )
    return (
        '<div role="heading" aria-level="3" style="font-size:1.15em;font-weight:600;line-height:1.8">'
        f'<span style="{circle}">{number}</span>{escape(title)}</div>'
    )


def note(kind: str, text: str) -> str:
    """Show one sentence; its sign says the same as its colour."""
    sign, colour = _SIGNS[kind]
    return (
        f'<div style="line-height:1.45;display:flex;gap:.5em;margin:.1em 0">'
        f'<span aria-hidden="true" style="background:{colour};color:#fff;border-radius:50%;flex:none;width:1.35em;'
        f'height:1.35em;line-height:1.35em;text-align:center;font-size:.85em;margin-top:.12em">{sign}</span>'
        f'<span style="min-width:0;overflow-wrap:anywhere">{escape(text)}</span></div>'
    )


def notes(pairs: Iterable[tuple[str, str]]) -> str:
    """Show several sentences."""
    return "".join(note(kind, text) for kind, text in pairs)


def hint(text: str) -> str:
    """Show a remark."""
    return f'<div style="opacity:.75;line-height:1.4;font-size:.93em;overflow-wrap:anywhere">{escape(text)}</div>'


def tiles(facts: Iterable[tuple[str, str]]) -> str:
    """Show counts side by side, wrapping where there is no room."""
    tile = f"border:1px solid {_LINE};border-radius:6px;padding:.35em .8em;min-width:5.2em;flex:0 1 auto"
    shown = "".join(
        f'<div style="{tile}"><div style="font-size:1.25em;font-weight:600;font-variant-numeric:tabular-nums;'
        f'line-height:1.3">{escape(value)}</div><div style="opacity:.75;font-size:.9em;line-height:1.3">{escape(name)}'
        "</div></div>"
        for name, value in facts
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:.5em;margin:.2em 0">{shown}</div>'


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Sequence[int] = (),
    caption: str = "",
    wrap: bool = False,
) -> str:
    """Show a table; the columns in `right` hold numbers. It scrolls within itself where it is too wide.

    With `wrap`, long names of columns take several lines.
    """
    spaces = "normal" if wrap else "nowrap"
    aligned = [_CELL + ("right;font-variant-numeric:tabular-nums" if n in right else "left") for n in range(len(head))]
    heads = "".join(
        f'<th scope="col" style="{style};font-weight:600;white-space:{spaces}">{escape(name)}</th>'
        for style, name in zip(aligned, head, strict=True)
    )
    body = "".join(
        '<tr style="background:none">'
        + "".join(
            f'<td style="{style};overflow-wrap:break-word">{escape(cell)}</td>'
            for style, cell in zip(aligned, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    above = (
        f'<caption style="caption-side:top;text-align:left;opacity:.75;padding:.2em 0">{escape(caption)}</caption>'
        if caption
        else ""
    )
    return (
        '<div style="overflow-x:auto;max-width:100%"><table style="border-collapse:collapse;line-height:1.35;margin:0">'
        f'{above}<thead><tr style="background:none">{heads}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Show names with their values, one pair a line."""
    cell = "padding:.15em 1.2em .15em 0;border:0;background:none;text-align:left;vertical-align:top"
    body = "".join(
        f'<tr style="background:none"><th scope="row" style="{cell};opacity:.75;font-weight:400;white-space:nowrap">'
        f'{escape(name)}</th><td style="{cell};overflow-wrap:anywhere">{escape(value)}</td></tr>'
        for name, value in pairs
    )
    return f'<table style="border-collapse:collapse;line-height:1.45;margin:.2em 0">{body}</table>'


def listed(kind: str, title: str, sentences: Sequence[str]) -> str:
    """Show sentences below a title; nothing where there are none."""
    if not sentences:
        return ""
    items = "".join(f'<li style="margin:.15em 0;overflow-wrap:anywhere">{escape(text)}</li>' for text in sentences)
    return f'{note(kind, title)}<ul style="margin:.1em 0 .4em;padding-left:2.6em;line-height:1.45">{items}</ul>'


def phone_bubble(sender: str, text: str, *, empty: str, label: str) -> str:
    """Draw a message as a phone shows it; the same on any theme."""
    shown = escape(text) if text.strip() else f'<span style="color:#6e6e73">{escape(empty)}</span>'
    return (
        f'<div role="img" aria-label="{escape(label)}" style="border:1px solid {_LINE};border-radius:22px;background:#fff;'
        'color:#111;padding:.9em .9em 1.3em;max-width:17em;min-height:9em;box-sizing:border-box">'
        '<div style="text-align:center;font-weight:600;font-size:.9em;line-height:1.3;border-bottom:1px solid #e5e5ea;'
        f'padding-bottom:.5em;margin-bottom:.8em">{escape(sender) or "&nbsp;"}</div>'
        '<div style="background:#e9e9eb;border-radius:16px 16px 16px 4px;padding:.55em .8em;line-height:1.35;'
        f'white-space:pre-wrap;overflow-wrap:anywhere;display:inline-block;max-width:94%;box-sizing:border-box">{shown}'
        "</div></div>"
    )


def code(text: str) -> str:
    """Show code, which scrolls within itself."""
    return (
        f'<pre style="overflow-x:auto;max-width:100%;box-sizing:border-box;border:1px solid {_LINE};border-radius:6px;'
        f'padding:.7em 1em;line-height:1.45;margin:.3em 0;font-size:.92em;background:none">{escape(text)}</pre>'
    )
