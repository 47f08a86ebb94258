"""The command line: the same functions by the same names, over files."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
import pandas as pd

from esms_frames.audience import Audience, prepare
from esms_frames.campaign import default_campaign, send
from esms_frames.client import Client
from esms_frames.errors import EsmsError
from esms_frames.files import SAMPLE, check_writable, read_customers, write_results
from esms_frames.message import Message, SmsType, checked_campaign
from esms_frames.results import Status, join_customers
from esms_frames.sandbox import Sandbox

INCOMPLETE = 3
"""Exit code of a send after which some recipients were refused, not sent or are unknown."""


class _Group(click.Group):
    """Show an error of the package as one sentence, with exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EsmsError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="esms-frames")
def main() -> None:
    r"""Send SMS to the customers of a file through eSMS (esms.vn), and learn what became of every row.

    \b
    Exit codes:
      0  done; of a send: the gateway accepted every recipient
      1  an error, said in one sentence; nothing was sent
      2  wrong usage
      3  sent, but some recipients were refused, not sent or are unknown: see the results
    """
    for stream in (sys.stdout, sys.stderr):  # a console without Vietnamese letters shows "?" for them
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_phone = click.option("--phone", metavar="COLUMN", help="The column of phone numbers; found by itself if left out.")
_sheet = click.option("--sheet", metavar="NAME", help="The sheet of an Excel file.")
_exclude = click.option(
    "--exclude",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file of numbers that are not to be texted.",
)


@main.command()
@click.option(
    "--output", default="results.csv", show_default=True, help="Where to write the results: .csv, .xlsx or .parquet."
)
def demo(output: str) -> None:
    """Try everything: 1,000 made-up customers, a sandbox that delivers nothing, and the results."""
    check_writable(output)
    customers = read_customers(SAMPLE)
    click.echo(f"1. A file of {len(customers):,} made-up customers, as messy as real ones:\n")
    _show(customers.head(5))
    audience = prepare(customers)
    click.echo(f"\n2. Who can be texted:\n\n{audience!r}")
    message = Message("Cam on quy khach da mua hang. Chuc quy khach mot ngay tot lanh!", "Baotrixemay")
    click.echo(
        f"\n3. Sending to a sandbox on this machine, which delivers nothing:\n\n{_described(message, audience)}\n"
    )
    with Sandbox() as sandbox:
        results = send(audience, message, sandbox.client(), progress=_on_a_terminal())
    click.echo("\n4. What became of every row:\n")
    _show_results(customers, audience, results)
    written = write_results(join_customers(customers, results), output)
    click.echo(
        f"\nAll {len(results):,} rows are in {written}.\n\n"
        "Next: check a file of your own, then send it to the sandbox before you send it for real:\n\n"
        "  esms-frames check customers.xlsx\n"
        "  esms-frames send customers.xlsx --sandbox --brandname Baotrixemay --content 'Cam on quy khach!'\n"
    )


@main.command()
@_file
@_phone
@_sheet
@_exclude
@click.option("--rejected", metavar="OUTPUT", help="Write the rows that can't be texted, with reasons, to this file.")
def check(file: Path, phone: str | None, sheet: str | None, exclude: Path | None, rejected: str | None) -> None:
    """Tell who in FILE can be texted, who not and why. Nothing is sent."""
    if rejected:
        check_writable(rejected)
    customers = read_customers(file, sheet=sheet)
    audience = _audience(customers, phone, exclude, min_batch=1)
    click.echo(repr(audience))
    if rejected:
        rows = (audience.frame["status"] != "ready").to_numpy()
        written = write_results(join_customers(customers[rows], audience.rejected), rejected)
        click.echo(f"\nThe {rows.sum():,} rejected rows are in {written}.")


