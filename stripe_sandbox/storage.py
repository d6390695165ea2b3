"""Where the sandbox keeps everything: one SQLite file, or the same tables in memory.

Every request is one transaction, so a killed sandbox comes back with whole answers only. Objects
are kept as JSON with the few columns that lists filter by; every such column has an index that
ends in the order of lists, so no list and no lookup grows slower as objects pile up.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

Document = dict[str, Any]

_TABLES = """
CREATE TABLE IF NOT EXISTS object (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, created INTEGER NOT NULL,
    customer TEXT, payment_intent TEXT, charge TEXT, label TEXT, body TEXT NOT NULL, payout TEXT);
CREATE INDEX IF NOT EXISTS object_kind ON object (kind, seq);
CREATE INDEX IF NOT EXISTS object_created ON object (kind, created, seq);
CREATE INDEX IF NOT EXISTS object_customer ON object (customer, kind, seq) WHERE customer IS NOT NULL;
CREATE INDEX IF NOT EXISTS object_intent ON object (payment_intent, kind, seq)
    WHERE payment_intent IS NOT NULL;
CREATE INDEX IF NOT EXISTS object_charge ON object (charge, kind, seq) WHERE charge IS NOT NULL;
CREATE INDEX IF NOT EXISTS object_label ON object (label, kind, seq) WHERE label IS NOT NULL;
CREATE INDEX IF NOT EXISTS object_payout ON object (payout, kind, created, seq) WHERE payout IS NOT NULL;
CREATE INDEX IF NOT EXISTS event_type ON object (label, created, seq) WHERE kind = 'event';
CREATE INDEX IF NOT EXISTS event_undelivered ON object (kind, created, seq)
    WHERE kind = 'event' AND json_extract(body, '$.pending_webhooks') > 0;
CREATE INDEX IF NOT EXISTS line_type ON object (json_extract(body, '$.type'), created, seq)
    WHERE kind = 'balance_transaction';
CREATE INDEX IF NOT EXISTS line_currency ON object (json_extract(body, '$.currency'), created, seq)
    WHERE kind = 'balance_transaction';
CREATE INDEX IF NOT EXISTS line_unpaid
    ON object (json_extract(body, '$.currency'), json_extract(body, '$.available_on'), seq)
    WHERE kind = 'balance_transaction' AND payout IS NULL;
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
# Balance transactions summed by the day their money becomes available.
_HOLDING = """
CREATE TABLE IF NOT EXISTS holding (
    currency TEXT, day INTEGER, net INTEGER NOT NULL, PRIMARY KEY (currency, day)) WITHOUT ROWID;
"""

# Made once: json.dumps makes an encoder for every call that asks for separators.
_ENCODED = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_EVERYTHING = ("object", "holding", "note", "idempotency", "later", "delivery", "delivery_plan")
# Which field of an object fills the column `label`, by kind.
_LABEL = {
    "customer": "email",
    "event": "type",
    "payment_method": "type",
    "setup_intent": "payment_method",
    "balance_transaction": "source",
    "setup_attempt": "setup_intent",
    "payout": "status",
    "mandate": "payment_method",
}
_DAY = 86400


