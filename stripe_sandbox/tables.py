"""The tables of the SQLite file, and what makes them of the tables an older sandbox left."""

from __future__ import annotations

import sqlite3

# 16000 pages (64 MB) of write-ahead log before they go into the file itself: what many payments change goes
# there once then, and waiting for the disk is rare.
_PRAGMAS = """
PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint=16000;
"""
_TABLES = """
CREATE TABLE IF NOT EXISTS object (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, created INTEGER NOT NULL,
    customer TEXT, payment_intent TEXT, charge TEXT, label TEXT, body TEXT NOT NULL, payout TEXT,
    type TEXT, pending INTEGER, currency TEXT, ready INTEGER);
CREATE INDEX IF NOT EXISTS object_kind ON object (kind, seq);
CREATE INDEX IF NOT EXISTS object_created ON object (kind, created, seq);
CREATE INDEX IF NOT EXISTS object_customer ON object (customer, kind, seq) WHERE customer IS NOT NULL;
CREATE INDEX IF NOT EXISTS object_intent ON object (payment_intent, kind, seq)
    WHERE payment_intent IS NOT NULL;
CREATE INDEX IF NOT EXISTS object_charge ON object (charge, kind, seq) WHERE charge IS NOT NULL;
CREATE INDEX IF NOT EXISTS object_label ON object (label, kind, seq) WHERE label IS NOT NULL;
CREATE INDEX IF NOT EXISTS object_payout ON object (payout, kind, created, seq) WHERE payout IS NOT NULL;
CREATE INDEX IF NOT EXISTS object_type ON object (type, kind, created, seq) WHERE type IS NOT NULL;
CREATE INDEX IF NOT EXISTS event_pending ON object (kind, created, seq) WHERE pending > 0;
CREATE INDEX IF NOT EXISTS line_currency ON object (currency, kind, created, seq)
    WHERE currency IS NOT NULL;
CREATE INDEX IF NOT EXISTS line_ready ON object (currency, kind, ready, seq)
    WHERE currency IS NOT NULL AND payout IS NULL;
CREATE TABLE IF NOT EXISTS note (kind TEXT, key TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, key));
CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY, created INTEGER NOT NULL, fingerprint TEXT NOT NULL, status INTEGER NOT NULL,
    body TEXT NOT NULL, request TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS later (
    seq INTEGER PRIMARY KEY, due REAL NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS later_due ON later (due);
CREATE TABLE IF NOT EXISTS delivery (
    seq INTEGER PRIMARY KEY, event TEXT NOT NULL, endpoint TEXT NOT NULL, state TEXT NOT NULL,
    due REAL, attempts TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (due) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS delivery_event ON delivery (event, state);
CREATE TABLE IF NOT EXISTS delivery_plan (
    seq INTEGER PRIMARY KEY, after INTEGER, wrong INTEGER NOT NULL, stale INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS idempotency_created ON idempotency (created);
"""
# What files of older sandboxes do not have yet. The columns took the place of indexes over the JSON itself,
# which SQLite would have to parse for every event.
_PAYOUT_COLUMN = """
ALTER TABLE object ADD COLUMN payout TEXT;
INSERT INTO holding SELECT json_extract(body, '$.currency'),
    json_extract(body, '$.available_on') / 86400, sum(json_extract(body, '$.net'))
FROM object WHERE kind = 'balance_transaction' GROUP BY 1, 2;
"""
_MORE_COLUMNS = """
DROP INDEX IF EXISTS event_type; DROP INDEX IF EXISTS event_undelivered; DROP INDEX IF EXISTS line_type;
DROP INDEX IF EXISTS line_currency; DROP INDEX IF EXISTS line_unpaid;
ALTER TABLE object ADD COLUMN type TEXT; ALTER TABLE object ADD COLUMN pending INTEGER;
ALTER TABLE object ADD COLUMN currency TEXT; ALTER TABLE object ADD COLUMN ready INTEGER;
UPDATE object SET label = NULL, type = json_extract(body, '$.type'),
    pending = json_extract(body, '$.pending_webhooks') WHERE kind = 'event';
UPDATE object SET type = json_extract(body, '$.type'), currency = json_extract(body, '$.currency'),
    ready = json_extract(body, '$.available_on') WHERE kind = 'balance_transaction';
"""
# Balance transactions summed by the day their money becomes available.
_HOLDING = """
CREATE TABLE IF NOT EXISTS holding (
    currency TEXT, day INTEGER, net INTEGER NOT NULL, PRIMARY KEY (currency, day)) WITHOUT ROWID;
"""
NAMES = ("object", "holding", "note", "idempotency", "later", "delivery", "delivery_plan")


def prepare(db: sqlite3.Connection) -> None:
    """Make the tables in a new file; give an older sandbox's file what has come since."""
    db.executescript(_PRAGMAS)
    db.executescript(_HOLDING)
    columns = {row[1] for row in db.execute("PRAGMA table_info(object)")}
    if columns and "payout" not in columns:
        db.executescript(f"BEGIN; {_PAYOUT_COLUMN} COMMIT;")
    if columns and "pending" not in columns:
        db.executescript(f"BEGIN; {_MORE_COLUMNS} COMMIT;")
    db.executescript(_TABLES)