@main.command("send")
@_file
@click.option("--content", required=True, help="The text.")
@click.option("--brandname", required=True, help="The registered sender name.")
@click.option(
    "--type",
    "sms_type",
    type=click.Choice([str(sms_type) for sms_type in SmsType]),
    default=str(SmsType.CUSTOMER_CARE),
    show_default=True,
)
@click.option("--send-at", metavar="TIME", help="Schedule, Vietnam time: '2030-01-31 08:00'. At once if left out.")
@click.option("--campaign", metavar="NAME", help="Derived from the text if left out.")
@_phone
@_sheet
@_exclude
@click.option("--sandbox", is_flag=True, help="Send to a sandbox started for this run; delivers nothing.")
@click.option("--concurrency", type=click.IntRange(1, 64), default=4, show_default=True, help="Requests at once.")
@click.option("--output", default="results.csv", show_default=True, help="Where to write the results.")
@click.option("--yes", is_flag=True, help="Don't ask before sending for real.")
def send_file(
    file: Path,
    content: str,
    brandname: str,
    sms_type: str,
    send_at: str | None,
    campaign: str | None,
    phone: str | None,
    sheet: str | None,
    exclude: Path | None,
    sandbox: bool,
    concurrency: int,
    output: str,
    yes: bool,
) -> None:
    """Send one text to everyone in FILE, and write what became of each row.

    The gateway's keys come from the environment: ESMS_API_KEY, ESMS_SECRET_KEY and, if it is not the live gateway,
    ESMS_BASE_URL.
    """
    check_writable(output)
    message = Message(content, brandname, SmsType(sms_type), send_at)  # type: ignore[arg-type] # checked and parsed there
    name = default_campaign(message) if campaign is None else checked_campaign(campaign)
    customers = read_customers(file, sheet=sheet)
    audience = _audience(customers, phone, exclude)
    with Sandbox() if sandbox else nullcontext() as local:
        client = local.client() if local else Client.from_env()
        balance = client.balance()
        click.echo(
            f"{audience!r}\n\n{_described(message, audience)}\n"
            f"  campaign    {name}\n"
            f"  gateway     {'a sandbox: nothing is delivered' if client.is_local else client.base_url}\n"
            f"  balance     {balance:,} VND\n"
        )
        if not (client.is_local or yes):
            click.confirm(f"Text {len(audience.ready):,} people now?", abort=True)
        results = send(audience, message, client, campaign=name, concurrency=concurrency, progress=_on_a_terminal())
    written = write_results(join_customers(customers, results), output)
    _show_results(customers, audience, results)
    click.echo(f"\nAll {len(results):,} rows are in {written}.")
    if results["status"].isin([Status.REFUSED, Status.NOT_SENT, Status.UNKNOWN]).any():
        sys.exit(INCOMPLETE)


@main.command("sandbox")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Where to listen; any free port if left out.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, other deliveries.")
@click.option(
    "--latency", type=click.FloatRange(min=0), default=0.0, show_default=True, help="Seconds an answer takes."
)
@click.option("--balance", type=click.IntRange(min=0), default=100_000_000, show_default=True, help="VND at first.")
def sandbox_server(port: int, seed: int, latency: float, balance: int) -> None:
    """Run a gateway on this machine that delivers nothing, until Ctrl-C."""
    with Sandbox(port=port, seed=seed, latency=latency, balance=balance) as sandbox:
        click.echo("A sandbox listens on this machine. Clients find it by these settings:\n")
        for variable, value in (
            ("ESMS_BASE_URL", sandbox.url),
            ("ESMS_API_KEY", sandbox.api_key),
            ("ESMS_SECRET_KEY", sandbox.secret_key),
        ):
            click.echo(f"{'set' if sys.platform == 'win32' else 'export'} {variable}={value}")
        click.echo("\nPress Ctrl-C to stop it.")
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            click.echo(f"\nStopped; {len(sandbox.sent):,} messages were taken.")


def _audience(customers: pd.DataFrame, phone: str | None, exclude: Path | None, **limits: int) -> Audience:
    left_out = None if exclude is None else read_customers(exclude)
    return prepare(customers, phone, exclude=left_out, **limits)


def _described(message: Message, audience: Audience) -> str:
    recipients = len(audience.ready)
    schedule = f"{message.send_at:%Y-%m-%d %H:%M:%S} Vietnam time" if message.send_at else "at once"
    parts = f"{message.parts} part{'s' if message.parts > 1 else ''}"
    return "\n".join(
        [
            f"  text        {message.content}",
            f"  length      {message.characters} characters, {message.encoding}: {parts} a message",
            f"  from        {message.brandname}, {message.sms_type}",
            f"  when        {schedule}",
            f"  recipients  {recipients:,}, {recipients * message.parts:,} parts in all",
        ]
    )


def _show_results(customers: pd.DataFrame, audience: Audience, results: pd.DataFrame) -> None:
    """Show a row of each kind, and how many there are of it."""
    kinds = results.groupby(["status", "reason"], observed=True, dropna=False, sort=False)
    counted = kinds.size().sort_values(ascending=False)
    shown = (kinds.cumcount() < (1 if len(counted) > 3 else 3)).to_numpy()
    row = customers.loc[:, [*customers.columns[:2].difference([audience.column], sort=False), audience.column]]
    _show(join_customers(row[shown], results.loc[shown, ["phone", "network", "status", "reason", "batch"]]))
    click.echo()
    for status, reason, rows in counted.reset_index().itertuples(index=False):
        click.echo(f"  {rows:>9,}  {status}{'' if pd.isna(reason) else f': {reason}'}")


def _show(frame: pd.DataFrame) -> None:
    click.echo(frame.to_string(index=False, max_colwidth=24, na_rep="", line_width=10_000))


def _on_a_terminal() -> bool:
    return sys.stderr.isatty()
