"""From the bytes of a CSV file, plain or gzipped, to its records with line numbers, in constant memory.

A record that cannot be read is handed on as Unusable and the next line is read; only a file that cannot be
read at all (not gzip although it says so, broken off, without a header) stops the import.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from callbill.domain.usage._profile import Profile

MOST_BYTES = 64 * 1024
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


class FileRefused(Exception):
    """The file as a whole cannot be read, or not from here on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Record:
    """The values of one row. `line` is where it begins in the file, counted from 1."""

    line: int
    values: list[str]


@dataclass(frozen=True, slots=True)
class Unusable:
    """A row that is no record: its bytes (at most MOST_BYTES of them), a code and the reason."""

    line: int
    raw: bytes
    code: str
    reason: str


class CountedFile(io.RawIOBase):
    """A stream that counts and hashes the bytes read through it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.bytes_read = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer from the stream."""
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._hash.update(data)
        self.bytes_read += len(data)
        return len(data)

    def sha256(self) -> str:
        """The digest of the whole file; reads what is left of it."""
        while self.read(1 << 20):
            pass
        return self._hash.hexdigest()


def lines_of(file: CountedFile, file_name: str) -> BinaryIO:
    """The file's lines, unpacked when it is gzipped. Raises FileRefused if it only says it is."""
    buffered = io.BufferedReader(file, 1 << 16)
    if buffered.peek(2)[:2] == _GZIP:
        return io.BufferedReader(gzip.GzipFile(fileobj=buffered, mode="rb"), 1 << 16)
    if file_name.endswith(".gz"):
        raise FileRefused(f"{file_name} is not a gzip file although its name ends in .gz.")
    return buffered


class RecordReader:
    """The records of a file: `columns` once it is made, then iterate.

    Raises FileRefused when made, for a file without a usable header line, and while iterating when the file
    breaks off.
    """

    def __init__(self, lines: BinaryIO, profile: Profile, *, columns: tuple[str, ...] = ()) -> None:
        self._lines = lines
        self._encoding = profile.encoding
        self._delimiter = profile.delimiter
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._line = 0
        self.columns = columns or profile.columns
        if not self.columns:
            self.columns = self._header()

    def _header(self) -> tuple[str, ...]:
        for record in self._records():
            if isinstance(record, Unusable):
                raise FileRefused(f"The header, line {record.line}, cannot be read: {record.reason}.")
            names = tuple(name.strip() for name in record.values)
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise FileRefused(
                    f"The header, line {record.line}, has the column {twice[0]!r} twice. Rename one in "
                    "the file; a profile could not tell them apart."
                )
            return names
        raise FileRefused("The file is empty: there is no header line.")

    def __iter__(self) -> Iterator[Record | Unusable]:
        return self._records()

    def _records(self) -> Iterator[Record | Unusable]:
        while (numbered := self._next_line()) is not None:
            line, raw = numbered
            if not raw.strip(b"\r\n"):
                continue  # an empty line is no row
            yield self._record(line, raw)

    def _record(self, line: int, raw: bytes) -> Record | Unusable:
        if len(raw) > MOST_BYTES:
            reason = f"the row is longer than {MOST_BYTES // 1024} KB; is a line end or a quote missing?"
            return Unusable(line, raw[:MOST_BYTES], "long_row", reason)
        if b"\0" in raw:
            return Unusable(line, raw, "nul", "the row has NUL bytes, which no text has")
        try:
            text = raw.decode(self._encoding)
        except UnicodeDecodeError as error:
            reason = (
                f"byte {error.start + 1} of the row is not {self._encoding}; does the profile's encoding fit?"
            )
            return Unusable(line, raw, "encoding", reason)
        try:
            return Record(line, next(csv.reader((text,), delimiter=self._delimiter, strict=True)))
        except csv.Error as error:
            if '"' in text and "unexpected end of data" in str(error):
                return self._over_several_lines(line, raw)
            return Unusable(line, raw, "quoting", f"the row's quotes are not those of a CSV file ({error})")

    def _over_several_lines(self, line: int, raw: bytes) -> Record | Unusable:
        """A record whose quoted value goes on in the next lines; they are given back if it never closes."""
        taken: list[tuple[int, bytes]] = []

        def texts() -> Iterator[str]:
            yield raw.decode(self._encoding)
            size = len(raw)
            while size <= MOST_BYTES and (numbered := self._next_line()) is not None:
                taken.append(numbered)
                size += len(numbered[1])
                if b"\0" in numbered[1]:
                    return
                yield numbered[1].decode(self._encoding)

        try:
            values = next(csv.reader(texts(), delimiter=self._delimiter, strict=True))
            if not self.columns or len(values) == len(self.columns):
                return Record(line, values)
        except (csv.Error, UnicodeDecodeError):
            pass
        self._waiting.extendleft(reversed(taken))
        return Unusable(line, raw, "quoting", "a quote is opened and not closed")

    def _next_line(self) -> tuple[int, bytes] | None:
        if self._waiting:
            return self._waiting.popleft()
        try:
            raw = self._lines.readline(MOST_BYTES + 1)
            if not raw:
                return None
            self._line += 1
            if self._line == 1:
                raw = raw.removeprefix(_BOM)
            if len(raw) > MOST_BYTES:
                rest = raw
                while rest and not rest.endswith(b"\n"):
                    rest = self._lines.readline(MOST_BYTES)
            return self._line, raw
        except (EOFError, zlib.error, OSError) as error:
            if not self._line:
                raise FileRefused(f"The file cannot be read: {error}.") from None
            raise FileRefused(
                f"The file cannot be read after line {self._line}: {error}. What came before is in; "
                "import the whole file again, the rows that are in are recognised."
            ) from None
