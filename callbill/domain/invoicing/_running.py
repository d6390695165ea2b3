"""The billing run: every payer, one after another, each invoice in a transaction of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from callbill.domain.customers.models import BillableEntity
from callbill.domain.invoicing._issuing import issue_next
from callbill.domain.invoicing.models import BillingRun

log = logging.getLogger(__name__)


@dataclass(slots=True)
class RunReport:
    """What a run did. `problems` has what went wrong, by payer name; the others were billed all the same."""

    run_id: UUID | None = None
    payers: int = 0
    issued: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def run_billing(
    *, now: datetime, trigger: str = "command", progress: Callable[[int, int], None] | None = None
) -> RunReport:
    """Close every period that has ended by `now` and issue its invoice.

    Safe to run twice, at once in two processes, or after a kill at any point: a period that has its invoice
    is not billed again. A payer that cannot be billed is reported and does not stop the others.
    """
    began = time.monotonic()
    payers = list(BillableEntity.objects.order_by("id").select_related("company", "organization"))
    run = BillingRun.objects.create(trigger=trigger, as_of=now, started_at=now)
    report = RunReport(run_id=run.id, payers=len(payers))
    for index, payer in enumerate(payers, start=1):
        try:
            while invoice := issue_next(payer_id=payer.id, now=now, run=run):
                report.issued.append(str(invoice.number))
        except Exception as error:
            # One payer's trouble must not keep the others from their invoices; staff see it on the run.
            log.exception("billing %s failed", payer.id)
            report.problems.append(f"{payer.name}: {type(error).__name__}: {error}")
        if progress:
            progress(index, len(payers))
    if not report.issued and not report.problems and trigger == "schedule":
        run.delete()  # an hour in which nothing was due is not worth a row
        report.run_id = None
        return report
    run.payers_looked_at = report.payers
    run.invoices_issued = len(report.issued)
    run.problems = report.problems
    run.finished_at = now + timedelta(seconds=time.monotonic() - began)
    run.save()
    return report
