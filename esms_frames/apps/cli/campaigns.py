"""The commands about campaigns: check a file, send to it, finish a run, and learn what became of it."""

from __future__ import annotations

import shlex
import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import click
import pandas as pd

from esms_frames.apps.cli.options import (
    CustomerFile,
    choose_output,
    echo,
    journal_option,
    old_journal_option,
    output_option,
    overwrite_option,
    phone_option,
)
from esms_frames.apps.cli.outcomes import is_on_a_terminal, show_counts, show_results, write_or_keep
from esms_frames.base.errors import InvalidFile, PhoneColumnError, WouldFail, visible
from esms_frames.base.language.catalogue import phrase
from esms_frames.campaigns.decisions.order import default_campaign
from esms_frames.campaigns.past_results import results
from esms_frames.campaigns.plan import plan
from esms_frames.campaigns.send import resume, send
from esms_frames.gateway.client import Client
from esms_frames.journal.journal import Journal
from esms_frames.messages.advertising_rules import Rule
from esms_frames.messages.limits import MIN_BATCH, SmsType, check_campaign
from esms_frames.messages.message import Message
from esms_frames.recipients.files.customer_files import read_customers
from esms_frames.recipients.find_column import phone_column
from esms_frames.recipients.prepare import prepare
from esms_frames.reporting.files import check_writable, write_results
from esms_frames.reporting.frame import Status
from esms_frames.reporting.joined import join_customers
from esms_frames.reporting.summary import summarize
from esms_frames.sandbox.sandbox import Sandbox
from esms_frames.tracking.callback_logs import read_callbacks
from esms_frames.tracking.track import track

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from esms_frames.recipients.audience import Audience


