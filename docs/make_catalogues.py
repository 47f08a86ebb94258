"""Extract the texts that people are shown, and bring the catalogues of translations up to date.

``python docs/make_catalogues.py`` adds new texts to each catalogue, without a translation, and takes out those that are
not shown any more; ``python docs/make_catalogues.py --check`` lists both and changes nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from esms_frames.apps.forms.text.results_labels import RESULTS_LABELS
from esms_frames.base import codes, errors
from esms_frames.messages.limits import SmsType
from esms_frames.recipients.number_lists import PLAIN
from esms_frames.recipients.row_status import STATUSES
from esms_frames.reporting.frame import Status

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

ROOT = Path(__file__).parents[1]
LOCALE = ROOT / "esms_frames" / "base" / "language" / "locale"
ERRORS = "EsmsError InvalidInput InvalidFile JournalError GatewayError Unreachable NoAnswer BadAnswer PhoneColumnError"
KEYWORDS = dict.fromkeys([*ERRORS.split(), "Sentence", "mark", "phrase", "kind"]) | {"InvalidMessage": (2,)}
"""What takes a template, by name; the first argument of each but the last."""


SURFACES = {"form", "cli", "plot"}
"""Contexts in which a text may have a translation of its own."""

Text = tuple[str | None, str]  # context and text


def extract() -> set[Text]:
    """Return the texts of the package: those in its sources, and those in tables of codes, statuses and labels."""
    found = extract_from_dir(ROOT / "esms_frames", [("**.py", "python")], keywords=KEYWORDS)
    texts = {text for _, _, text, _, _ in found if isinstance(text, str) and text}
    return {(None, text) for text in texts | _in_tables()} | _labels()


def _in_tables() -> set[str]:
    entries = [entry for code, entry in codes.CODES.items() if code != 100]  # which is no refusal
    said = {text for entry in (*entries, codes._OTHER, errors._WITHOUT_CODE) for text in (entry.meaning, entry.advice)}
    types = {str(sms_type).replace("_", " ") for sms_type in SmsType}
    return {*said, *types, *errors._REFUSED.values(), *PLAIN.values(), *map(str, PLAIN), *map(str, Status), *STATUSES}


def _labels() -> set[Text]:
    return {(f"label {key}", label) for key, label in RESULTS_LABELS.items()}


def read(language: str) -> Catalog:
    """Read the catalogue of a language."""
    with (LOCALE / language / "LC_MESSAGES" / "esms_frames.po").open("rb") as stream:
        return read_po(stream, abort_invalid=True)


def missing_of(language: str, texts: set[Text]) -> list[Text]:
    """Return the texts that the catalogue of a language has no translation of."""
    there = {(message.context, message.id) for message in read(language) if message.id and message.string}
    return sorted(texts - there, key=str)


def unused_of(language: str, texts: set[Text]) -> list[Text]:
    """Return the texts in the catalogue of a language that nobody is shown."""
    there = {(message.context, message.id) for message in read(language) if message.id}
    of_surfaces = {(surface, text) for surface in SURFACES for context, text in texts if context is None}
    return sorted(there - texts - of_surfaces, key=str)


def update(language: str, texts: set[Text]) -> None:
    """Write the catalogue of a language anew; the English one holds but what a surface says in words of its own."""
    catalogue, target = read(language), LOCALE / language / "LC_MESSAGES" / "esms_frames.po"
    for context, text in unused_of(language, texts):
        catalogue.delete(text, context)
    for context, text in missing_of(language, texts) if language != "en" else ():
        catalogue.add(text, context=context)
    with target.open("wb") as stream:
        write_po(stream, catalogue, width=110, sort_output=True)


if __name__ == "__main__":
    shown = extract()
    for name in sorted(path.name for path in LOCALE.iterdir() if path.is_dir()):
        lacking = [] if name == "en" else missing_of(name, shown)
        for _, text in lacking:
            print(f"{name}: no translation: {text}")
        for _, text in unused_of(name, shown):
            print(f"{name}: not shown any more: {text}")
        if "--check" not in sys.argv:
            update(name, shown)
