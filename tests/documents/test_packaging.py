"""What is handed out: the package and its sources, and nothing else that lies beside them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
JUNK = {
    "esms_frames": [
        ".env",
        "keys.txt",
        "khach.csv",
        "journal.sqlite",
        "journal.sqlite-wal",
        "apps/forms/.env",
        "recipients/files/khach.csv",
    ],
    "tests": ["khach.csv", ".env", "journal.sqlite", "results.xlsx"],
    "notebooks": ["journal.sqlite", "results.csv", ".env", ".ipynb_checkpoints/01.ipynb"],
    "docs": ["results.csv", ".env"],
    ".": [".env", "results.csv", "journal.sqlite"],
}
KINDS = {
    ".py",
    ".pyi",
    ".typed",
    ".csv",
    ".md",
    ".ipynb",
    ".png",
    ".toml",
    ".cfg",
    ".xml",
    ".json",
    ".js",
    ".css",
    ".po",
    "",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build both from a copy of the sources in which junk lies everywhere."""
    if find_spec("hatchling") is None:
        pytest.fail("hatchling is missing") if os.environ.get("CI") == "true" else pytest.skip("needs hatchling")
    copy = tmp_path_factory.mktemp("sources")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("needs a clone")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    (copy / ".gitignore").unlink(missing_ok=True)  # what is built does not hang on it
    for folder, names in JUNK.items():
        for name in names:
            (copy / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / folder / name).write_text("0901888484")
    run = [sys.executable, "-m", "hatchling", "build"]
    done = subprocess.run(run, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,), (sdist,) = (copy / "dist").glob("*.whl"), (copy / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        sources = {str(PurePosixPath(*PurePosixPath(m.name).parts[1:])) for m in archive.getmembers() if m.isfile()}
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist()), sources


def committed(*folders):
    listed = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}


def test_the_wheel_is_the_package_and_nothing_else(built):
    wheel, _ = built
    compiled = {name.removesuffix(".po") + ".mo" if name.endswith(".po") else name for name in committed("esms_frames")}
    assert {name for name in wheel if ".dist-info/" not in name} == compiled


def test_the_sdist_is_what_is_committed_and_nothing_else(built):
    _, sources = built
    assert sources - {"PKG-INFO"} <= committed()
    assert committed("esms_frames", "docs", "notebooks") <= sources
    assert {name for name in committed("tests") if name.endswith((".py", ".cfg"))} <= sources
    assert {PurePosixPath(name).suffix for name in sources} <= KINDS
