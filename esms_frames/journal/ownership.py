"""Which account each campaign of the journal belongs to, and how the campaigns of one account come together."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from esms_frames.base.addresses import LIVE_GATEWAY, SANDBOX
from esms_frames.base.errors import InvalidInput, JournalError
from esms_frames.base.wording import mark
from esms_frames.journal.claims import busy
from esms_frames.journal.database.transaction import Lock, insert, now, take
from esms_frames.journal.merging import Side, Unfinished, disentangle
from esms_frames.journal.records import SETTLED, UNFINISHED, BatchStatus, Scope, numbers_in, phones_of
from esms_frames.journal.tables import account_keys, batches, callbacks, campaigns, text_of
from esms_frames.messages.campaign_names import campaign_key, default_name, old_default_name

if TYPE_CHECKING:
    from collections.abc import Iterable


_AT_ONCE = 200  # batches whose numbers are read together
_TEXTED_TOO = mark(
    "The campaign texted these numbers under another key of the account, and it is not known "
    "whether this batch arrived as well."
)


@dataclass(frozen=True)
class Identity:
    """The identity of a client.

    Attributes
    ----------
    gateway : str
        ``live`` or ``sandbox``.
    key : str
        The fingerprint of its ApiKey.
    user : str or None
        The fingerprint of the UserID that the gateway told for it; None where it told none yet.
    """

    gateway: str
    key: str
    user: str | None


def find_account(connection: sa.Connection, gateway: str, key: str) -> str | None:
    """Return the account that a key is known to belong to."""
    return connection.execute(sa.select(account_keys.c.account).filter_by(gateway=gateway, key=key)).scalar()


def settle_account(connection: sa.Connection, who: Identity) -> str:
    """Return the account of a client, once all that the journal has of its key is that account's.

    That is the account that the gateway told, now or earlier; else it is the key's own, until the gateway tells one.

    Raises
    ------
    InvalidInput
        When the gateway tells another account than before.
    JournalError
        When a run works on a campaign that would change.
    """
    known = find_account(connection, who.gateway, who.key)
    is_moved = known and who.user and known != who.user and who.gateway == LIVE_GATEWAY
    if is_moved and has_told(connection, str(known)):
        raise InvalidInput(
            "The journal knows this key as one of the account {known}, and the gateway says now that it is of "
            "{user}: ask eSMS which it is, or name another journal.",
            known=known,
            user=str(who.user),
        )
    account = who.user or known or who.key
    if who.user and known != who.user:
        _remember(connection, who.gateway, who.key, who.user, is_told=True)
    if is_moved:  # a person said that it is of the account of another key, whose own the gateway had not told
        join(connection, str(known), account)
    # Under the key's own fingerprint lies what was sent before its account was known. Older versions took for a sandbox
    # whatever has its address on this machine.
    if who.gateway == LIVE_GATEWAY:
        move_campaigns(connection, (SANDBOX, who.key), (who.gateway, account), campaigns.c.old_gateway == SANDBOX)
    if account != who.key:
        move_campaigns(connection, (who.gateway, who.key), (who.gateway, account))
    return account


def join(connection: sa.Connection, earlier: str, account: str) -> None:
    """Move the campaigns of a live account, or of a key, to another live account."""
    _remember(connection, LIVE_GATEWAY, earlier, account, is_told=False)
    move_campaigns(connection, (LIVE_GATEWAY, earlier), (LIVE_GATEWAY, account))


def has_told(connection: sa.Connection, account: str) -> bool:
    """Return whether the gateway has told an account, for whatever key."""
    query = sa.select(account_keys.c.key).filter_by(gateway=LIVE_GATEWAY, account=account, is_told=1)
    return connection.execute(query.limit(1)).first() is not None


def _remember(connection: sa.Connection, gateway: str, key: str, account: str, *, is_told: bool) -> None:
    """Record the account of a key, and of the keys that were known to belong to the same account."""
    values = {"account": account, "is_told": int(is_told)}
    row = {"gateway": gateway, "key": key, "since": text_of(now(connection))} | values
    statement = insert(connection, account_keys).values(row)
    connection.execute(statement.on_conflict_do_update(index_elements=["gateway", "key"], set_=values))
    same = sa.update(account_keys).where(account_keys.c.gateway == gateway, account_keys.c.account == key)
    connection.execute(same.values(account=account))


def accounts_of(connection: sa.Connection, gateways: Iterable[str], key: str, user: str | None) -> set[tuple[str, str]]:
    """Return the gateways and accounts that the journal may have the campaigns of a client under."""
    gateways = list(gateways)
    pairs = {(gateway, key) for gateway in gateways} | {(gateway, user) for gateway in gateways if user}
    pairs |= {(gateway, known) for gateway in gateways if (known := find_account(connection, gateway, key))}
    return pairs | ({(SANDBOX, key)} if LIVE_GATEWAY in gateways else set())


def find(connection: sa.Connection, name: str, gateway: str, account: str) -> Scope | None:
    """Find a campaign by its name, however it is written."""
    its = {"name_key": campaign_key(name), "gateway": gateway, "account": account}
    row = connection.execute(sa.select(campaigns).filter_by(**its)).one_or_none()
    while row is not None and row.merged_into is not None:
        row = connection.execute(sa.select(campaigns).filter_by(id=row.merged_into)).one()
    return None if row is None else Scope(row.id, row.name, row.gateway, row.account)


def begin(connection: sa.Connection, name: str, gateway: str, account: str) -> Scope:
    """Find a campaign, or begin it."""
    row = {"name": name, "name_key": campaign_key(name), "gateway": gateway, "account": account}
    if (existing := find(connection, name, gateway, account)) is None:
        take(connection, Lock.PEOPLE)  # nobody brings one to this account meanwhile
        fresh = insert(connection, campaigns).values({**row, "created_at": text_of(now(connection))})
        connection.execute(fresh.on_conflict_do_nothing())
        existing = find(connection, name, gateway, account)
    if existing is None:
        raise JournalError(
            "The journal has the campaign {name} without its key: open it again, and try again.", name=repr(name)
        )
    return existing


def list_scopes(connection: sa.Connection, name: str) -> list[Scope]:
    """List the campaigns of a name, on whatever gateway and account, the latest first."""
    of_name = sa.select(sa.func.coalesce(campaigns.c.merged_into, campaigns.c.id)).where(
        campaigns.c.name_key == campaign_key(name)
    )
    query = sa.select(campaigns).where(campaigns.c.id.in_(of_name)).order_by(campaigns.c.id.desc())
    return [Scope(row.id, row.name, row.gateway, row.account) for row in connection.execute(query)]


def check_apart(connection: sa.Connection, name: str, who: Identity, account: str, where: str) -> None:
    """Check that no other account that may be the same has a campaign of this name."""
    if who.gateway != LIVE_GATEWAY:
        return
    is_told = account != who.key
    for scope in list_scopes(connection, name):
        if (
            scope.gateway == LIVE_GATEWAY
            and scope.account != account
            and not (is_told and has_told(connection, scope.account))
        ):
            raise InvalidInput(
                "The journal {where} has a campaign {campaign} of the account {account}, and it is not known whether "
                "this key is of the same account, so nothing was sent: choose another name, use the key of that "
                "campaign, or, if it is the same account, say so with journal.same_account({account_again}, client).",
                where=where,
                campaign=repr(name),
                account=scope.account,
                account_again=repr(scope.account),
            )


def move_campaigns(
    connection: sa.Connection, old: tuple[str, str], new: tuple[str, str], *which: sa.ColumnElement[bool]
) -> None:
    """Move the campaigns of a gateway and account to another gateway and account."""
    gateway, account = old
    is_there = sa.and_(
        campaigns.c.gateway == gateway, campaigns.c.account == account, campaigns.c.name_key.is_not(None), *which
    )
    if connection.execute(sa.select(campaigns.c.id).where(is_there).limit(1)).first() is None:
        return
    take(connection, Lock.PEOPLE)
    for row in connection.execute(sa.select(campaigns).where(is_there).order_by(campaigns.c.id)).all():
        _place(connection, row.id, row.name_key, *new)


def update_keys(connection: sa.Connection) -> None:
    """Set the comparison keys of older versions' campaigns, and merge campaigns that are one."""
    query = sa.select(campaigns).where(campaigns.c.name_key.is_(None), campaigns.c.merged_into.is_(None))
    for row in connection.execute(query.order_by(campaigns.c.id)).all():
        gateway = SANDBOX if row.gateway == SANDBOX else LIVE_GATEWAY
        account = find_account(connection, gateway, row.account) or row.account
        connection.execute(sa.update(campaigns).filter_by(id=row.id).values(old_gateway=row.gateway))
        campaign_id = _place(connection, row.id, campaign_key(row.name), gateway, account)
        content = sa.select(batches.c.content).where(batches.c.campaign_id == campaign_id, batches.c.content != "")
        text = connection.execute(content.limit(1)).scalar()
        if text and old_default_name(text) == row.name and (name := default_name(text)) != row.name:
            _add_name(connection, campaign_id, name, row.gateway, (gateway, account))


