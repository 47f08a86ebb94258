"""The command line: the same functions by the same names, over files."""

from __future__ import annotations

import shlex
import sys
import time
import warnings
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from esms_frames.analysis import summarize
from esms_frames.callbacks import read_callbacks
from esms_frames.campaign import results, resume, send
from esms_frames.cli_callbacks import callbacks
from esms_frames.cli_options import chosen, journal_option, old_journal_option, overwrite_option, phone_option, show
from esms_frames.cli_people import do_not_contact, forget, prune
from esms_frames.client import Client
from esms_frames.consent import Rule
from esms_frames.detection import phone_column
from esms_frames.errors import EsmsError, InvalidFile, PhoneColumnError, WouldFail
from esms_frames.files import SAMPLE, check_writable, read_customers, write_results
from esms_frames.journal import Journal
from esms_frames.message import MIN_BATCH, Message, SmsType, checked_campaign
from esms_frames.order import default_campaign
from esms_frames.preparation import prepare
from esms_frames.preview import plan
from esms_frames.results import Status, join_customers
from esms_frames.sandbox import Sandbox
from esms_frames.tracking import track

if TYPE_CHECKING:
    from collections.abc import Iterator

    from esms_frames.audience import Audience

INCOMPLETE = 3
"""Exit code of a send after which some recipients were refused, capped, not sent or are unknown."""


INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


_OPTIONS = {
    "phone='…'": "--phone COLUMN",
    "lower min_batch": "lower --min-batch",
    "journal=…": "--journal",
    "fill it in with message.for_each(df), or send it so with checks=False": "fill it in, or send it so with --no-checks",
    " or send_at=ef.next_allowed_time()": "",
    "with send_at=": "with --send-at ",
}
"""What the package's sentences name, and the option that it is here."""


class _Group(click.Group):
    """Show an error of the package as one sentence, with exit code 1, and a warning as one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)  # in the order in which they are used

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("default", UserWarning)
                warnings.showwarning = lambda message, *_: click.echo(f"Warning: {message}", err=True)
                return super().invoke(ctx)
        except EsmsError as error:
            raise click.ClickException(_with_options(str(error))) from error


def _with_options(sentence: str) -> str:
    """Name options where the package's sentence names what a program would pass."""
    for said, option in _OPTIONS.items():
        sentence = sentence.replace(said, option)
    return sentence


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


_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_sheet = click.option("--sheet", metavar="NAME", help="The sheet of an Excel file.")
_exclude = click.option(
    "--exclude",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file of numbers that are not to be texted.",
)


_output = click.option(
    "--output",
    metavar="FILE",
    help="Where to write the results, .csv, .xlsx or .parquet; results.csv if left out, or results-2.csv and so on.",
)


_concurrency = click.option(
    "--concurrency", type=click.IntRange(1, 64), default=4, show_default=True, help="Requests at once."
)


@main.command(short_help="Try everything on made-up customers and a sandbox.")
@_output
@overwrite_option
def demo(output: str | None, overwrite: bool) -> None:
    """Try everything: 1,000 made-up customers, a sandbox that delivers nothing, and the results."""
    path = chosen(output, overwrite)
    customers = read_customers(SAMPLE)
    click.echo(f"1. A file of {len(customers):,} made-up customers, as messy as real ones:\n")
    show(customers.head(5))
    audience = prepare(customers)
    click.echo(f"\n2. Who can be texted:\n\n{audience!r}")
    message = Message("Cam on quy khach da mua hang. Chuc quy khach mot ngay tot lanh!", "Baotrixemay")
    with Sandbox() as sandbox, TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        journal = Journal(Path(folder) / "journal.sqlite")
        planned = plan(audience, message, sandbox.client(), journal=journal)
        click.echo(f"\n3. Sending to a sandbox on this machine, which delivers nothing:\n\n{planned!r}\n")
        results = send(audience, message, sandbox.client(), journal=journal, progress=_on_a_terminal())
        journal.close()
    click.echo("\n4. What became of every row:\n")
    _show_results(customers, audience, results)
    written = _write(join_customers(customers, results), path)
    click.echo(
        f"\nAll {len(results):,} rows are in {written}.\n\n"
        "Next: check a file of your own, then send it to the sandbox before you send it for real:\n\n"
        "  esms-frames check customers.xlsx\n"
        "  esms-frames send customers.xlsx --sandbox --brandname Baotrixemay --content 'Cam on quy khach!'\n"
    )


@main.command(short_help="Tell who can be texted, who not and why.")
@_file
@phone_option
@_sheet
@_exclude
@click.option("--rejected", metavar="OUTPUT", help="Write the rows that can't be texted, with reasons, to this file.")
@overwrite_option
def check(
    file: Path, phone: str | None, sheet: str | None, exclude: Path | None, rejected: str | None, overwrite: bool
) -> None:
    """Tell who in FILE can be texted, who not and why. Nothing is sent."""
    path = chosen(rejected, overwrite, file) if rejected else None
    customers = read_customers(file, sheet=sheet)
    audience = _audience(customers, phone, exclude, min_batch=0)
    click.echo(repr(audience))
    if path:
        rows = (audience.frame["status"] != "ready").to_numpy()
        written = write_results(join_customers(customers[rows], audience.rejected), path)
        click.echo(f"\nThe {rows.sum():,} rejected rows are in {written}.")


