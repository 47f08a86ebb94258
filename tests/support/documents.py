"""The scripts that write docs/."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

ROOT = Path(__file__).parents[2]


def script_of_docs(name):
    """Load one of the scripts that write docs/."""
    spec = spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    return script
