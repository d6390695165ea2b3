"""Reconciliation: what differs and what to do, what it stopped, and asking for it now."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callbill.domain.customers.queries import NotFound, Viewer
from callbill.domain.payments import operations as payments
from callbill.domain.payments import queries as payment_queries
from callbill.domain.reconciliation import queries
from callbill.domain.reconciliation.operations import ask_to_reconcile
from callbill.lib import clock
from callbill.web.console.door import page_number, staff_page
from callbill.web.console.forms import ReasonForm

_PAGE_SIZE = 50


@require_safe
@staff_page
def reconciliation(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The differences, the stops, and the latest runs with how far they are."""
    return _page(request, viewer, ReasonForm())


@require_POST
@staff_page
def start(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Ask the worker to reconcile."""
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return _page(request, viewer, form, status=422)
    run, is_new = ask_to_reconcile(
        actor_id=viewer.user_id, reason=form.cleaned_data["reason"], now=clock.now()
    )
    if is_new:
        messages.success(request, "Asked for. The worker begins within a minute.")
    else:
        where = f"it is at “{run.step}”" if run.step else "it waits for the worker"
        messages.warning(request, f"It was asked for already: {where}.")
    return redirect("console:reconciliation")


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page
def lift(request: HttpRequest, viewer: Viewer, stop_id: UUID) -> HttpResponse:
    """Lift a stop: the question with a place for the reason, then the deed."""
    stop = next((each for each in payment_queries.collection_stops(viewer) if each.id == stop_id), None)
    if stop is None:
        raise NotFound("There is no such stop, or somebody has lifted it already.")
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        payments.lift_collection_stop(
            stop_id=stop.id, actor_id=viewer.user_id, reason=form.cleaned_data["reason"], now=clock.now()
        )
        messages.success(
            request,
            "Lifted. What waited for it is charged within the hour, unless another stop of "
            f"{stop.payer_name} stands.",
        )
        return redirect("console:reconciliation")
    wrong = request.method == "POST"
    return render(
        request, "console/lift_stop.html", {"stop": stop, "form": form}, status=422 if wrong else 200
    )


def _page(request: HttpRequest, viewer: Viewer, form: ReasonForm, *, status: int = 200) -> HttpResponse:
    found = queries.open_differences(viewer)
    wrong = [each for each in found if not each.is_note]
    context = {
        "wrong": len(wrong),
        "page": Paginator(wrong, _PAGE_SIZE).get_page(page_number(request)),
        "notes": [each for each in found if each.is_note],
        "stops": payment_queries.collection_stops(viewer),
        "runs": queries.runs(viewer),
        "last": queries.last_good_run(),
        "form": form,
    }
    return render(request, "console/reconciliation.html", context, status=status)