@main.command("send", short_help="Send one text to everyone in a file, nobody twice.")
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
@click.option("--callback-url", metavar="URL", help="Where the gateway reports to; see `esms-frames callbacks`.")
@click.option("--campaign", metavar="NAME", help="Derived from the text if left out.")
@phone_option
@_sheet
@_exclude
@click.option("--sandbox", is_flag=True, help="Send to a sandbox started for this run; delivers nothing.")
@click.option(
    "--min-batch",
    type=click.IntRange(1, 5000),
    default=MIN_BATCH,
    show_default=True,
    help="How few numbers may be sent; can be lowered for customer care only.",
)
@click.option("--no-checks", is_flag=True, help="Send even if the gateway says beforehand that it would refuse.")
@click.option(
    "--rule-off",
    "rules_off",
    type=click.Choice([str(rule) for rule in Rule]),
    multiple=True,
    help="Switch off a rule of advertising, by its name; may be given several times.",
)
@_concurrency
@journal_option
@_output
@overwrite_option
@click.option("--yes", is_flag=True, help="Don't ask before sending for real.")
def send_file(
    file: Path,
    content: str,
    brandname: str,
    sms_type: str,
    send_at: str | None,
    callback_url: str | None,
    campaign: str | None,
    phone: str | None,
    sheet: str | None,
    exclude: Path | None,
    sandbox: bool,
    min_batch: int,
    no_checks: bool,
    rules_off: tuple[str, ...],
    concurrency: int,
    journal: str | None,
    output: str | None,
    overwrite: bool,
    yes: bool,
) -> None:
    """Send one text to everyone in FILE, nobody twice in a campaign, and write what became of each row.

    The gateway's keys come from the environment: ESMS_API_KEY, ESMS_SECRET_KEY and, if it is not the live gateway,
    ESMS_BASE_URL.
    """
    path = chosen(output, overwrite, file)
    message = Message(content, brandname, SmsType(sms_type), send_at, callback_url)  # type: ignore[arg-type] # parsed there
    name = default_campaign(message) if campaign is None else checked_campaign(campaign)
    customers = read_customers(file, sheet=sheet)
    check_writable(path, len(customers))
    audience = _audience(customers, phone, exclude, min_batch=min_batch)
    book = Journal(journal)
    with Sandbox(customer_care_floor=min_batch) if sandbox else nullcontext() as local:
        client = local.client() if local else Client.from_env()
        planned = plan(audience, message, client, campaign=name, journal=book, rules_off=rules_off)
        where = "a sandbox: nothing is delivered" if client.is_sandbox else client.base_url
        click.echo(f"{planned!r}\n  gateway     {where}\n")
        if planned.problems and not no_checks:
            raise WouldFail(planned.problems)
        if not (client.is_sandbox or yes):
            click.confirm(f"Text {planned.recipients:,} people now?", abort=True)
        with _interruptible(name):
            results = send(
                audience,
                message,
                client,
                campaign=name,
                journal=book,
                checks=False,  # just done
                rules_off=rules_off,
                concurrency=concurrency,
                progress=_on_a_terminal(),
            )
    _show_results(customers, audience, results)
    written = _write(join_customers(customers, results), path)
    click.echo(f"\nAll {len(results):,} rows are in {written}.")
    _exit_for(results)


@main.command("resume", short_help="Finish what was left unfinished or uncertain.")
@click.argument("campaign")
@_concurrency
@old_journal_option
@_output
@overwrite_option
def resume_campaign(campaign: str, concurrency: int, journal: str | None, output: str | None, overwrite: bool) -> None:
    """Finish what a run of CAMPAIGN left unfinished or uncertain; nobody is texted twice by it.

    The gateway's keys come from the environment, as for `send`.
    """
    path = chosen(output, overwrite)
    client = Client.from_env()
    with _interruptible(campaign):
        results = resume(campaign, client, journal=journal, concurrency=concurrency, progress=_on_a_terminal())
    _show_counts(results)
    click.echo(f"\nAll {len(results):,} numbers of the campaign are in {_write(results, path)}.")
    _exit_for(results)


