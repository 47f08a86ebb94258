"""The commands about people's data: who never gets advertising, and who is erased."""

from __future__ import annotations

from typing import Any

import click

from esms_frames.apps.cli.options import (
    choose_output,
    echo,
    is_path,
    journal_option,
    old_journal_option,
    overwrite_option,
    phone_option,
    show,
)
from esms_frames.base.language.catalogue import phrase
from esms_frames.journal.journal import Journal
from esms_frames.recipients.files.customer_files import read_customers
from esms_frames.recipients.find_column import phone_column
from esms_frames.reporting.files import write_results

_people = click.argument("people", nargs=-1, required=True, metavar="FILE|NUMBER...")


@click.group("do-not-contact", short_help="Keep the list of those who never get advertising.")
def do_not_contact() -> None:
    """Keep the list of those who are never to get advertising, of the whole journal."""


@do_not_contact.command("add", short_help="Put numbers on the list.")
@_people
@phone_option
@click.option("--reason", help="Why, for people; replaces the reason of those who are on it already.")
@journal_option
def listed_add(people: tuple[str, ...], phone: str | None, reason: str | None, journal: str | None) -> None:
    """Add numbers, or those of customer files, to the list."""
    book = Journal(journal)
    new = book.do_not_contact.add(_numbers(people, phone), reason)
    echo(phrase("Put on the list: {count}. On it now: {total}.", count=new, total=len(book.do_not_contact)))


@do_not_contact.command("remove", short_help="Take numbers off the list.")
@_people
@phone_option
@old_journal_option
def listed_remove(people: tuple[str, ...], phone: str | None, journal: str | None) -> None:
    """Remove numbers, or those of customer files, from the list, so that they may get advertising again."""
    book = Journal(journal)
    gone = book.do_not_contact.remove(_numbers(people, phone))
    echo(phrase("Taken off the list: {count}. On it now: {total}.", count=gone, total=len(book.do_not_contact)))


@do_not_contact.command("list", short_help="Show the list, or write it to a file.")
@old_journal_option
@click.option("--output", metavar="FILE", help="Write it to this file, .csv, .xlsx or .parquet.")
@overwrite_option
def listed_list(journal: str | None, output: str | None, overwrite: bool) -> None:
    """Show the first of the list, or write all of it to a file."""
    path = choose_output(output, overwrite) if output else None
    table = Journal(journal).do_not_contact.frame()
    if path:
        echo(phrase("All {count} numbers are in {file}.", count=len(table), file=write_results(table, path)))
        return
    if len(table):
        show(table.head(20))
    echo(phrase("On the list: {count}.", count=len(table)))


@click.command("forget", short_help="Erase people from the journal.")
@_people
@phone_option
@old_journal_option
@click.option("--yes", is_flag=True, help="Don't ask.")
def forget(people: tuple[str, ...], phone: str | None, journal: str | None, yes: bool) -> None:
    """Erase numbers, or those of customer files, from all campaigns of the journal, so that no byte of them is left.

    Counts stay, and so does who is on the do-not-contact list. Nothing keeps those who are not on it from being texted
    again: put them on it first. It holds for advertising; from customer care, leave them out with --exclude.
    """
    numbers = _numbers(people, phone)
    if not yes:
        click.confirm(phrase("Erase them for good?"), abort=True)
    table = Journal(journal).forget(numbers)
    if len(table):
        show(table[["campaign", "gateway", "account", "numbers"]])
    echo(phrase("Campaigns that somebody was erased from: {count}.", count=len(table)))


@click.command("prune", short_help="Erase the recipients of old campaigns from the journal.")
@click.option(
    "--before", required=True, metavar="DATE", help="Of what finished before this: '2026-01-31', Vietnam time."
)
@old_journal_option
@click.option("--yes", is_flag=True, help="Don't ask.")
def prune(before: str, journal: str | None, yes: bool) -> None:
    """Erase the numbers and texts of campaigns that finished before a date, so that no byte of them is left.

    Counts stay, and so does the do-not-contact list. Sent again under its name, such a campaign texts everybody again.
    """
    if not yes:
        click.confirm(
            phrase("Erase the recipients of all campaigns that finished before {before} for good?", before=before),
            abort=True,
        )
    table = Journal(journal).prune(before=before)
    if len(table):
        show(table[["campaign", "gateway", "account", "numbers"]])
    echo(phrase("Campaigns that were emptied: {count}.", count=len(table)))


def _numbers(people: tuple[str, ...], phone: str | None) -> list[Any]:
    """Return the numbers among the arguments, and those of the files among them."""
    numbers: list[Any] = []
    for one in people:
        if is_path(one) or any(map(str.isalpha, one)):
            customers = read_customers(one)
            numbers += customers[phone_column(customers, phone)].tolist()
        else:
            numbers.append(one)
    return numbers
