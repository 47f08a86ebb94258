"""Take pictures of the form and of the view of results, as they look in a browser, at two widths.

Run: python tests/browser/screenshots.py --out DIR [--lang en] [--where lab]

The pictures are of Voila, or of JupyterLab with ``--where lab``; everything is sent to a sandbox. Look at each.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import sync_playwright

import esms_frames as ef
from browser.servers import CHROMIUM, open_notebook, server, write_notebook
from esms_frames.apps.forms.text.labels import Words

WIDTHS = (1280, 900)
TEXT = "Cảm ơn quý khách đã mua hàng tại cửa hàng của chúng tôi. Chúc quý khách một ngày tốt lành!"
SETUP = """
import os
os.environ["ESMS_JOURNAL"] = {journal!r}
import esms_frames as ef
client = ef.Client({key!r}, {secret!r}, base_url={url!r})
customers = ef.read_customers(ef.SAMPLE)
"""
FORM = """
form = ef.SendForm(customers, client, lang={lang!r})
form
"""
VIEW = """
message = ef.Message("Cam on quy khach da mua hang!", "Baotrixemay")
messages = {{"VIP": message, "thân thiết": message, "mới": message}}
results = ef.send(customers, messages, client, by="segment", campaign="hinh", progress=False)
view = ef.ResultsView(ef.track(results, client, progress=False), client, lang={lang!r})
view
"""


def button(page, text):
    """The button with this text; the sign in front of it counts as text to a browser."""
    return page.get_by_role("button", name=re.compile(rf"^\W*{re.escape(text)}"))


def shoot(page, out, name):
    """Take a picture of everything that is shown, however long."""
    page.wait_for_timeout(500)
    view = page.locator(".jp-OutputArea-output .widget-vbox").first
    height = view.evaluate("view => view.scrollHeight")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": height + 260})
    page.wait_for_timeout(300)
    view.screenshot(path=out / f"{name}.png")


def fill_form(page, words, out, label):
    """Go through the form, and take pictures on the way."""
    page.get_by_label(words("content")).wait_for()
    shoot(page, out, f"form-1-empty-{label}")
    page.get_by_label(words("content")).fill(TEXT)
    button(page, words("check")).click()
    send = button(page, words("send_count", count=861))
    send.wait_for()
    shoot(page, out, f"form-2-checked-{label}")
    send.click()
    page.get_by_role("img", name=words("chart_alt", accepted=861, recipients=861)).wait_for()
    shoot(page, out, f"form-3-sent-{label}")
    page.get_by_label(words("phone_column")).select_option(label="city")
    button(page, words("check")).click()
    page.wait_for_timeout(1500)
    shoot(page, out, f"form-4-wrong-column-{label}")


def look_at_results(page, words, out, label):
    """Filter, track and page the view of results."""
    page.locator("img[alt]").wait_for()
    shoot(page, out, f"results-1-all-{label}")
    page.get_by_label(words("status"), exact=True).select_option(label=words("status_invalid") + " (73)")
    page.locator("img[alt*='73']").wait_for()
    button(page, "Tạo tệp CSV" if words.lang == "vi" else "Make a CSV").click()
    page.locator("a[download]").wait_for()
    shoot(page, out, f"results-2-filtered-{label}")


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--lang", choices=["vi", "en"], default="vi")
    parser.add_argument("--where", choices=["voila", "lab"], default="voila")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    words = Words(args.lang)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary, sync_playwright() as playwright:
        folder, home = Path(temporary, "notebooks"), Path(temporary, "home")
        folder.mkdir()
        home.mkdir()
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        with server(args.where, folder, home) as url:
            for width in WIDTHS:
                for name, source, walk in (("form", FORM, fill_form), ("results", VIEW, look_at_results)):
                    with ef.Sandbox(balance=10**9, report_delay=0) as sandbox:
                        journal = str(home / f"{name}-{width}.sqlite")
                        setup = SETUP.format(
                            journal=journal, key=sandbox.api_key, secret=sandbox.secret_key, url=sandbox.url
                        )
                        write_notebook(folder, f"{name}-{width}.ipynb", setup + source.format(lang=args.lang))
                        context = browser.new_context(viewport={"width": width, "height": 1000}, locale="vi-VN")
                        page = context.new_page()
                        open_notebook(page, args.where, url, f"{name}-{width}.ipynb")
                        if args.where == "lab":
                            page.keyboard.press("Control+b")  # without the list of files
                        walk(page, words, args.out, f"{width}-{args.lang}-{args.where}")
                        context.close()
        browser.close()
    print(f"{len(list(args.out.glob('*.png')))} pictures in {args.out}")


if __name__ == "__main__":
    main()
