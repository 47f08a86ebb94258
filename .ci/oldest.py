"""Print the oldest versions that pyproject.toml admits, one `name==version` a line, for `pip install --constraint`."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
oldest = {}
for text in project["dependencies"] + project["optional-dependencies"]["test"]:
    requirement = Requirement(text)
    if requirement.marker is None or requirement.marker.evaluate():
        (bound,) = requirement.specifier
        oldest[requirement.name] = bound.version
print("\n".join(f"{name}=={version}" for name, version in oldest.items()))
