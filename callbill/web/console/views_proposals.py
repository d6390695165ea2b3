"""Proposed credits: what waits for staff, why it came to that, and the decision."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from callbill.domain.customers.queries import Viewer
from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing import queries
from callbill.domain.invoicing.queries import ProposalView
from callbill.lib import clock, formats
from callbill.rules.money import Money
from callbill.web.console.door import page_number, staff_page
from callbill.web.console.proposal_forms import DecisionForm


@require_safe
@staff_page
def proposals(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Those that wait, or with `state` in the address those of a state, or all."""
    state = request.GET.get("state", "proposed")
    state = state if state in dict(queries.STATES) else ""
    context = {
        "page": queries.proposal_page(viewer, state=state, page=page_number(request)),
        "states": queries.STATES,
        "state": state,
    }
    return render(request, "console/proposals.html", context)


@require_safe
@staff_page
def proposal(request: HttpRequest, viewer: Viewer, proposal_id: UUID) -> HttpResponse:
    """One proposal: the computation, the charges, the calls, and the decision."""
    shown = queries.one_proposal(viewer, proposal_id)
    return _page(request, shown, _form(shown))


@require_POST
@staff_page
def decide(request: HttpRequest, viewer: Viewer, proposal_id: UUID) -> HttpResponse:
    """Approve or refuse, with a reason; what cannot be decided comes back and says why."""
    shown = queries.one_proposal(viewer, proposal_id)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        return _page(request, shown, form, status=422)
    typed, now = form.cleaned_data, clock.now()
    approved = typed["decision"] == "approve"
    try:
        if approved:
            invoicing.approve_proposal(
                proposal_id=shown.id,
                seen=Money(typed["seen"], shown.amount.currency),
                reason=typed["reason"],
                actor_id=viewer.user_id,
                now=now,
            )
        else:
            invoicing.refuse_proposal(
                proposal_id=shown.id, reason=typed["reason"], actor_id=viewer.user_id, now=now
            )
    except invoicing.CannotDecide as refusal:
        messages.error(request, str(refusal))
        return redirect("console:proposal", shown.id)
    if approved:
        what = "charge" if shown.is_charge else "credit"
        amount = formats.money(abs(shown.amount))
        messages.success(
            request, f"Approved: the {what} of {amount} goes on the next invoice of {shown.company_name}."
        )
    else:
        messages.success(request, "Refused: nothing is credited, and the invoice stays as it is.")
    return redirect("console:proposal", shown.id)


def _form(shown: ProposalView) -> DecisionForm | None:
    return DecisionForm(initial={"seen": shown.amount.minor}) if shown.is_open else None


def _page(
    request: HttpRequest, shown: ProposalView, form: DecisionForm | None, *, status: int = 200
) -> HttpResponse:
    return render(request, "console/proposal.html", {"proposal": shown, "form": form}, status=status)
