"""A billed call: what became known of it since, and saying that it should not have been billed."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from callbill.domain.customers.queries import NotFound, Viewer
from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing import queries
from callbill.domain.usage import operations as usage
from callbill.domain.usage import queries as calls
from callbill.lib import clock
from callbill.web.console.door import staff_page
from callbill.web.console.proposal_forms import CorrectionForm


@require_safe
@staff_page
def call(request: HttpRequest, viewer: Viewer, number: str, line_id: UUID, call_id: UUID) -> HttpResponse:
    """A call behind a line, its corrections, and the form to add one."""
    return _page(request, _behind(viewer, number, line_id, call_id), CorrectionForm())


@require_POST
@staff_page
def correct(request: HttpRequest, viewer: Viewer, number: str, line_id: UUID, call_id: UUID) -> HttpResponse:
    """Flag the call or take it off, and go to the proposal that comes of it, if it changes anything."""
    behind, form = _behind(viewer, number, line_id, call_id), CorrectionForm(request.POST)
    if not form.is_valid():
        return _page(request, behind, form, status=422)
    now = clock.now()
    try:
        usage.correct_call(
            call_id=call_id,
            says=form.cleaned_data["says"],
            reason=form.cleaned_data["reason"],
            actor_id=viewer.user_id,
            now=now,
        )
    except usage.NotCorrectable as refusal:
        form.add_error("says", str(refusal))
        return _page(request, behind, form, status=422)
    report = invoicing.propose_corrections(now=now)
    waiting = queries.open_proposal_for(viewer, call_id)
    if waiting is not None:
        messages.success(request, "Kept. This is the difference it makes; it waits for a decision.")
        return redirect("console:proposal", waiting)
    if report.problems:
        messages.error(request, "Kept, but what it changes could not be computed. " + report.problems[0])
    else:
        messages.success(request, "Kept. It changes nothing of what was billed, so there is no proposal.")
    return redirect("console:call", number, line_id, call_id)


def _behind(viewer: Viewer, number: str, line_id: UUID, call_id: UUID) -> dict[str, object]:
    """The line and its call. Raises NotFound if they do not belong to each other."""
    line = queries.line_for_staff(viewer, line_id)
    found, corrections = calls.one_call(viewer, call_id)
    if line.section.invoice.number != number or line.stretch is None:
        raise NotFound("There is no such line with calls.")
    if found.settlement_id != line.stretch_id:
        raise NotFound("The call is not one of this line's days.")
    zone = line.section.invoice.time_zone
    return {"line": line, "number": number, "call": found, "corrections": corrections, "zone": zone}


def _page(
    request: HttpRequest, behind: dict[str, object], form: CorrectionForm, *, status: int = 200
) -> HttpResponse:
    return render(request, "console/call.html", {**behind, "form": form}, status=status)
