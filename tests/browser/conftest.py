from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

from browser.servers import CHROMIUM, open_notebook, server, write_notebook

HERE = Path(__file__).parent
SIZE = {"width": 1280, "height": 900}
PATIENCE = 180_000  # milliseconds for anything to appear: a machine that runs CI may be busy


def pytest_collection_modifyitems(items):
    """Try once more what a browser did not show in time, which may be the machine's doing; the summary names it (R)."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=["^TimeoutError"]))


def need(there, name):
    """Skip on a laptop what it lacks, and fail in CI."""
    if there:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{name} is missing: .ci/run must install it")
    pytest.skip(f"needs {name}")


@pytest.fixture(scope="package")
def chromium():
    """Give a browser; while there is one an event loop runs in this thread, which no other test must meet."""
    need(importlib.util.find_spec("playwright"), "playwright")
    program = shutil.which("chromium")
    need(program, "chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def notebooks(tmp_path_factory):
    return tmp_path_factory.mktemp("notebooks")


def serving(kind, module):
    @pytest.fixture(scope="package", name=f"{kind}_url")
    def started(notebooks, tmp_path_factory):
        need(importlib.util.find_spec(module), module)
        with server(kind, notebooks, tmp_path_factory.mktemp(kind)) as url:
            yield url

    return started


lab_url = serving("lab", "jupyterlab")
voila_url = serving("voila", "voila")


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport=SIZE, locale="vi-VN", timezone_id="Asia/Ho_Chi_Minh", accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


class Place:
    """Where a notebook of one cell is shown: JupyterLab or Voila."""

    def __init__(self, kind, url, page, folder, name):
        self.kind, self.page = kind, page
        self._url, self._folder, self._name = url, folder, name

    @property
    def notebook(self):
        return self._folder / self._name

    def show(self, cell):
        """Write a notebook of this cell, open it, and run it."""
        write_notebook(self._folder, self._name, cell)
        self.open()
        return self

    def open(self):
        open_notebook(self.page, self.kind, self._url, self._name)

    def again(self):
        """Open the notebook anew, with another kernel."""
        self.end()
        self.open()

    def end(self):
        """End the kernels of JupyterLab; Voila ends its own with the page."""
        if self.kind == "lab":
            cookies = {cookie["name"]: cookie["value"] for cookie in self.page.context.cookies(self._url)}
            headers = {"X-XSRFToken": cookies.get("_xsrf", "")}
            for session in self.page.request.get(f"{self._url}/api/sessions").json():
                answer = self.page.request.delete(f"{self._url}/api/sessions/{session['id']}", headers=headers)
                assert answer.ok, answer.status_text

    def save(self):
        """Save the notebook, as with the menu."""
        before = self.notebook.read_bytes()
        self.page.locator(".jp-Notebook").first.click(position={"x": 5, "y": 5})
        self.page.keyboard.press("Control+s")
        self.page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")
        for _ in range(600):
            if self.notebook.read_bytes() != before:
                return
            self.page.wait_for_timeout(100)
        raise AssertionError("the notebook was not saved")

    @property
    def output(self):
        """The element that holds what the notebook shows."""
        return self.page.locator(".jp-OutputArea-output .widget-vbox").first


@pytest.fixture
def place(request, page, notebooks, tmp_path):
    """Where the test is to run: ``voila`` unless it is parametrised with others."""
    kind = getattr(request, "param", "voila")
    url = request.getfixturevalue(f"{kind}_url")
    found = Place(kind, url, page, notebooks, f"{tmp_path.name}.ipynb")
    yield found
    found.end()


@pytest.fixture
def setup(sandbox, tmp_path):
    """The first lines of a notebook: the sandbox of the test, and a journal of its own."""
    return f"""
import os
import shutil
os.environ["ESMS_JOURNAL"] = {str(tmp_path / "notebook.sqlite")!r}
import pandas as pd
import esms_frames as ef
client = ef.Client({sandbox.api_key!r}, {sandbox.secret_key!r}, base_url={sandbox.url!r})
"""
