"""Billing runs: what each did, and starting one."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from callbill.domain.customers.queries import Viewer
from callbill.domain.invoicing import queries as invoicing
from callbill.domain.invoicing.operations import run_billing
from callbill.domain.users.operations import record_staff_action
from callbill.domain.users.queries import staff_actions
from callbill.lib import clock
from callbill.web.console.door import page_number, staff_page
from callbill.web.console.forms import ReasonForm

_KIND = "billing_run"


@require_safe
@staff_page
def runs(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The latest runs, newest first."""
    return _listing(request, viewer, ReasonForm())


@require_POST
@staff_page
def start(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Run billing now, after writing down who asked for it and why."""
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return _listing(request, viewer, form, status=422)
    now = clock.now()
    # First the log, then the run: a run that breaks off has its entry too. Both know the moment.
    record_staff_action(
        actor_id=viewer.user_id,
        action="run_billing",
        subject_kind=_KIND,
        subject_id=now.isoformat(),
        subject_label="Billing run",
        reason=form.cleaned_data["reason"],
        details={},
        now=now,
    )
    report = run_billing(now=now, trigger="staff")
    issued = len(report.issued)
    what = f"{issued} invoice{'' if issued == 1 else 's'} issued" if issued else "No invoice was due"
    if report.problems:
        messages.warning(
            request, f"{what}. {len(report.problems)} could not be billed; the reasons are below."
        )
    else:
        messages.success(request, f"{what}.")
    return redirect("console:run", report.run_id) if report.run_id else redirect("console:runs")


@require_safe
@staff_page
def run(request: HttpRequest, viewer: Viewer, run_id: UUID) -> HttpResponse:
    """One run: the invoices it issued, what went wrong, and who asked for it."""
    view = invoicing.billing_run(viewer, run_id, page=page_number(request))
    asked = staff_actions(subject_kind=_KIND, subject_id=view.run.started_at.isoformat(), limit=10)
    return render(request, "console/run.html", {"view": view, "run": view.run, "log": asked})


def _listing(request: HttpRequest, viewer: Viewer, form: ReasonForm, *, status: int = 200) -> HttpResponse:
    context = {"runs": invoicing.billing_runs(viewer), "form": form}
    return render(request, "console/runs.html", context, status=status)
