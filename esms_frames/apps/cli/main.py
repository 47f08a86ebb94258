"""The command line: the same functions by the same names, over files."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from esms_frames.apps.cli.campaigns import check, past_results, resume_campaign, send_file, track_campaign
from esms_frames.apps.cli.options import choose_output, echo, output_option, overwrite_option, show
from esms_frames.apps.cli.outcomes import is_on_a_terminal, show_results, write_or_keep
from esms_frames.apps.cli.people import do_not_contact, forget, prune
from esms_frames.apps.cli.sandbox import sandbox_server
from esms_frames.apps.cli.serve import callbacks
from esms_frames.base.errors import EsmsError, InvalidInput, visible
from esms_frames.base.language.catalogue import phrase, translate
from esms_frames.campaigns.plan import plan
from esms_frames.campaigns.send import send
from esms_frames.journal.journal import Journal
from esms_frames.messages.message import Message
from esms_frames.recipients.files.customer_files import SAMPLE, read_customers
from esms_frames.recipients.prepare import prepare
from esms_frames.reporting.joined import join_customers
from esms_frames.sandbox.sandbox import Sandbox

_NEXT = """
  esms-frames check customers.xlsx
  esms-frames send customers.xlsx --sandbox --brandname Baotrixemay --content 'Cam on quy khach!'
"""


def _say(sentence: object) -> str:
    """Write a sentence in the language of `ef.options`, naming options where a program would pass arguments."""
    try:
        return translate(sentence, surface="cli")
    except InvalidInput:  # ESMS_LANG names no language, which is what the sentence is about
        return str(sentence)


class _Group(click.Group):
    """Show an error of the package as one sentence, with exit code 1, and a warning as one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)  # in the order in which they are used

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("default", UserWarning)
                warnings.showwarning = lambda message, *_: echo(phrase("Warning: {text}", text=_say(message)), err=True)
                return super().invoke(ctx)
        except EsmsError as error:
            raise click.ClickException(visible(_say(error), lines=True)) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="esms-frames")
def main() -> None:
    """Send SMS to the customers of a file through eSMS (esms.vn), and learn what became of every row.

    \b
    Exit codes:
        0  done; of a send: the gateway has accepted every recipient
        1  an error, said in one sentence; nothing more was sent
        2  wrong usage
        3  some recipients were refused, capped, not sent or are unknown: see the results
      130  interrupted: `esms-frames resume` goes on
    """  # noqa: D301 - click wants the control character
    for stream in (sys.stdout, sys.stderr):  # a console without Vietnamese letters shows "?" for them
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


@main.command(short_help="Try everything on made-up customers and a sandbox.")
@output_option
@overwrite_option
def demo(output: str | None, overwrite: bool) -> None:
    """Try everything: 1,000 made-up customers, a sandbox that delivers nothing, and the results."""
    path = choose_output(output, overwrite)
    customers = read_customers(SAMPLE)
    echo(phrase("1. A file of {count} made-up customers, as messy as real ones:", count=len(customers)) + "\n")
    show(customers.head(5))
    audience = prepare(customers)
    echo("\n" + phrase("2. Who can be texted:") + f"\n\n{audience!r}")
    message = Message("Cam on quy khach da mua hang. Chuc quy khach mot ngay tot lanh!", "Baotrixemay")
    with Sandbox() as sandbox, TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        journal = Journal(Path(folder) / "journal.sqlite")
        planned = plan(audience, message, sandbox.client(), journal=journal)
        echo("\n" + phrase("3. Sending to a sandbox on this machine, which delivers nothing:") + f"\n\n{planned!r}\n")
        results = send(audience, message, sandbox.client(), journal=journal, progress=is_on_a_terminal())
        journal.close()
    echo("\n" + phrase("4. What became of every row:") + "\n")
    show_results(customers, audience, results)
    written = write_or_keep(join_customers(customers, results), path)
    echo("\n" + phrase("All {rows} rows are in {file}.", rows=len(results), file=written) + "\n")
    echo(phrase("Next: check a file of your own, then send it to the sandbox before you send it for real:"))
    echo(_NEXT)


for command in (
    check,
    send_file,
    resume_campaign,
    past_results,
    track_campaign,
    do_not_contact,
    forget,
    prune,
    sandbox_server,
    callbacks,
):
    main.add_command(command)
