"""The command that runs a sandbox, for clients in any language."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from esms_frames.base.errors import InvalidInput
from esms_frames.base.language.catalogue import phrase
from esms_frames.messages.limits import MAX_BATCH, MIN_BATCH, SmsType
from esms_frames.sandbox.account import BRANDNAMES
from esms_frames.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterable


API_KEY, SECRET_KEY = "ESMS_SANDBOX_API_KEY", "ESMS_SANDBOX_SECRET_KEY"
"""Where the keys come from. Not from ESMS_API_KEY and ESMS_SECRET_KEY, which may be those of a live account."""

NAP = 0.5
"""Seconds after which the command looks for a Ctrl-C that came just before it fell asleep, and so did not wake it."""

_TYPES = [str(sms_type) for sms_type in SmsType]


@click.command("sandbox", short_help="Run a gateway on this machine that delivers nothing.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Where to listen; any free port if left out.")
@click.option(
    "--state",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file in which the account lives on, with its keys and what it took; a new file is readable by you only.",
)
@click.option("--balance", type=click.IntRange(min=0), default=100_000_000, show_default=True, help="VND at first.")
@click.option(
    "--brandname",
    "brandnames",
    metavar="NAME[=TYPE]",
    multiple=True,
    help="A registered name and its type, customer_care if left out, or advertising; may be given several times. By "
    "default Baotrixemay and QC_ONLINE.",
)
@click.option(
    "--template",
    "templates",
    metavar="NAME=TEXT",
    multiple=True,
    help="A customer-care template of a brandname, such as 'Shop=Ma cua ban la {P1,8}'; may be given several times. By "
    "default, and for other names, any text passes.",
)
@click.option(
    "--blocked", metavar="NUMBER", multiple=True, help="A number that is refused with 99; may be given several times."
)
@click.option(
    "--customer-care-floor",
    type=click.IntRange(1, MAX_BATCH),
    default=MIN_BATCH,
    show_default=True,
    help="How few numbers a customer-care request by XML may have; 1 lets the vendor's one-number sample pass.",
)
@click.option(
    "--requests-per-second", type=click.IntRange(min=1), help="Refuse what comes faster with 160; no limit if left out."
)
@click.option(
    "--same-text-pause",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Seconds within which a number gets the same text once, by the operations for one number; the vendor says 300.",
)
@click.option(
    "--latency", type=click.FloatRange(min=0), default=0.0, show_default=True, help="Seconds an answer takes."
)
@click.option(
    "--report-delay",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    help="Seconds until the last delivery report of a send.",
)
@click.option(
    "--fault",
    "faults",
    metavar="NAME=SHARE",
    multiple=True,
    help="What goes wrong with a share of the requests to send, such as cut_after=0.1; may be given several times. The "
    "names: cut_before, cut_after, slow, unavailable, garbage, busy, invalid.",
)
@click.option(
    "--slow-seconds",
    type=click.FloatRange(min=0),
    default=90.0,
    show_default=True,
    help="How long a slow answer takes.",
)
@click.option("--keeps-refused-ids", is_flag=True, help="A refused request uses its request id up, as the gateway may.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, other deliveries and faults.")
def sandbox_server(
    brandnames: tuple[str, ...], templates: tuple[str, ...], faults: tuple[str, ...], **options: Any
) -> None:
    """Run a gateway on this machine that delivers nothing, for clients in any language, until Ctrl-C.

    Its keys are those of --state, or random ones. To choose them, set ESMS_SANDBOX_API_KEY and ESMS_SANDBOX_SECRET_KEY:
    they are read from the environment and not from the command line, where other users of the machine could see them.
    """
    api_key, secret_key = os.environ.get(API_KEY) or None, os.environ.get(SECRET_KEY) or None
    with Sandbox(
        brandnames=_brandnames(brandnames) if brandnames else None,
        templates=_templates(templates, brandnames) if templates or brandnames else None,
        faults={name: _share(name, share) for name, share in _pairs("--fault", faults)},
        api_key=api_key,
        secret_key=secret_key,
        **options,
    ) as running:
        try:
            click.echo(phrase("A sandbox listens on this machine. Clients find it by these settings:") + "\n")
            _show("ESMS_BASE_URL", running.url)
            _show("ESMS_API_KEY", running.api_key if api_key is None else _reference(API_KEY))
            _show("ESMS_SECRET_KEY", running.secret_key if secret_key is None else _reference(SECRET_KEY))
            click.echo("\n" + phrase("Press Ctrl-C to stop it."))
            while True:
                time.sleep(NAP)
        except KeyboardInterrupt:
            click.echo("\n" + phrase("Stopped; {count} messages were taken.", count=len(running.sent)))


def _show(variable: str, value: str) -> None:
    """Show a setting as a shell takes it."""
    click.echo(f"{'set' if sys.platform == 'win32' else 'export'} {variable}={value}")


def _reference(variable: str) -> str:
    """Name a key that came from the environment, instead of showing it."""
    return f"%{variable}%" if sys.platform == "win32" else f'"${variable}"'


def _brandnames(given: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in given:
        name, _, sms_type = one.rpartition("=") if one.rpartition("=")[2] in _TYPES else (one, "", "customer_care")
        found.setdefault(name, []).append(sms_type)
    return found


def _templates(given: Iterable[str], brandnames: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in _brandnames(brandnames) or BRANDNAMES}
    for name, text in _pairs("--template", given):
        if name not in found:
            raise InvalidInput(
                "--template names {name}, which is no brandname here: add --brandname {name}.",
                name=repr(name),
            )
        found[name].append(text)
    return found


def _pairs(option: str, given: Iterable[str]) -> list[tuple[str, str]]:
    pairs = [one.partition("=") for one in given]
    if wrong := [name for name, sign, value in pairs if not (name and sign and value)]:
        raise InvalidInput(
            "{option} {wrong} holds no value: write it as NAME=VALUE.", option=option, wrong=repr(wrong[0])
        )
    return [(name, value) for name, _, value in pairs]


def _share(name: str, share: str) -> float:
    try:
        return float(share)
    except ValueError:
        raise InvalidInput(
            "--fault {name}={share} is no share of the requests: write {name}=0.1 for a tenth.",
            name=name,
            share=share,
        ) from None
