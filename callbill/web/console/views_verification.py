"""Verification of issued invoices: what differs, what was verified, and asking for all of it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from callbill.domain.customers.queries import Viewer
from callbill.domain.invoicing import queries as invoicing
from callbill.domain.invoicing.operations import ask_for_verification
from callbill.lib import clock
from callbill.web.console.door import staff_page
from callbill.web.console.forms import ReasonForm


@require_safe
@staff_page
def verifications(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The invoices that do not come out the same, and the latest runs with how far they are."""
    return _page(request, viewer, ReasonForm())


@require_POST
@staff_page
def start(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Ask the worker to verify every invoice."""
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return _page(request, viewer, form, status=422)
    run, is_new = ask_for_verification(
        actor_id=viewer.user_id, reason=form.cleaned_data["reason"], now=clock.now()
    )
    invoices = f"{run.to_check:,} invoice{'' if run.to_check == 1 else 's'}"
    if is_new:
        messages.success(request, f"Asked for: {invoices}. The worker begins within a minute.")
    else:
        messages.warning(request, f"Every invoice is being verified already: {run.checked:,} of {invoices}.")
    return redirect("console:verifications")


def _page(request: HttpRequest, viewer: Viewer, form: ReasonForm, *, status: int = 200) -> HttpResponse:
    context = {
        "findings": invoicing.verification_findings(viewer),
        "runs": invoicing.verification_runs(viewer, limit=30),
        "form": form,
    }
    return render(request, "console/verifications.html", context, status=status)