def _place(connection: sa.Connection, campaign_id: int, key: str, gateway: str, account: str) -> int:
    """Store a row of `campaigns` under a key, gateway and account; return the id of the campaign stored there."""
    its = {"name_key": key, "gateway": gateway, "account": account}
    existing = connection.execute(sa.select(campaigns).filter_by(**its)).one_or_none()
    if existing is None:
        moved = sa.update(campaigns).filter_by(id=campaign_id)
        connection.execute(moved.values(its))
        return campaign_id
    if existing.id == campaign_id:
        return campaign_id
    into = _merge(connection, _root(connection, campaign_id), _root(connection, existing.id))
    if campaign_id != into:  # what leads there from the new place is enough
        connection.execute(sa.update(campaigns).filter_by(id=campaign_id).values(name_key=None))
    row = connection.execute(sa.select(campaigns).filter_by(id=into)).one()
    if (row.gateway, row.account) != (gateway, account):  # the older one takes the place, which the other leaves to it
        aside = {"name_key": None, "account": f"{account} merged {existing.id}"}
        connection.execute(sa.update(campaigns).filter_by(id=existing.id).values(aside))
        connection.execute(sa.update(campaigns).filter_by(id=into).values(its))
    return into


def _add_name(connection: sa.Connection, campaign_id: int, name: str, old_gateway: str, whose: tuple[str, str]) -> None:
    """Record another name that a campaign is found by."""
    gateway, account = whose
    existing = find(connection, name, gateway, account)
    if existing is not None:
        _merge(connection, existing.id, _root(connection, campaign_id))
        return
    row: dict[str, Any] = {"name": name, "name_key": campaign_key(name), "gateway": gateway, "account": account}
    row |= {"created_at": text_of(now(connection)), "merged_into": campaign_id, "old_gateway": old_gateway}
    connection.execute(insert(connection, campaigns).values(row).on_conflict_do_nothing())


