"""Start JupyterLab and Voila on this machine for a while, away from the user's own settings, and Chromium."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import matplotlib as mpl
import matplotlib.font_manager  # makes that list
import psutil
from support.ports import own_port

STARTED = 180  # seconds within which a server must answer

CHROMIUM = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--disable-quic",
]  # fmt: skip

_COMMANDS = {
    "lab": [
        "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.port={port}", "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port_retries=0", "--IdentityProvider.token=", "--ServerApp.root_dir={folder}",
        "--LabApp.expose_app_in_browser=True",
    ],
    "voila": [
        "voila", "{folder}", "--no-browser", "--port={port}", "--Voila.ip=127.0.0.1", "--show_tracebacks=True",
        "--VoilaConfiguration.file_allowlist=.*",
    ],
}  # fmt: skip
_SETTINGS = {
    "@jupyter-widgets/jupyterlab-manager/plugin": {"saveState": True},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


@contextmanager
def server(kind, folder, home):
    """Run a server of a folder of notebooks; give its address.

    Parameters
    ----------
    kind : {"lab", "voila"}
        Which; JupyterLab saves the state of widgets with the notebook.
    folder : Path
        The notebooks.
    home : Path
        An empty folder for everything that it keeps.
    """
    port = own_port()
    for name, values in _SETTINGS.items():
        file = home / "settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), encoding="utf-8")
    command = [part.format(port=port, folder=folder) for part in _COMMANDS[kind]]
    log = home / f"{kind}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], env=_environment(home), stdout=out, stderr=out, stdin=subprocess.DEVNULL,
            cwd=folder,
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_it_answers(process, url, log)
            yield url
        finally:
            _end(process)


def _environment(home):
    """Give the environment without what is the user's, and without keys."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "ESMS_", "IPYTHON"))}
    places = {
        "HOME": ".", "USERPROFILE": ".", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime", "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython",
    }  # fmt: skip
    for place in places.values():
        (home / place).mkdir(parents=True, exist_ok=True)
    kept |= {name: str(home / place) for name, place in places.items()}
    # Where matplotlib keeps its list of fonts, which takes half a minute to make where there are many.
    return {**kept, "JUPYTER_PREFER_ENV_PATH": "1", "MPLCONFIGDIR": mpl.get_cachedir()}


def _wait_until_it_answers(process, url, log):
    deadline = time.monotonic() + STARTED
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"The server did not start: {log.read_text(encoding='utf-8', errors='replace')[-3000:]}")


def _end(process):
    """End a server with its kernels."""
    family = []
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
    for child in family:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    psutil.wait_procs(family, timeout=10)


def write_notebook(folder, name, *cells):
    """Write a notebook of code cells."""
    notebook = {
        "cells": [
            {
                "cell_type": "code", "id": f"cell-{n}", "execution_count": None, "metadata": {}, "outputs": [],
                "source": source.strip("\n"),
            }
            for n, source in enumerate(cells)
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }  # fmt: skip
    path = Path(folder) / name
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def open_notebook(page, kind, url, name):
    """Open a notebook of one cell, and run it.

    That a page begins to come is all that is waited for: its end comes with the notebook's, after a kernel has started and
    has run the cell. What a test looks for then says whether it has come.
    """
    if kind == "voila":
        page.goto(f"{url}/voila/render/{name}", wait_until="commit")
        return
    # On a busy machine JupyterLab says that its server was slow to answer; people close that and go on.
    dialog = page.locator("dialog.jp-Dialog")
    page.add_locator_handler(dialog, dialog.locator(".jp-mod-accept").first.click)
    page.goto(f"{url}/lab/tree/{name}?reset", wait_until="commit")
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", state="attached")
    prompt = page.locator(".jp-Notebook .jp-InputArea-prompt").first
    for _ in range(60):  # a kernel that is still starting does not hear it
        page.locator(".jp-Notebook .jp-Cell .cm-content").first.click()
        page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(1000)
        if prompt.inner_text().strip() != "[ ]:":
            return
    raise AssertionError("the cell was not run")