@main.command("results", short_help="List the campaigns, or rebuild the results of one.")
@click.argument("campaign", required=False)
@click.option("--customers", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Their file again.")
@phone_option
@_sheet
@old_journal_option
@_output
@overwrite_option
def past_results(
    campaign: str | None,
    customers: Path | None,
    phone: str | None,
    sheet: str | None,
    journal: str | None,
    output: str | None,
    overwrite: bool,
) -> None:
    """Rebuild the results of CAMPAIGN from the journal; without CAMPAIGN, list the campaigns."""
    book = Journal(journal)
    if campaign is None:
        table = book.campaigns()
        click.echo(f"{book!r} has no campaigns yet." if table.empty else table.to_string(index=False))
        return
    path = chosen(output, overwrite, customers)
    if customers is None:
        table = found = results(campaign, journal=book)
    else:
        rows = read_customers(customers, sheet=sheet)
        found = results(campaign, rows, journal=book, phone=phone)
        table = join_customers(rows, found)
    _show_counts(found)
    click.echo(f"\nAll {len(found):,} rows are in {_write(table, path)}.")


@main.command("track", short_help="Learn what was delivered and what it cost.")
@click.argument("campaign")
@click.option("--customers", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Their file again.")
@phone_option
@_sheet
@click.option("--until-settled", is_flag=True, help="Ask again until nothing is pending or the time is over.")
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=600.0, show_default=True, help="Seconds for --until-settled."
)
@click.option(
    "--callbacks",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An access log with the gateway's callbacks, to use instead of asking it; those in the journal are used anyway.",
)
@_concurrency
@old_journal_option
@_output
@overwrite_option
def track_campaign(
    campaign: str,
    customers: Path | None,
    phone: str | None,
    sheet: str | None,
    until_settled: bool,
    timeout: float,
    callbacks: Path | None,
    concurrency: int,
    journal: str | None,
    output: str | None,
    overwrite: bool,
) -> None:
    """Learn what became of each message of CAMPAIGN and what it cost; nothing is sent.

    The gateway's keys come from the environment, as for `send`. They are not needed with --callbacks alone; with
    --until-settled, too, the gateway is asked about what the callbacks leave open.
    """
    path = chosen(output, overwrite, customers)
    called = None if callbacks is None else read_callbacks(callbacks)
    client = Client.from_env() if called is None or until_settled else None
    book = Journal(journal)
    rows = None if customers is None else read_customers(customers, sheet=sheet)
    found = track(
        results(campaign, rows, journal=book, client=client, phone=phone if customers else None),
        client,
        callbacks=called,
        journal=book,
        until="settled" if until_settled else None,
        timeout=timeout,
        concurrency=concurrency,
        progress=_on_a_terminal(),
    )
    table = found if rows is None else join_customers(rows, found)
    summary = summarize(found).drop(columns=["rows", "refused", "unknown", "not_sent"])
    click.echo(summary.to_string(na_rep="", float_format="{:.1%}".format, line_width=10_000))
    click.echo(f"\nAll {len(found):,} rows are in {_write(table, path)}.")


main.add_command(do_not_contact)
main.add_command(forget)
main.add_command(prune)


@main.command("sandbox", short_help="Run a gateway on this machine that delivers nothing.")
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


main.add_command(callbacks)


def _write(table: pd.DataFrame, path: Path) -> Path:
    """Write results; if that fails once all has been sent, keep them in the folder for temporary files."""
    try:
        return write_results(table, path)
    except InvalidFile as error:
        spare = Path(mkdtemp(prefix="esms-frames-")) / "results.csv"
        click.echo(f"Warning: {error}", err=True)
        return write_results(table, spare)


@contextmanager
def _interruptible(campaign: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"\nInterrupted. To go on: esms-frames resume {shlex.quote(campaign)}", err=True)
        sys.exit(INTERRUPTED)


def _exit_for(results: pd.DataFrame) -> None:
    if results["status"].isin([Status.REFUSED, Status.NOT_SENT, Status.UNKNOWN, Status.CAPPED]).any():
        sys.exit(INCOMPLETE)


def _audience(customers: pd.DataFrame, phone: str | None, exclude: Path | None, **limits: int) -> Audience:
    left_out = None if exclude is None else read_customers(exclude)
    if left_out is not None:
        try:
            phone_column(left_out)
        except PhoneColumnError as error:
            raise InvalidFile(
                f"It is not clear which column of {exclude} holds the numbers to leave out "
                f"({', '.join(error.candidates)}): save it with that column alone."
            ) from None
    return prepare(customers, phone, exclude=left_out, **limits)


def _show_results(customers: pd.DataFrame, audience: Audience, results: pd.DataFrame) -> None:
    """Show a row of each kind, and how many there are of it."""
    kinds = results.reset_index(drop=True).groupby(["status", "reason"], observed=True, dropna=False, sort=False)
    shown = (kinds.cumcount() < (1 if kinds.ngroups > 3 else 3)).to_numpy()
    names = dict.fromkeys([*customers.columns[:2], audience.column])
    show(
        join_customers(customers.loc[shown, list(names)], results.loc[shown, ["phone", "network", "status", "reason"]])
    )
    click.echo()
    _show_counts(results)


def _show_counts(results: pd.DataFrame) -> None:
    counted = results.groupby(["status", "reason"], observed=True, dropna=False).size().sort_values(ascending=False)
    for status, reason, rows in counted[counted > 0].reset_index().itertuples(index=False):
        click.echo(f"  {rows:>9,}  {status}{'' if pd.isna(reason) else f': {reason}'}")


def _on_a_terminal() -> bool:
    return sys.stderr.isatty()
