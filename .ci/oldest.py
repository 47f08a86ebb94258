"""Print the oldest versions that pyproject.toml admits, one `name==version` a line, for `pip install --constraint`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
for requirement in project["dependencies"] + project["optional-dependencies"]["test"]:
    name, version = re.fullmatch(r"([\w.-]+)>=([\w.]+)", requirement).groups()