def _root(connection: sa.Connection, campaign_id: int) -> int:
    merged = connection.execute(sa.select(campaigns.c.merged_into).filter_by(id=campaign_id)).scalar()
    return campaign_id if merged is None else _root(connection, merged)


def _merge(connection: sa.Connection, one: int, other: int) -> int:
    """Merge two campaigns into the older one, with what both have sent; return its id."""
    if one == other:
        return one
    into, source = sorted((one, other))
    take(connection, Lock.PEOPLE)
    connection.execute(
        sa.select(campaigns.c.id).where(campaigns.c.id.in_([into, source])).order_by(campaigns.c.id).with_for_update()
    ).all()
    _disentangle(connection, into, source)
    last = connection.execute(sa.select(sa.func.max(batches.c.number)).filter_by(campaign_id=into)).scalar()
    first = connection.execute(sa.select(sa.func.min(batches.c.number)).filter_by(campaign_id=source)).scalar()
    if first is not None:
        ids = sa.select(batches.c.request_id).where(batches.c.campaign_id == into)
        own_id = batches.c.request_id + "/merged " + sa.cast(batches.c.id, sa.Text)
        its = sa.update(batches).where(batches.c.campaign_id == source)
        connection.execute(its.where(batches.c.request_id.in_(ids)).values(request_id=own_id))
        offset = 0 if last is None else last + 1 - first
        connection.execute(its.values(campaign_id=into, number=batches.c.number + offset))
    existing = callbacks.alias()
    again = sa.exists().where(
        existing.c.campaign_id == into, existing.c.sms_id == callbacks.c.sms_id, existing.c.phone == callbacks.c.phone
    )
    connection.execute(sa.delete(callbacks).where(callbacks.c.campaign_id == source, again))
    connection.execute(sa.update(callbacks).where(callbacks.c.campaign_id == source).values(campaign_id=into))
    connection.execute(sa.update(campaigns).filter_by(merged_into=source).values(merged_into=into))
    connection.execute(sa.update(campaigns).filter_by(id=source).values(merged_into=into))
    return into


