"""The journal that people open: campaigns, the do-not-contact list, callbacks, forgetting."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pandas as pd
import sqlalchemy as sa

from esms_frames.base import columns
from esms_frames.base.errors import InvalidInput
from esms_frames.base.wording import Sentence, shown
from esms_frames.journal import callbacks as callback_store
from esms_frames.journal import ownership, tables
from esms_frames.journal.batches import BatchStore
from esms_frames.journal.claims import busy
from esms_frames.journal.database.address import hide
from esms_frames.journal.database.database import Database
from esms_frames.journal.database.transaction import Lock, now, take
from esms_frames.journal.identity import check_account, identify
from esms_frames.journal.people import erasure
from esms_frames.journal.people.do_not_contact import DoNotContact
from esms_frames.journal.records import REPLACED, SETTLED, BatchStatus
from esms_frames.journal.tables import batches, campaigns, moment_of
from esms_frames.messages.advertising_rules import in_vietnam
from esms_frames.messages.limits import check_campaign
from esms_frames.recipients.number_lists import read_list

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from esms_frames.journal.identity import GatewayAccount


_KEPT = timedelta(days=2)


class Journal:
    """The log of campaigns on this machine, or of a team's.

    Everything that is sent is written here first, durably, so that no crash, time-out or second notebook can make a
    phone be texted twice. It holds phone numbers and texts, and no key. A file is readable by its owner only.

    Parameters
    ----------
    path : str or path-like, optional
        A SQLite file, made where it is not there, or the URL of a PostgreSQL database that a team shares, like
        ``postgresql+psycopg://lan@db.example/esms`` (``pip install "esms-frames[team]"``; the password is best kept in
        ``PGPASSWORD`` or ``~/.pgpass``). By default ``ESMS_JOURNAL`` from the environment, or else ``journal.sqlite`` in
        the user's data folder. A relative path is made absolute when the journal is opened (that of ``ESMS_JOURNAL`` once
        in a process), so in another folder it is another journal: ``repr`` shows where it is.

    Raises
    ------
    JournalError
        When it can't be relied on: made by a newer version, corrupt, read-only, on a full disk, on a drive that does not
        lock files, a file with a second name (a hard link), or on a server that can't be reached or runs with
        ``fsync = off``. Nothing is sent then. Also when its file, or SQLite's ``-wal`` or ``-shm`` beside it, is moved,
        deleted or replaced while it is open: nothing more is sent from then on.

    Notes
    -----
    Those who share a PostgreSQL database share campaigns, the daily cap and the do-not-contact list, and can't text the
    same people twice between them. Their machines' clocks don't matter, for all times are the server's. A campaign goes
    on after the server, or the way to it, was away for up to a minute; away for longer, the run ends with a
    `JournalError`, and `resume` finishes it. What a machine had under way when it crashed is left to others when its
    claim has run out, a minute or so later with the client's usual time-outs; what it had planned and not begun may be
    sent at once, and replaced by another plan after an hour. The database needs the encoding UTF8, PostgreSQL 12 or
    later, and to be empty or in a schema of its own (``?options=-csearch_path%3Desms``).

    A standby that takes over without the server's last commits (asynchronous replication) is like an older copy.

    A process that is forked may use a journal that it has from its parent, and opens connections of its own. A fork waits
    for transactions of other threads on a file, up to half a minute, and closes idle connections to it.

    What is to be sent is in the file itself before it leaves, so that a ``-wal`` which is deleted after a crash takes
    nothing with it; while another program reads the file, that is done when it has read.

    An older copy that is put back does not know of what was sent since. Batches that it holds are safe, for they go out
    under their own request ids; so resume its campaigns first, before you send them to other people or with other texts.

    Examples
    --------
    >>> import tempfile
    >>> journal = Journal(tempfile.mkdtemp() + "/journal.sqlite")
    >>> len(journal.campaigns())
    0
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        path = hide(path)
        self._database = Database(path)
        self._batches = BatchStore(self._database)

        def make(connection: sa.Connection) -> None:
            tables.migrate(connection, self._database.where)
            ownership.update_keys(connection)
            self._database.check(connection)

        try:
            self._database.transact(make)
            self._database.protect()
        except BaseException:
            self._database.close()  # nobody has it who could
            raise

    def __repr__(self) -> str:
        database = getattr(self, "_database", None)  # a traceback can show one that could not be opened
        return "<Journal that could not be opened>" if database is None else f"<Journal {database.where}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Journal is connected to its database and is not copied: open it again, with ef.Journal(path)."
        )

    def close(self) -> None:
        """Close the connections to the database."""
        self._database.close()

    @property
    def do_not_contact(self) -> DoNotContact:
        """The list of those who never get advertising, on any gateway and account."""
        return DoNotContact(self._database)

    def campaigns(self) -> pd.DataFrame:
        """List the campaigns, the latest first.

        Returns
        -------
        DataFrame
            One row a campaign:

            - ``campaign``: text, the name as it was first written.
            - ``gateway``: text, ``live`` or ``sandbox``.
            - ``account``: text, a short fingerprint of the gateway's UserID, or of the ApiKey while the gateway has not
              told it.
            - ``created_at``: when it was begun, in Vietnam time.
            - ``sms_type``: text, ``customer_care``, ``advertising`` or ``both``; NA where nothing was planned.
            - ``numbers``: int, how many were planned, the sum of the next four. One that was refused and planned again
              counts in both.
            - ``accepted``, ``refused``, ``unknown``, ``unfinished``: int, what became of them; whom the gateway has had
              already is accepted, and what never arrived is unfinished.
            - ``forgotten``: int, how many of all of them `forget` or `prune` took out. They go on being counted with
              their batch, whatever becomes of it; those whose batch had not left yet are not counted any more.
            - ``first_sent_at``, ``last_sent_at``: when the first and the last batch that may have arrived went out, or is
              to by its schedule, in Vietnam time; NaT where there is none.

        Examples
        --------
        >>> import tempfile
        >>> import esms_frames as ef
        >>> journal = ef.Journal(tempfile.mkdtemp() + "/journal.sqlite")
        >>> customers = pd.DataFrame({"sdt": [f"09018884{n}" for n in range(10, 50)]})
        >>> with ef.Sandbox() as sandbox:
        ...     message = ef.Message("Cam on quy khach!", "Baotrixemay")
        ...     _ = ef.send(customers, message, sandbox.client(), campaign="Tet", journal=journal, progress=False)
        >>> journal.campaigns()[["campaign", "sms_type", "numbers", "accepted", "forgotten"]]
          campaign       sms_type  numbers  accepted  forgotten
        0      Tet  customer_care       40        40          0
        """
        arrived = batches.c.status.in_(SETTLED)
        uncertain = batches.c.status.in_([BatchStatus.UNKNOWN, BatchStatus.SENDING])
        in_use = batches.c.status.not_in(REPLACED)
        sizes = {
            "numbers": (in_use, batches.c.size),
            "accepted": (arrived, batches.c.size),
            "refused": (batches.c.status == BatchStatus.REFUSED, batches.c.size),
            "unknown": (uncertain, batches.c.size),
            "unfinished": (batches.c.status == BatchStatus.PLANNED, batches.c.size),
            "forgotten": (in_use, batches.c.size - erasure.count_present(batches)),
        }
        sums = [
            sa.func.coalesce(sa.func.sum(sa.case((condition, size), else_=0)), 0).label(name)
            for name, (condition, size) in sizes.items()
        ]
        sent_at = sa.case((arrived | uncertain, sa.func.coalesce(batches.c.send_at, batches.c.sent_at)))
        query = (
            sa.select(
                campaigns.c.name.label("campaign"),
                campaigns.c.gateway,
                campaigns.c.account,
                campaigns.c.created_at,
                sa.case(
                    (sa.func.min(batches.c.sms_type) < sa.func.max(batches.c.sms_type), "both"),
                    else_=sa.func.min(batches.c.sms_type),
                ).label("sms_type"),
                *sums,
                sa.func.min(sent_at).label("first_sent_at"),
                sa.func.max(sent_at).label("last_sent_at"),
            )
            .join_from(campaigns, batches, isouter=True)
            .where(campaigns.c.merged_into.is_(None))
            .group_by(campaigns.c.id)
            .order_by(campaigns.c.id.desc())
        )

        def look(connection: sa.Connection) -> tuple[list[str], Sequence[Any]]:
            found = connection.execute(query)
            return list(found.keys()), found.all()

        names, rows = self._database.transact(look)
        values = {name: [row[position] for row in rows] for position, name in enumerate(names)}
        return pd.DataFrame({name: _column(name, values[name]) for name in names})

    def same_account(self, account: str, client: GatewayAccount) -> None:
        """Record that an account of the journal is the client's, where the gateway does not tell.

        The gateway tells with the balance whose account it is, so a new ApiKey is known to be of the account that the
        old one was of. It can't where the journal knows the old key from a version that did not ask for it, or where
        the answer holds no UserID. Then a campaign of the old key is not sent with the new one, for everybody could be
        texted twice, until this is said.

        Parameters
        ----------
        account : str
            As `campaigns` shows it, of a live gateway.
        client : Client
            With the new key.

        Raises
        ------
        InvalidInput
            When the journal has no campaign of the account, the client is a sandbox's, or the gateway says that they are
            two accounts.
        JournalError
            When a run works on a campaign that would change; nothing was changed.

        Examples
        --------
        >>> import tempfile
        >>> import esms_frames as ef
        >>> journal = ef.Journal(tempfile.mkdtemp() + "/journal.sqlite")
        >>> with ef.Sandbox() as sandbox:
        ...     journal.same_account("1f0c3a5b7d9e", sandbox.client())
        Traceback (most recent call last):
            ...
        esms_frames.base.errors.InvalidInput: The client is a sandbox's, which is an account of its own: pass a live client.
        """
        check_account(client)
        if client.is_sandbox:
            raise InvalidInput("The client is a sandbox's, which is an account of its own: pass a live client.")
        who = identify(client, self._batches)

        def write(connection: sa.Connection) -> None:
            mine = ownership.settle_account(connection, who)
            if account == mine:
                return
            its = sa.select(campaigns.c.id).filter_by(gateway=who.gateway, account=account)
            if not isinstance(account, str) or connection.execute(its.limit(1)).first() is None:
                raise InvalidInput(
                    "The journal {where} has no campaign of a live account {account}: write it as Journal.campaigns() "
                    "shows it.",
                    where=self._database.where,
                    account=shown(account),
                )
            if not ownership.has_told(connection, account):
                ownership.join(connection, account, mine)
            elif not ownership.has_told(connection, mine):
                ownership.join(connection, mine, account)
            else:
                raise InvalidInput(
                    "By the gateway's own word {account} and {mine} are two accounts, so nothing was changed: send under "
                    "another name.",
                    account=account,
                    mine=mine,
                )

        self._database.transact(write)

    def forget(self, numbers: Any) -> pd.DataFrame:
        """Erase people from the journal, as Vietnam's law on personal data (91/2025/QH15) lets them ask for.

        Their numbers are taken out of all batches of all campaigns, whatever became of these, in one transaction. The
        SQLite file, or the tables on the server, are written anew then, so that no byte of them is left there.

        Parameters
        ----------
        numbers : str, list, set, Series or DataFrame
            In any spelling, as for `do_not_contact`.

        Returns
        -------
        DataFrame
            One row for each campaign that somebody was taken out of, the latest first: ``campaign``, ``gateway``,
            ``account`` (text), ``created_at`` (Vietnam time) and ``numbers`` (int, how many different ones were found).

        Raises
        ------
        InvalidInput
            When an entry can't be read; nothing was changed.
        JournalError
            When a run that is alive works on a batch with one of the numbers; nothing was changed. Also when the file could
            not be written anew, which on a server only the owner of the tables may do; the numbers are out of all tables
            then, and forgetting them again tries it again.

        Notes
        -----
        What is left:

        ==========================  =========================================================================
        of a campaign               its name (give it one, where the text holds somebody's), all counts and times,
                                    and the gateway's ids (SMSID) of its sends
        of a batch                  how many numbers it had, and those that are not forgotten
        its request id              ``forgotten-…``, for it is derived from the numbers; only a batch that may
                                    have arrived keeps it, until that is settled and `forget` or `prune` runs
        its text and segment        as they are; nothing once all its numbers are forgotten, for they can name people
        why it was refused          in the gateway's words, without their numbers however these are written
        of attempts                 when, with what outcome; they hold no numbers
        of callbacks                those of whole sends, and those of numbers that are not forgotten
        the do-not-contact list     the number alone, without reason and date, for else nobody could keep to it
        results, files, backups     whatever has been made of the journal elsewhere; a server's replicas, too
        a server's logs             its write-ahead log keeps what was written until it is recycled: after some
                                    checkpoints (``checkpoint_timeout``, ``max_wal_size``, ``wal_keep_size``), for days
                                    on a quiet server; archived log (``archive_command``) as long as the archive is
                                    kept, and a replica's until it has caught up
        ==========================  =========================================================================

        Whoever is forgotten can't be protected from being texted again, in the same campaign or by the daily cap. Put
        them on the list first, where `forget` leaves them: ``journal.do_not_contact.add(numbers)``. It holds for
        advertising, and for customer care only where that is sent with ``rules_on=["do_not_contact"]``. To leave nothing on
        the list either, take them off it before: ``journal.do_not_contact.remove(numbers)``.

        A batch that never left goes out without them. One that may have arrived does too, if it is tried again: under the
        same request id, so nobody gets it twice.

        Examples
        --------
        >>> import tempfile
        >>> import esms_frames as ef
        >>> journal = ef.Journal(tempfile.mkdtemp() + "/journal.sqlite")
        >>> journal.do_not_contact.add("0901888484", reason="asked on the phone")
        1
        >>> len(journal.forget("+84 901 888 484")), journal.do_not_contact.contains("0901888484")
        (0, True)
        """
        found = read_list(numbers, "numbers", of_record=True)

        def erase(connection: sa.Connection) -> pd.DataFrame:
            take(connection, Lock.PEOPLE)
            return erasure.forget(connection, found, busy(connection))

        table = self._database.transact(erase, again=False)
        self._database.scrub()
        return table

    def prune(self, before: datetime | date | str) -> pd.DataFrame:
        """Erase everybody from the campaigns that are finished, and of which nothing happened since a time.

        Parameters
        ----------
        before : datetime, date or str
            The time, in Vietnam time where it names no other; text is written like ``"2030-01-31"``. It has to be at least
            two days ago: the gateway's memory of request ids and the daily cap on advertising need as long.

        Returns
        -------
        DataFrame
            The campaigns, as `forget` returns them; ``numbers`` is how many were taken out.

        Raises
        ------
        InvalidInput
            When `before` is no moment, or not two days ago.
        JournalError
            When the file could not be written anew; the numbers are out of all tables then.

        Notes
        -----
        A campaign is finished when none of its batches is unfinished or unknown, and the time counts from when the last of
        them was planned, tried or scheduled. What is left is what `forget` leaves of a campaign all of whose numbers are
        forgotten: a row in `campaigns` with all counts, and batches without numbers, texts and request ids. Its `results`
        have no rows. Sent again under its name, it texts everybody again. The do-not-contact list stays as it is.

        Examples
        --------
        >>> import tempfile
        >>> import esms_frames as ef
        >>> journal = ef.Journal(tempfile.mkdtemp() + "/journal.sqlite")
        >>> len(journal.prune(before="2025-12-31"))
        0
        """

        def erase(connection: sa.Connection) -> pd.DataFrame:
            take(connection, Lock.PEOPLE)
            return erasure.prune(connection, _check_limit(before, now(connection)))

        table = self._database.transact(erase, again=False)
        self._database.scrub()
        return table

    def callbacks(self, campaign: str | None = None) -> pd.DataFrame:
        """Read the callbacks that have come for sends of this journal, through `callbacks_app`.

        Parameters
        ----------
        campaign : str, optional
            The name of a campaign, on whatever gateway and account; all of them if left out.

        Returns
        -------
        DataFrame
            The columns of `read_callbacks`: one row for each number of a send, or for the send as a whole, with the last
            state of each. ``attrs`` counts the ``calls``, the ``repeats`` among them, and the ``other_sends``: how many
            rows are left out because their send is none of the campaign that their address was made for.

        Notes
        -----
        `track` uses them by itself.

        Examples
        --------
        >>> import tempfile
        >>> import esms_frames as ef
        >>> journal = ef.Journal(tempfile.mkdtemp() + "/journal.sqlite")
        >>> len(journal.callbacks())
        0
        """
        name = None if campaign is None else check_campaign(campaign)
        return self._database.transact(lambda connection: callback_store.read(connection, name))


