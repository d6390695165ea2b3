"""The calls behind a line, and those not billed, each with its verdict and the reason in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from psycopg import sql

from callbill.domain.usage._counting import Query, Settled, Sql
from callbill.rules.counting import NO_CALENDARS, Calendars, reason_in_words
from callbill.rules.terms import Terms

_FIELDS = (
    *("id", "company_id", "source", "source_call_id", "started_at", "answered_at", "ended_at", "talk_ms"),
    *("wrap_ms", "hold_ms", "queue_ms", "direction", "disposition", "service", "queue", "number"),
    *("from_number", "to_number", "flags", "revision", "received_at"),
)


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call with the verdict on it: `reason` is "billable" or why not, `words` says it plainly."""

    id: UUID
    company_id: UUID
    source: str
    source_call_id: str
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime
    talk_ms: int
    wrap_ms: int | None
    hold_ms: int | None
    queue_ms: int | None
    direction: str
    disposition: str
    service: str | None
    queue: str | None
    number: str | None
    from_number: str | None
    to_number: str | None
    flags: tuple[str, ...]
    revision: int
    received_at: datetime
    reason: str
    charge_id: str | None
    billed_seconds: int

    @property
    def billable(self) -> bool:
        """Whether it is billed."""
        return self.reason == "billable"

    @property
    def words(self) -> str:
        """Why it was or was not billed."""
        return reason_in_words(self.reason)


@dataclass(frozen=True, slots=True)
class CallPage:
    """One page of calls out of `total`; pages count from 1."""

    rows: tuple[CallRow, ...]
    page: int
    page_size: int
    total: int

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.page_size))


class Listing:
    """The calls of some settlements under their terms that `charge_id` takes, or that are not billed.

    `reason` asks for those that are not billed for that reason only.
    """

    def __init__(
        self,
        settlement_ids: Sequence[UUID],
        terms: Terms,
        *,
        charge_id: str | None,
        reason: str = "",
        calendars: Calendars = NO_CALENDARS,
    ) -> None:
        self._terms = terms
        self._query = Query(terms, [Settled(tuple(settlement_ids))], calendars)
        if charge_id is None:
            self._wanted: Sql = sql.SQL("reason <> 'billable'")
            if reason:
                self._wanted += sql.SQL(" AND reason = {}").format(self._query.value(reason, "text"))
        else:
            number = next((n for n, charge in enumerate(terms.usage) if charge.id == charge_id), -1)
            self._wanted = sql.SQL("charge_no = {}").format(self._query.value(number, "integer"))

    def page(self, page: int, page_size: int) -> CallPage:
        """One page, in the order of the calls' anchor instants; a page past the end is empty."""
        counted = self._query.fetch(sql.SQL("SELECT count(*) FROM verdicts WHERE {}").format(self._wanted))
        limit = sql.SQL(" LIMIT {} OFFSET {}").format(
            self._query.value(page_size, "bigint"),
            self._query.value((max(page, 1) - 1) * page_size, "bigint"),
        )
        rows = tuple(self._row(row) for row in self._query.fetch(self._select() + limit))
        return CallPage(rows, max(page, 1), page_size, counted[0][0])

    def stream(self) -> Iterator[CallRow]:
        """All of them, fetched little by little."""
        with connection.chunked_cursor() as cursor:
            cursor.execute(self._query.statement(self._select()), self._query.parameters)
            for row in cursor:
                yield self._row(row)

    def _select(self) -> Sql:
        return sql.SQL(
            "SELECT {fields}, verdicts.reason, verdicts.charge_no, verdicts.seconds "
            "FROM verdicts JOIN usage_call AS c USING (id) WHERE {wanted} ORDER BY anchor, ident"
        ).format(
            fields=sql.SQL(", ").join(sql.Identifier("c", name) for name in _FIELDS), wanted=self._wanted
        )

    def _row(self, row: tuple[Any, ...]) -> CallRow:
        *values, reason, charge_no, seconds = row
        fields = dict(zip(_FIELDS, values, strict=True))
        fields["flags"] = tuple(fields["flags"])
        charge_id = None if charge_no is None else self._terms.usage[charge_no].id
        return CallRow(**fields, reason=reason, charge_id=charge_id, billed_seconds=seconds)
