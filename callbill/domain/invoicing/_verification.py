"""Verification runs: every night a sample, on demand every invoice; what differs is kept until it is mended.

A run is a row with its place in the invoices by number, so one that was killed goes on where it stopped.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from callbill.domain.customers.queries import NotFound, Viewer
from callbill.domain.invoicing._differences import Difference
from callbill.domain.invoicing._verification_tables import VerificationFinding, VerificationRun
from callbill.domain.invoicing._verifying import verify_invoice
from callbill.domain.invoicing.models import Invoice
from callbill.domain.users.operations import record_staff_action
from callbill.lib.transactions import in_transaction
from callbill.rules.lifecycle import InvoiceStatus

log = logging.getLogger(__name__)

SAMPLE = 50
_A_YEAR, _TWO_DAYS = timedelta(days=365), timedelta(days=2)
_AT_ONCE = 200
_NOT_VERIFIED = (InvoiceStatus.DRAFT, InvoiceStatus.VOID)


@in_transaction
def ask_for_verification(*, actor_id: UUID, reason: str, now: datetime) -> tuple[VerificationRun, bool]:
    """Ask for every invoice to be verified; the worker does it. Returns the run and whether it is new.

    One is under way at a time: asking again meanwhile gives that one. Raises ReasonMissing. It is in the
    audit log.
    """
    run, is_new = VerificationRun.objects.get_or_create(
        scope=VerificationRun.Scope.ALL,
        finished_at=None,
        defaults={
            "reason": reason.strip(),
            "asked_by_id": actor_id,
            "asked_at": now,
            "to_check": _verifiable().count(),
        },
    )
    if is_new:
        record_staff_action(
            actor_id=actor_id,
            action="verify_invoices",
            subject_kind="verification",
            subject_id=str(run.id),
            subject_label="Verification of every invoice",
            reason=reason,
            details={},
            now=now,
        )
    return run, is_new


def verify_sample(*, now: datetime, sample: int = SAMPLE) -> VerificationRun:
    """Verify what was issued in the last two days and `sample` others of the last year, chosen at random.

    Goes on with an earlier sample that was broken off, if there is one.
    """
    run = VerificationRun.objects.filter(scope=VerificationRun.Scope.SAMPLE, finished_at=None).first()
    if run is None:
        of_the_year = _verifiable().filter(issued_at__gt=now - _A_YEAR, issued_at__lte=now)
        latest = of_the_year.filter(issued_at__gt=now - _TWO_DAYS)
        others = of_the_year.exclude(issued_at__gt=now - _TWO_DAYS).order_by("?")[:sample]
        numbers = sorted(str(invoice.number) for invoice in (*latest.only("number"), *others.only("number")))
        run = VerificationRun.objects.create(
            scope=VerificationRun.Scope.SAMPLE, asked_at=now, numbers=numbers, to_check=len(numbers)
        )
    _go_on(run, now)
    return run


def verify_asked(*, now: datetime) -> VerificationRun | None:
    """Do, or finish, the verification of every invoice that staff asked for. None if they did not."""
    run = VerificationRun.objects.filter(scope=VerificationRun.Scope.ALL, finished_at=None).first()
    if run is not None:
        _go_on(run, now)
    return run


def verification_runs(viewer: Viewer, *, limit: int = 10) -> list[VerificationRun]:
    """The latest verification runs, newest first, for staff. Raises NotFound for others."""
    if not viewer.is_staff:
        raise NotFound("There is no such page.")
    return list(VerificationRun.objects.select_related("asked_by").order_by("-asked_at", "-id")[:limit])


def verification_findings(viewer: Viewer) -> list[VerificationFinding]:
    """The invoices that do not come out the same, newest finding first, for staff. Raises NotFound."""
    if not viewer.is_staff:
        raise NotFound("There is no such page.")
    findings = VerificationFinding.objects.filter(cleared_at=None).select_related("invoice")
    return list(findings.order_by("-found_at", "-id"))


def _verifiable() -> QuerySet[Invoice]:
    return Invoice.objects.exclude(status__in=_NOT_VERIFIED)


def _go_on(run: VerificationRun, now: datetime) -> None:
    for invoice in _left(run):
        _keep(run, invoice, _differences(invoice), now)
    run.finished_at = now
    run.save(update_fields=["finished_at"])


def _left(run: VerificationRun) -> Iterator[Invoice]:
    """The run's invoices after its last one, few at a time, by number."""
    while True:
        after = _verifiable().filter(number__gt=run.last_number)
        if run.scope == VerificationRun.Scope.SAMPLE:
            after = after.filter(number__in=run.numbers)
        batch = list(after.only("id", "number").order_by("number")[:_AT_ONCE])
        if not batch:
            return
        yield from batch


def _differences(invoice: Invoice) -> list[Difference]:
    number = str(invoice.number)
    try:
        return verify_invoice(number)
    except Exception as error:
        # What cannot even be read was tampered with too; the others must still be looked at.
        log.exception("verifying %s failed", number)
        said = f"{type(error).__name__}: {error}"
        return [Difference(number, "stored terms and inputs", "readable", f"not readable ({said})")]


@in_transaction
def _keep(run: VerificationRun, invoice: Invoice, differences: list[Difference], now: datetime) -> None:
    """Write down how one invoice came out, and that the run has come this far."""
    if differences:
        log.error("verification: %s", differences[0])
        found = {"first_difference": str(differences[0]), "differences": len(differences), "last_at": now}
        finding, is_new = VerificationFinding.objects.get_or_create(
            invoice=invoice, defaults={**found, "found_at": now}
        )
        if not is_new:
            again = {} if finding.cleared_at is None else {"found_at": now}
            VerificationFinding.objects.filter(id=finding.id).update(**found, **again, cleared_at=None)
    else:
        VerificationFinding.objects.filter(invoice=invoice, cleared_at=None).update(cleared_at=now)
    run.checked += 1
    run.differing += bool(differences)
    run.last_number = str(invoice.number)
    run.save(update_fields=["checked", "differing", "last_number"])