def _column(name: str, values: list[Any]) -> Any:
    if name.endswith("_at"):
        return columns.moments([moment_of(value) for value in values])
    is_text = name in {"campaign", "gateway", "account", "sms_type"}
    return pd.array(values, dtype=columns.text_dtype()) if is_text else np.array(values, dtype=np.int64)


def _check_limit(before: object, present: datetime) -> datetime:
    way_out = Sentence("write a time like '2030-01-31' (Vietnam time).")
    moment = before
    if isinstance(before, str):
        try:
            moment = datetime.fromisoformat(before.strip())
        except ValueError:
            raise InvalidInput(
                "before is {before} and no moment: {way_out_text}", before=shown(before), way_out_text=way_out
            ) from None
    elif isinstance(before, date) and not isinstance(before, datetime):
        moment = datetime.combine(before, datetime.min.time())
    if not isinstance(moment, datetime):
        raise InvalidInput(
            "before is {before} and no moment: {way_out_text}", before=shown(before), way_out_text=way_out
        )
    limit = in_vietnam(moment, "before")
    latest = present - _KEPT
    if limit > latest:
        raise InvalidInput(
            "before is {limit}, and what was sent since {latest} is still needed for the daily cap on "
            "advertising and to repeat nothing: choose an earlier time.",
            limit=f"{limit:%Y-%m-%d %H:%M}",
            latest=f"{latest:%Y-%m-%d %H:%M}",
        )
    return limit
