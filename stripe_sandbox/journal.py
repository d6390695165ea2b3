"""What was answered and is not in the SQLite file yet: a file beside it with one record for each request.

SQLite writes every page a transaction touched, and a payment touches forty, mostly the same ones. So many
requests share a transaction. What each of them wrote is told here, in one write, before it is answered, and a
sandbox that was killed begins by writing it again.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import sqlite3
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

BESIDE = "-requests"
# How many requests, or how many bytes of them, share a transaction.
_TOGETHER = 128
_LARGEST = 8_000_000
_WRITING = ("INSERT", "UPDATE", "DELETE", "SAVEPOINT", "ROLLBACK", "RELEASE")
_GROUP = "CREATE TABLE IF NOT EXISTS journal_group (number INTEGER NOT NULL)"
# Before each record: how long it is, its CRC-32, and the group it belongs to.
_HEAD = struct.Struct(">IIQ")

Statement = tuple[str, Any, bool]


class Journaled(sqlite3.Connection):
    """A connection to a file whose requests are journaled one by one and committed together."""

    _file: int | None = None

    def begin_journal(self, path: str) -> None:
        """Write again what the journal beside the file `path` tells of the last group, and go on with it."""
        super().execute(_GROUP)
        row = super().execute("SELECT number FROM journal_group").fetchone()
        if row is None:
            super().execute("INSERT INTO journal_group VALUES (0)")
        self._group = row[0] if row else 0
        self._path = Path(path + BESIDE)
        self._said: list[Statement] = []
        self._inside = False
        self._requests = self._bytes = 0
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        super().execute("BEGIN IMMEDIATE")
        self._again()
        self._commit()

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """As sqlite3's; what writes is told to the journal, with its request or at once."""
        if self._file is None or not sql.startswith(_WRITING):
            return super().execute(sql, parameters)
        self._open()
        cursor = super().execute(sql, parameters)
        self._say((sql, parameters, False))
        return cursor

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """As sqlite3's, told like `execute`."""
        rows = list(parameters)
        if self._file is not None:
            self._open()
        cursor = super().executemany(sql, rows)
        if self._file is not None:
            self._say((sql, rows, True))
        return cursor

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        """All of what happens inside is kept, or none."""
        self._inside = True
        try:
            yield
            self._tell()
        except BaseException:
            if self._said:
                self._undo()
            raise
        finally:
            self._inside = False

    def close(self) -> None:
        """Bring everything into the file and close it."""
        if self._file is not None:
            if self.in_transaction:
                self._commit()
            os.close(self._file)
            self._file = None
            self._path.unlink(missing_ok=True)
        super().close()

    def _open(self) -> None:
        if not self.in_transaction:
            super().execute("BEGIN IMMEDIATE")

    def _say(self, statement: Statement) -> None:
        self._said.append(statement)
        if not self._inside:
            self._tell()

    def _tell(self) -> None:
        """One record of what was said, written before anybody is answered."""
        if not self._said or self._file is None:
            return
        told = marshal.dumps(self._said)
        record = memoryview(_HEAD.pack(len(told), zlib.crc32(told), self._group) + told)
        end = self._bytes + len(record)
        while record:
            record = record[os.write(self._file, record) :]
        self._said = []
        self._requests += 1
        self._bytes = end
        if self._requests >= _TOGETHER or self._bytes >= _LARGEST:
            self._commit()

    def _commit(self) -> None:
        # Its number is part of the group: records of one that is in the file are never written again.
        super().execute("UPDATE journal_group SET number = ?", (self._group + 1,))
        super().execute("COMMIT")
        self._group += 1
        self._requests = self._bytes = 0
        if self._file is not None:
            os.ftruncate(self._file, 0)

    def _undo(self) -> None:
        """Undo what is said and not told: begin the group anew and write its other requests again."""
        self._said = []
        super().execute("ROLLBACK")
        super().execute("BEGIN IMMEDIATE")
        if self._file is not None:
            os.ftruncate(self._file, self._bytes)
        self._again()

    def _again(self) -> None:
        """Execute the records of this group; one that was not written to its end is nobody's answer."""
        records, at = self._path.read_bytes(), 0
        while at + _HEAD.size <= len(records):
            length, check, group = _HEAD.unpack_from(records, at)
            at += _HEAD.size
            told = records[at : at + length]
            at += length
            if len(told) < length or zlib.crc32(told) != check or group != self._group:
                break
            for sql, parameters, many in marshal.loads(told):  # noqa: S302 - our own file, like the other one
                if many:
                    super().executemany(sql, parameters)
                else:
                    super().execute(sql, parameters).fetchall()
