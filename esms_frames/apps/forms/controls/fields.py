"""How the fields of a form look: their labels in one column, nothing wider than the page."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
from traitlets import Unicode

from esms_frames.apps.forms.controls import html as markup

_LABEL = {"description_width": "10em"}
_WIDE = "680px"
_INDENT = "calc(10em + 12px)"  # where the fields begin, beside their labels


class Secret(widgets.Password):  # type: ignore[misc]
    """A password box whose text is sent to the kernel when Enter is pressed or the box is left, and never sent back."""

    value = Unicode("").tag(sync=True, echo_update=False)

    def __init__(self, **options: Any) -> None:
        super().__init__(continuous_update=False, **options)


def layout(**values: Any) -> dict[str, Any]:
    """Return the style and layout of a labelled field."""
    return {"style": dict(_LABEL), "layout": widgets.Layout(width="auto", max_width=_WIDE, **values)}


def html(value: str = "", *, below_field: bool = False) -> Any:
    """Make a place for text of the form's own: as wide as the form, or below a field that it is about."""
    margin = f"2px 2px 2px {_INDENT}" if below_field else "2px"
    return widgets.HTML(value, layout=widgets.Layout(width="auto", max_width="100%", margin=margin))


def button(text: str, *, icon: str = "", style: str = "", tooltip: str = "", shown: bool = True) -> Any:
    """Make a button as wide as its words."""
    return widgets.Button(
        description=text,
        icon=icon,
        button_style=style,
        tooltip=tooltip or text,
        layout=widgets.Layout(width="auto", max_width="100%", display=None if shown else "none"),
    )


def row(*children: Any, below_field: bool = False) -> Any:
    """Put widgets side by side, wrapping where there is no room."""
    margin = f"2px 0 2px {_INDENT}" if below_field else "2px 0"
    return widgets.HBox(
        children, layout=widgets.Layout(flex_flow="row wrap", align_items="center", margin=margin, grid_gap="4px 8px")
    )


def offer(dropdown: Any, options: Any, value: Any) -> None:
    """Set a dropdown's options, and choose one, also where that is None."""
    dropdown.options = options
    dropdown.index = next((n for n, (_, each) in enumerate(options) if each == value), 0 if options else None)


def show(widget: Any, visible: bool) -> None:
    """Show or hide a widget."""
    widget.layout.display = None if visible else "none"


def section(number: int, title: str, *children: Any) -> Any:
    """Put the fields of a section below its heading."""
    return widgets.VBox(
        [html(markup.heading(number, title)), *children],
        layout=widgets.Layout(
            border="1px solid rgba(128,128,128,.35)", padding="8px 14px 12px", margin="0 0 10px", overflow="hidden"
        ),
    )


def close(widget: Any) -> None:
    """Close a widget, and all that are in it."""
    for child in getattr(widget, "children", ()):
        close(child)
    widget.close()
