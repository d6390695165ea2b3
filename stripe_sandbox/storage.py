"""Where the sandbox keeps everything: one SQLite file, or the same tables in memory.

Every request is kept whole or not at all, also when the sandbox is killed (`journal`). Objects
are kept as JSON with the few columns that lists filter by; every such column has an index that
ends in the order of lists, so no list and no lookup grows slower as objects pile up.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import tables
from .journal import Journaled

Document = dict[str, Any]

# Made once: json.dumps makes an encoder for every call that asks for separators.
encoded = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_ENDPOINT = "webhook_endpoint"
# Which field of an object fills the column `label`, by kind.
_LABEL = {
    "customer": "email",
    "payment_method": "type",
    "setup_intent": "payment_method",
    "balance_transaction": "source",
    "setup_attempt": "setup_intent",
    "payout": "status",
    "mandate": "payment_method",
}
# The columns that lists are read by, in the order of `_columns`.
_COLUMNS = ("customer", "payment_intent", "charge", "label", "type", "pending", "currency", "ready")
_INSERT = (
    f"INSERT INTO object (id, kind, created, body, {', '.join(_COLUMNS)})"  # noqa: S608 - names from above
    f" VALUES (?, ?, ?, ?{', ?' * len(_COLUMNS)})"
)
_AS_BEFORE = " AND ".join(f"{name} IS ?" for name in _COLUMNS)
_REPLACE_BODY = f"UPDATE object SET body = ? WHERE id = ? AND {_AS_BEFORE}"  # noqa: S608
_ANEW = ", ".join(f"{name} = ?" for name in _COLUMNS)
_REPLACE = f"UPDATE object SET body = ?, {_ANEW} WHERE id = ?"  # noqa: S608
_DAY = 86400


class Store:
    """The tables and the ways to them. Used from one thread only, the server's."""

    def __init__(self, path: str | None = None) -> None:
        self.db = sqlite3.connect(
            path or ":memory:",
            isolation_level=None,
            check_same_thread=False,
            factory=Journaled if path else sqlite3.Connection,
        )
        tables.prepare(self.db)
        if path and isinstance(self.db, Journaled):
            self.db.begin_journal(path)
        self._endpoints: list[Document] | None = None
        # The earliest thing put off since `Background` last looked.
        self.soonest = math.inf

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what happens inside is written, or none."""
        try:
            with self.db.request() if isinstance(self.db, Journaled) else _committed(self.db):
                yield
        except BaseException:
            self._endpoints = None
            raise

    def clear(self) -> None:
        """Forget everything."""
        self._endpoints = None
        for table in tables.NAMES:
            self.db.execute(f"DELETE FROM {table}")  # noqa: S608 - names from tables

    # objects -------------------------------------------------------------------------------------------

    def insert(self, obj: Document, created: int | None = None, text: str | None = None) -> str:
        """Keep a new object; `obj["object"]` is its kind; returns it as JSON.

        `created` is for those that do not show theirs; `text` is the JSON if the caller has it.
        """
        kind = obj["object"]
        if kind == _ENDPOINT:
            self._endpoints = None
        if text is None:
            text = encoded(obj)
        moment = obj["created"] if created is None else created
        self.db.execute(_INSERT, (obj["id"], kind, moment, text, *_columns(obj)))
        return text

    def replace(self, obj: Document) -> str:
        """Keep the new state of an object that is already there; returns it as JSON."""
        text = encoded(obj)
        if obj["object"] == _ENDPOINT:
            self._endpoints = None
        columns = _columns(obj)
        # Mostly nothing changes that lists are read by; then no index has to be touched.
        if not self.db.execute(_REPLACE_BODY, (text, obj["id"], *columns)).rowcount:
            self.db.execute(_REPLACE, (text, *columns, obj["id"]))
        return text

    def bury(self, object_id: str, remains: Document) -> None:
        """A deleted object: out of every list, but its id still answers with `remains`."""
        self._endpoints = None
        self.db.execute(
            "UPDATE object SET kind = 'deleted_' || kind, customer = NULL, label = NULL, body = ? "
            "WHERE id = ?",
            (encoded(remains), object_id),
        )

    def forget(self, object_id: str) -> None:
        """An object that was never there."""
        self._endpoints = None
        self.db.execute("DELETE FROM object WHERE id = ?", (object_id,))

    def endpoints(self) -> list[Document]:
        """The webhook endpoints, newest first, to be read only; kept in memory because every event asks."""
        if self._endpoints is None:
            self._endpoints = self.select(_ENDPOINT, [], limit=16)
        return self._endpoints

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
            " AND currency = ? AND ready <= ?",
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
            "INSERT OR REPLACE INTO note (kind, key, body) VALUES (?, ?, ?)", (kind, key, encoded(body))
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
        self.soonest = min(self.soonest, due)
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
        if due is not None:
            self.soonest = min(self.soonest, due)
        made = self.db.execute(
            "INSERT INTO delivery (event, endpoint, state, due, attempts) VALUES (?, ?, ?, ?, '[]')",
            (event, endpoint, state, due),
        )
        return int(made.lastrowid or 0)

    def next_due(self) -> float | None:
        """When the next thing is due."""
        row = self.db.execute("SELECT min(due) FROM later").fetchone()
        return None if row[0] is None else float(row[0])


@contextmanager
def _committed(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _columns(obj: Document) -> tuple[Any, ...]:
    get, kind = obj.get, obj["object"]
    label = _LABEL.get(kind)
    if kind == "event":
        own = (obj["type"], obj["pending_webhooks"], None, None)
    elif kind == "balance_transaction":
        own = (obj["type"], None, obj["currency"], obj["available_on"])
    else:
        own = (None, None, None, None)
    return (get("customer"), get("payment_intent"), get("charge"), get(label) if label else None, *own)
