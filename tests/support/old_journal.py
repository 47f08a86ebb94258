"""A journal as version 3 of its tables was, before accounts were known by the gateway's UserID."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import sqlalchemy as sa
from support.customers import FIFTY
from support.journals import tables

from esms_frames.base import clock
from esms_frames.journal.tables import text_of

_TABLES = """
CREATE TABLE journal (version INTEGER NOT NULL);
CREATE TABLE campaigns (id {id}, name TEXT NOT NULL, gateway TEXT NOT NULL, account TEXT NOT NULL, created_at TEXT NOT NULL,
  callback_token TEXT, UNIQUE (name, gateway, account));
CREATE TABLE do_not_contact (phone TEXT NOT NULL PRIMARY KEY, reason TEXT, added_at TEXT);
CREATE TABLE batches (id {id}, campaign_id INTEGER NOT NULL REFERENCES campaigns (id), number INTEGER NOT NULL,
  request_id TEXT NOT NULL, status TEXT NOT NULL, reason TEXT, code INTEGER, sms_id TEXT, attempts INTEGER NOT NULL,
  sent_at TEXT, uncertain_since TEXT, planned_by TEXT, settled_by TEXT, holder TEXT, held_until FLOAT,
  created_at TEXT NOT NULL, content TEXT NOT NULL, brandname TEXT NOT NULL, sms_type TEXT NOT NULL, send_at TEXT,
  callback_url TEXT, floor INTEGER NOT NULL, size INTEGER NOT NULL, phones TEXT NOT NULL, segment TEXT, rules TEXT,
  split_from INTEGER, UNIQUE (campaign_id, number), UNIQUE (campaign_id, request_id));
CREATE INDEX batches_by_sms_id ON batches (sms_id);
CREATE TABLE callbacks (campaign_id INTEGER NOT NULL REFERENCES campaigns (id), sms_id TEXT NOT NULL, phone TEXT NOT NULL,
  request_id TEXT, telco_id INTEGER, send_status INTEGER NOT NULL, delivered INTEGER, failed INTEGER, sent INTEGER,
  recipients INTEGER, price TEXT, type_id INTEGER, received_at TEXT NOT NULL, times INTEGER NOT NULL,
  PRIMARY KEY (campaign_id, sms_id, phone));
CREATE TABLE attempts (id {id}, batch_id INTEGER NOT NULL REFERENCES batches (id), number INTEGER NOT NULL,
  run TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT, outcome TEXT, code INTEGER);
CREATE INDEX ix_attempts_batch_id ON attempts (batch_id);
INSERT INTO journal (version) VALUES (3)
"""

CONTENT = "Cam on quy khach da mua hang!"


def fingerprint(api_key):
    """Name the account of a key as version 3 did."""
    return hashlib.sha256(b"esms_frames account " + api_key.encode()).hexdigest()[:12]


class OldJournal:
    """Make one at an address, and write campaigns and batches into it."""

    def __init__(self, address):
        self._engine = tables(address)
        key = "SERIAL PRIMARY KEY" if self._engine.dialect.name == "postgresql" else "INTEGER PRIMARY KEY"
        with self._engine.begin() as connection:
            for statement in _TABLES.split(";"):
                connection.exec_driver_sql(statement.format(id=key))

    def campaign(self, name, gateway, account, token=None):
        """Write a campaign; its id."""
        return self._insert(
            "campaigns",
            name=name,
            gateway=gateway,
            account=account,
            created_at=text_of(clock.now()),
            callback_token=token,
        )

    def batch(self, campaign_id, status="accepted", phones=FIFTY, request_id=None, number=1, content=CONTENT, **values):
        """Write a batch, tried an hour ago unless it is planned; its id."""
        hour_ago = text_of(clock.now() - timedelta(hours=1))
        tried = status != "planned"
        row = {
            "campaign_id": campaign_id,
            "number": number,
            "request_id": request_id or hashlib.sha256(f"{phones}".encode()).hexdigest()[:40],
            "status": status,
            "sms_id": f"sms-{campaign_id}-{number}" if status == "accepted" else None,
            "attempts": int(tried),
            "sent_at": hour_ago if tried else None,
            "uncertain_since": hour_ago if status == "unknown" else None,
            "created_at": hour_ago,
            "content": content,
            "brandname": "Baotrixemay",
            "sms_type": "customer_care",
            "floor": 30,
            "size": len(phones),
            "phones": " ".join(phones),
        }
        return self._insert("batches", **(row | values))

    def _insert(self, table, **row):
        names = list(row)
        marks = ", ".join(f":{name}" for name in names)
        with self._engine.begin() as connection:
            query = sa.text(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks}) RETURNING id")
            return connection.execute(query, row).scalar_one()
