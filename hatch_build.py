"""Compile the catalogues of translations when the package is built; `python hatch_build.py` compiles them in place."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LOCALE = Path("esms_frames/base/language/locale")


class CompileCatalogues(BuildHookInterface[Any]):
    """Write an .mo beside each .po, from where wheels and editable installs take it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Compile all catalogues before the files of the package are gathered."""
        compile_catalogues(Path(self.root))


def compile_catalogues(root: Path) -> None:
    """Compile each catalogue that has changed since, all of it or, if that fails, nothing."""
    for source in (root / LOCALE).glob("*/LC_MESSAGES/*.po"):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        with source.open("rb") as stream:
            catalogue = read_po(stream, abort_invalid=True)
        handle, beside = tempfile.mkstemp(dir=target.parent, suffix=".tmp")
        with os.fdopen(handle, "wb") as stream:
            write_mo(stream, catalogue)
        Path(beside).chmod(0o644)
        Path(beside).replace(target)


if __name__ == "__main__":
    compile_catalogues(Path(__file__).parent)