class Store:
    """The tables and the ways to them. Used from one thread only, the server's."""

    def __init__(self, path: str | None = None) -> None:
        self.db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        self.db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536;")
        self.db.executescript(_HOLDING)
        self._upgrade()
        self.db.executescript(_TABLES)

    def _upgrade(self) -> None:
        """Give the file of an older sandbox what has come since."""
        columns = {row[1] for row in self.db.execute("PRAGMA table_info(object)")}
        if columns and "payout" not in columns:
            self.db.executescript("""
                ALTER TABLE object ADD COLUMN payout TEXT;
                INSERT INTO holding SELECT json_extract(body, '$.currency'),
                    json_extract(body, '$.available_on') / 86400, sum(json_extract(body, '$.net'))
                FROM object WHERE kind = 'balance_transaction' GROUP BY 1, 2;
            """)

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what happens inside is written, or none."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def clear(self) -> None:
        """Forget everything."""
        for table in _EVERYTHING:
            self.db.execute(f"DELETE FROM {table}")  # noqa: S608 - names from _EVERYTHING

    # objects -------------------------------------------------------------------------------------------

    def insert(self, obj: Document, created: int | None = None) -> None:
        """Keep a new object; `obj["object"]` is its kind. `created` is for those that do not show theirs."""
        columns = self._columns(obj)
        self.db.execute(
            "INSERT INTO object (id, kind, created, customer, payment_intent, charge, label, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (obj["id"], obj["object"], obj["created"] if created is None else created, *columns, _dump(obj)),
        )

    def replace(self, obj: Document) -> None:
        """Keep the new state of an object that is already there."""
        self.db.execute(
            "UPDATE object SET customer = ?, payment_intent = ?, charge = ?, label = ?, body = ? "
            "WHERE id = ?",
            (*self._columns(obj), _dump(obj), obj["id"]),
        )

    def bury(self, object_id: str, remains: Document) -> None:
        """A deleted object: out of every list, but its id still answers with `remains`."""
        self.db.execute(
            "UPDATE object SET kind = 'deleted_' || kind, customer = NULL, label = NULL, body = ? "
            "WHERE id = ?",
            (_dump(remains), object_id),
        )

    def get(self, kind: str, object_id: str) -> Document | None:
        """The object of `kind` with this id."""
        row = self.db.execute("SELECT kind, body FROM object WHERE id = ?", (object_id,)).fetchone()
        return json.loads(row[1]) if row and row[0] == kind else None

    def get_any(self, object_id: str) -> Document | None:
        """Whatever has this id, deleted objects included."""
        row = self.db.execute("SELECT body FROM object WHERE id = ?", (object_id,)).fetchone()
        return json.loads(row[0]) if row else None

    def position(self, kind: str, object_id: str) -> tuple[int, int] | None:
        """Where an object stands in the order of lists: (created, seq)."""
        row = self.db.execute(
            "SELECT created, seq FROM object WHERE id = ? AND kind = ?", (object_id, kind)
        ).fetchone()
        return (int(row[0]), int(row[1])) if row else None

    def select(
        self,
        kind: str,
        where: list[tuple[str, Any]],
        *,
        limit: int,
        newest_first: bool = True,
        by_time: bool = False,
    ) -> list[Document]:
        """Objects of `kind` for which every condition ("customer = ?", value) holds, in order of making.

        `by_time` orders by the time written on them first; the two differ only when the clock was put back.
        """
        clauses = "".join(f" AND {condition}" for condition, _ in where)
        values = [item for _, value in where for item in (value if isinstance(value, tuple) else (value,))]
        way = "DESC" if newest_first else "ASC"
        order = f"created {way}, seq {way}" if by_time else f"seq {way}"
        rows = self.db.execute(
            # The clauses are written in this package; values come as parameters.
            # The kind is written out because that lets SQLite use the indexes of one kind.
            f"SELECT body FROM object WHERE kind = '{kind}'{clauses} ORDER BY {order} LIMIT ?",  # noqa: S608
            [*values, limit],
        )
        return [json.loads(row[0]) for row in rows]

    def count(self, kind: str) -> int:
        """How many objects of `kind` there are."""
        return int(self.db.execute("SELECT count(*) FROM object WHERE kind = ?", (kind,)).fetchone()[0])

    def _columns(self, obj: Document) -> tuple[Any, Any, Any, Any]:
        label = _LABEL.get(obj["object"])
        return (
            obj.get("customer"),
            obj.get("payment_intent"),
            obj.get("charge"),
            obj.get(label) if label else None,
        )

    # the account's money: lines of the books, and their sums by the day they become available ------------

    def hold(self, line: Document, payout: str | None = None) -> None:
        """Keep a new balance transaction, perhaps part of a payout, and count it in the balance."""
        self.insert(line)
        if payout:
            self.db.execute("UPDATE object SET payout = ? WHERE id = ?", (payout, line["id"]))
        self.db.execute(
            "INSERT INTO holding (currency, day, net) VALUES (?, ?, ?)"
            " ON CONFLICT (currency, day) DO UPDATE SET net = net + excluded.net",
            (line["currency"], line["available_on"] // _DAY, line["net"]),
        )

    def held(self, now: int) -> dict[str, tuple[int, int]]:
        """By currency: what is available now, and what will be."""
        rows = self.db.execute(
            "SELECT currency, sum(net) FILTER (WHERE day <= ?1), sum(net) FILTER (WHERE day > ?1)"
            " FROM holding GROUP BY currency",
            (now // _DAY,),
        )
        return {str(row[0]): (int(row[1] or 0), int(row[2] or 0)) for row in rows}

    def pay_out(self, payout: str, currency: str, now: int) -> int:
        """Put every available line of `currency` that was not paid out yet into `payout`; how many."""
        return self.db.execute(
            "UPDATE object SET payout = ? WHERE kind = 'balance_transaction' AND payout IS NULL"
            " AND json_extract(body, '$.currency') = ? AND json_extract(body, '$.available_on') <= ?",
            (payout, currency, now),
        ).rowcount

    # notes: what the sandbox knows about an object and Stripe's API does not show ----------------------

    def note(self, kind: str, key: str) -> Document:
        """The note, or an empty one."""
        row = self.db.execute("SELECT body FROM note WHERE kind = ? AND key = ?", (kind, key)).fetchone()
        return json.loads(row[0]) if row else {}

    def write_note(self, kind: str, key: str, body: Document) -> None:
        """Write or replace a note."""
        self.db.execute(
            "INSERT OR REPLACE INTO note (kind, key, body) VALUES (?, ?, ?)", (kind, key, _dump(body))
        )

    def drop_note(self, kind: str, key: str) -> None:
        """Remove a note."""
        self.db.execute("DELETE FROM note WHERE kind = ? AND key = ?", (kind, key))

    def notes(self, kind: str) -> list[tuple[str, Document]]:
        """Every note of a kind with its key."""
        rows = self.db.execute("SELECT key, body FROM note WHERE kind = ? ORDER BY key", (kind,))
        return [(row[0], json.loads(row[1])) for row in rows]

    # what is to happen later ---------------------------------------------------------------------------

    def schedule(self, due: float, action: str, target: str) -> None:
        """Do `action` to the object `target` when the sandbox's clock reads `due`."""
        self.db.execute("INSERT INTO later (due, action, target) VALUES (?, ?, ?)", (due, action, target))

    def take_due(self, now: float) -> tuple[float, str, str] | None:
        """Remove and return the earliest thing that is due, (due, action, target); None when nothing is."""
        row = self.db.execute(
            "SELECT seq, due, action, target FROM later WHERE due <= ? ORDER BY due, seq LIMIT 1", (now,)
        ).fetchone()
        if row is None:
            return None
        self.db.execute("DELETE FROM later WHERE seq = ?", (row[0],))
        return float(row[1]), str(row[2]), str(row[3])

    def queue_delivery(self, event: str, endpoint: str, due: float | None, state: str = "pending") -> int:
        """An event on its way to an endpoint; returns the delivery's number."""
        made = self.db.execute(
            "INSERT INTO delivery (event, endpoint, state, due, attempts) VALUES (?, ?, ?, ?, '[]')",
            (event, endpoint, state, due),
        )
        return int(made.lastrowid or 0)

    def next_due(self) -> float | None:
        """When the next thing is due."""
        row = self.db.execute("SELECT min(due) FROM later").fetchone()
        return None if row[0] is None else float(row[0])


def _dump(value: Document) -> str:
    return _ENCODED(value)