def _disentangle(connection: sa.Connection, into: int, source: int) -> None:
    is_busy = busy(connection)
    rows: dict[int, Any] = {}
    sides = []
    for campaign_id in (into, source):
        query = sa.select(batches).where(
            batches.c.campaign_id == campaign_id, batches.c.status.in_(UNFINISHED), batches.c.phones != ""
        )
        found = connection.execute(query.order_by(batches.c.id).with_for_update()).all()
        if any(is_busy(row) for row in found):
            name = connection.execute(sa.select(campaigns.c.name).filter_by(id=campaign_id)).scalar()
            raise JournalError(
                "A run works on the campaign {campaign}, which turned out to be another one's too, so nothing was "
                "changed: try again when the run has ended, or interrupt it first.",
                campaign=repr(name),
            )
        rows |= {row.id: row for row in found}
        sides.append([Unfinished(row.id, row.uncertain_since is not None, numbers_in(row.phones)) for row in found])
    if not rows:
        return
    first, second = (Side(_select_texted(connection, id_), its) for id_, its in zip((into, source), sides, strict=True))
    for change in disentangle(first, second):
        row = rows[change.id]
        values: dict[str, Any] = {"phones": phones_of(change.left), "size": len(change.left)}
        if row.uncertain_since is None:
            values |= {"request_id": os.urandom(20).hex()} if len(change.left) else {"status": BatchStatus.WITHDRAWN}
        else:
            _part(connection, row, change.texted, values)
        connection.execute(sa.update(batches).where(batches.c.id == row.id).values(values))


def _part(connection: sa.Connection, row: Any, texted: Any, values: dict[str, Any]) -> None:
    """Keep the numbers that an uncertain batch loses: it may have texted them, which counts towards the daily cap."""
    lost = {"status": BatchStatus.ALREADY_SENT, "reason": _TEXTED_TOO, "phones": phones_of(texted), "size": len(texted)}
    lost |= {"uncertain_since": None, "holder": None, "held_until": None, "planned_by": None}
    if not values["phones"]:
        values |= lost if len(texted) else {"status": BatchStatus.WITHDRAWN}
        return
    if len(texted):
        last = sa.select(sa.func.max(batches.c.number)).where(batches.c.campaign_id == row.campaign_id)
        number = (connection.execute(last).scalar() or 0) + 1
        copy = (
            {column.name: getattr(row, column.name) for column in batches.c}
            | lost
            | {"number": number, "request_id": f"{row.request_id}/merged {row.id}"}
        )
        del copy["id"]
        connection.execute(sa.insert(batches).values(copy))


def _select_texted(connection: sa.Connection, campaign_id: int) -> Any:
    query = sa.select(batches.c.phones).where(
        batches.c.campaign_id == campaign_id, batches.c.status.in_(SETTLED), batches.c.phones != ""
    )
    found = connection.execute(query, execution_options={"yield_per": _AT_ONCE})
    return np.concatenate(
        [np.empty(0, np.int32), *(numbers_in(" ".join(row.phones for row in chunk)) for chunk in found.partitions())]
    )
