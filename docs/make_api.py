"""Write docs/api.md, the reference of every public name, from the docstrings.

Run: python docs/make_api.py
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from pathlib import Path

import esms_frames as ef

TARGET = Path(__file__).with_name("api.md")

HEAD = """\
# Reference

Every public name of `esms_frames`, from its docstring; written by `python docs/make_api.py`. The examples run as tests.
Begin with the [notebooks](../notebooks); the columns of all frames are in [frames.md](frames.md).
"""


def page() -> str:
    """Write the page's text."""
    names = sorted(ef.__all__, key=str.lower)
    found = {name: getattr(ef, name) for name in names}
    errors = [name for name in names if inspect.isclass(found[name]) and issubclass(found[name], Exception)]
    classes = [name for name in names if inspect.isclass(found[name]) and name not in errors]
    functions = [name for name in names if inspect.isfunction(found[name])]
    groups = {"Functions": functions, "Classes": classes, "Errors": errors, "Settings": ["options"]}
    anchors: dict[str, str] = {}
    for name in [name for group in groups.values() for name in group]:  # of two equal ones the second gets a -1
        anchors[name] = name.lower() + ("-1" if name.lower() in anchors.values() else "")
    lines = [HEAD]
    for title, group in groups.items():
        lines.append(f"**{title}:** " + " · ".join(f"[{name}](#{anchors[name]})" for name in group) + "\n")
    for title, group in groups.items():
        lines.append(f"# {title}\n")
        for name in group:
            lines += entry(name, found[name])
    return "\n".join(lines).rstrip() + "\n"


def entry(name: str, thing: object) -> list[str]:
    """Write one name, and the methods and properties of a class."""
    called = [call(f"ef.{name}", thing)] if callable(thing) else []
    lines = [f"## {name}\n", *called, in_markdown(inspect.getdoc(thing) or "")]
    for member, value in public_members(thing):
        lines.append(f"### {name}.{member}\n")
        if not isinstance(value, property):
            lines.append(call(f".{member}", getattr(thing, member)))
        lines.append(in_markdown(inspect.getdoc(getattr(thing, member)) or ""))
    return lines


def public_members(thing: object) -> list[tuple[str, object]]:
    """Give the methods and properties that a class has itself, or of a base that is not public, for those who use it."""
    if not inspect.isclass(thing):
        return []
    kinds = (property, classmethod, staticmethod)
    bases = [each for each in thing.__mro__[1:] if each.__module__.startswith("esms_frames.")]
    inner = [each for each in bases if each.__name__ not in ef.__all__]
    found = {name: value for each in (thing, *inner) for name, value in vars(each).items() if not name.startswith("_")}
    found |= {name: value for name, value in vars(thing).items() if name in found}
    return [(name, value) for name, value in found.items() if inspect.isfunction(value) or isinstance(value, kinds)]


def call(name: str, thing: object) -> str:
    """Write how it is called, as the source says it."""
    function = thing if inspect.isroutine(thing) else vars(thing).get("__init__")
    if not inspect.isroutine(function) or function.__qualname__.startswith("__create_fn__"):
        return ""
    try:
        (node,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except OSError:  # what dataclasses write has no source
        return ""
    for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]:
        argument.annotation = None
    for argument in filter(None, [node.args.vararg, node.args.kwarg]):
        argument.annotation = None
    node.args.args = [argument for argument in node.args.args if argument.arg not in {"self", "cls"}]
    text = f"{name}({ast.unparse(node.args)})"
    if len(text) > 100:
        arguments = re.split(r", (?=\*?\w+(?:=|,|$))", ast.unparse(node.args))
        text = f"{name}(\n    " + ",\n    ".join(arguments) + ",\n)"
    return f"```python\n{text}\n```\n"


def sections(doc: str) -> list[tuple[str, str]]:
    """Take a numpydoc docstring apart; the first section has no title."""
    parts = re.split(r"^([A-Z]\w+)\n-{3,}\n", doc, flags=re.MULTILINE)
    return [("", parts[0].strip()), *zip(parts[1::2], (part.strip("\n") for part in parts[2::2]), strict=True)]


def in_markdown(doc: str) -> str:
    """Turn a docstring into Markdown."""
    lines: list[str] = []
    for title, body in sections(doc):
        if title:
            lines.append(f"**{title}**\n")
        if title == "Examples":
            lines.append(f"```pycon\n{body}\n```\n")
        elif title in {"Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns"}:
            lines.append(re.sub(r"^(?=\S)(.+)$", described, body, flags=re.MULTILINE) + "\n")
        else:
            lines.append(body.replace("::\n\n    ", "\n```text\n    ") + "\n```\n" if "::\n" in body else body + "\n")
    return re.sub(r"``(.+?)``", r"`\1`", "\n".join(lines))


def described(match: re.Match[str]) -> str:
    """Turn the first line of a parameter's entry into an item of a list."""
    names, colon, kind = match[1].partition(" : ")
    return f"- **{names}**{' : ' + kind if colon else ''}  "


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8", newline="\n")