INCOMPLETE = 3
"""Exit code of a send after which some recipients were refused, capped, not sent or are unknown."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

_file = click.argument("file", type=CustomerFile())
_sheet = click.option("--sheet", metavar="NAME", help="The sheet of an Excel file.")
_exclude = click.option(
    "--exclude",
    type=CustomerFile(),
    help="A file of numbers that are not to be texted.",
)
_concurrency = click.option(
    "--concurrency", type=click.IntRange(1, 64), default=4, show_default=True, help="Requests at once."
)


@click.command("check", short_help="Tell who can be texted, who not and why.")
@_file
@phone_option
@_sheet
@_exclude
@click.option("--rejected", metavar="OUTPUT", help="Write the rows that can't be texted, with reasons, to this file.")
@overwrite_option
def check(
    file: Path, phone: str | None, sheet: str | None, exclude: Path | None, rejected: str | None, overwrite: bool
) -> None:
    """Show who in FILE can be texted, who not and why. Nothing is sent."""
    path = choose_output(rejected, overwrite, file) if rejected else None
    customers = read_customers(file, sheet=sheet)
    audience = _audience(customers, phone, exclude, min_batch=0)
    echo(repr(audience))
    if path:
        rows = (audience.frame["status"] != "ready").to_numpy()
        written = write_results(join_customers(customers[rows], audience.rejected), path)
        echo("\n" + phrase("The {rows} rejected rows are in {file}.", rows=rows.sum(), file=written))


@click.command("send", short_help="Send one text to everyone in a file, nobody twice.")
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
@output_option
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
    path = choose_output(output, overwrite, file)
    message = Message(content, brandname, SmsType(sms_type), send_at, callback_url)  # type: ignore[arg-type] # parsed there
    name = default_campaign(message) if campaign is None else check_campaign(campaign)
    customers = read_customers(file, sheet=sheet)
    check_writable(path, len(customers))
    audience = _audience(customers, phone, exclude, min_batch=min_batch)
    book = Journal(journal)
    with Sandbox(customer_care_floor=min_batch) if sandbox else nullcontext() as local:
        client = local.client() if local else Client.from_env()
        planned = plan(audience, message, client, campaign=name, journal=book, rules_off=rules_off)
        where = phrase("a sandbox: nothing is delivered") if client.is_sandbox else client.base_url
        heading = phrase("gateway")
        echo(f"{planned!r}\n  {heading:<11} {where}\n")
        if planned.problems and not no_checks:
            raise WouldFail(planned.problems)
        if not (client.is_sandbox or yes):
            click.confirm(phrase("Text {recipients} people now?", recipients=planned.recipients), abort=True)
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
                progress=is_on_a_terminal(),
            )
    show_results(customers, audience, results)
    written = write_or_keep(join_customers(customers, results), path)
    echo("\n" + phrase("All {rows} rows are in {file}.", rows=len(results), file=written))
    _exit_for(results)


@click.command("resume", short_help="Finish what was left unfinished or uncertain.")
@click.argument("campaign")
@_concurrency
@old_journal_option
@output_option
@overwrite_option
def resume_campaign(campaign: str, concurrency: int, journal: str | None, output: str | None, overwrite: bool) -> None:
    """Finish what a run of CAMPAIGN left unfinished or uncertain; nobody is texted twice by it.

    The gateway's keys come from the environment, as for `send`.
    """
    path = choose_output(output, overwrite)
    client = Client.from_env()
    with _interruptible(campaign):
        results = resume(campaign, client, journal=journal, concurrency=concurrency, progress=is_on_a_terminal())
    show_counts(results)
    echo(
        "\n"
        + phrase(
            "All {rows} numbers of the campaign are in {file}.", rows=len(results), file=write_or_keep(results, path)
        )
    )
    _exit_for(results)


@click.command("results", short_help="List the campaigns, or rebuild the results of one.")
@click.argument("campaign", required=False)
@click.option("--customers", type=CustomerFile(), help="Their file again.")
@phone_option
@_sheet
@old_journal_option
@output_option
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
        empty = phrase("{journal} has no campaigns yet.", journal=repr(book))
        echo(empty if table.empty else table.to_string(index=False))
        return
    path = choose_output(output, overwrite, customers)
    if customers is None:
        table = found = results(campaign, journal=book)
    else:
        rows = read_customers(customers, sheet=sheet)
        found = results(campaign, rows, journal=book, phone=phone)
        table = join_customers(rows, found)
    show_counts(found)
    echo("\n" + phrase("All {rows} rows are in {file}.", rows=len(found), file=write_or_keep(table, path)))


@click.command("track", short_help="Learn what was delivered and what it cost.")
@click.argument("campaign")
@click.option("--customers", type=CustomerFile(), help="Their file again.")
@phone_option
@_sheet
@click.option("--until-settled", is_flag=True, help="Ask again until nothing is pending or the time is over.")
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=600.0, show_default=True, help="Seconds for --until-settled."
)
@click.option(
    "--callbacks",
    type=CustomerFile(),
    help="An access log with the gateway's callbacks, to use instead of asking it; those in the journal are used anyway.",
)
@click.option("--callback-path", metavar="PATH", help="Of the log, use calls to paths that begin so: /esms/.")
@_concurrency
@old_journal_option
@output_option
@overwrite_option
def track_campaign(
    campaign: str,
    customers: Path | None,
    phone: str | None,
    sheet: str | None,
    until_settled: bool,
    timeout: float,
    callbacks: Path | None,
    callback_path: str | None,
    concurrency: int,
    journal: str | None,
    output: str | None,
    overwrite: bool,
) -> None:
    """Learn what became of each message of CAMPAIGN and what it cost; nothing is sent.

    The gateway's keys come from the environment, as for `send`. They are not needed with --callbacks alone; with
    --until-settled, too, the gateway is asked about what the callbacks leave open.
    """
    path = choose_output(output, overwrite, customers)
    called = None if callbacks is None else read_callbacks(callbacks, path=callback_path)
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
        progress=is_on_a_terminal(),
    )
    table = found if rows is None else join_customers(rows, found)
    _show_deliveries(found)
    echo("\n" + phrase("All {rows} rows are in {file}.", rows=len(found), file=write_or_keep(table, path)))


def _audience(customers: pd.DataFrame, phone: str | None, exclude: Path | None, **limits: int) -> Audience:
    left_out = None if exclude is None else read_customers(exclude)
    if left_out is not None:
        try:
            phone_column(left_out)
        except PhoneColumnError as error:
            raise InvalidFile(
                "It is not clear which column of {file} holds the numbers to leave out ({candidates}): save it "
                "with that column alone.",
                file=visible(exclude),
                candidates=", ".join(error.candidates),
            ) from None
    return prepare(customers, phone, exclude=left_out, **limits)


@contextmanager
def _interruptible(campaign: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        echo(
            "\n" + phrase("Interrupted. To go on: esms-frames resume {campaign}", campaign=shlex.quote(campaign)),
            err=True,
        )
        sys.exit(INTERRUPTED)


def _exit_for(results: pd.DataFrame) -> None:
    if results["status"].isin([Status.REFUSED, Status.NOT_SENT, Status.UNKNOWN, Status.CAPPED]).any():
        sys.exit(INCOMPLETE)


def _show_deliveries(found: pd.DataFrame) -> None:
    """Print what was delivered and what it cost by network, and what it cost in all where that is not known by network."""
    summary = summarize(found).drop(columns=["rows", "refused", "unknown", "not_sent"])
    is_lacking = bool((summary["unpriced"] > 0).any())
    table = summary if is_lacking else summary.drop(columns="unpriced")
    written = {"delivery_rate": "{:.1%}", "price": "{:,.0f}", "price_per_delivered": "{:,.1f}"}
    texts = {
        name: ["" if pd.isna(value) else how.format(value) for value in table[name]] for name, how in written.items()
    }
    echo(table.assign(**texts).to_string(na_rep="", line_width=10_000))
    total = summarize(found, None).iloc[0]
    if is_lacking and not pd.isna(total["price"]):
        price = round(total["price"])
        if total["unpriced"] == 0:
            sentence = phrase("In all it cost {price} VND; the gateway does not say which network what.", price=price)
        else:
            sentence = phrase(
                "In all it cost {price} VND, as far as it is known; the gateway does not say which network what.",
                price=price,
            )
        echo("\n" + sentence)
