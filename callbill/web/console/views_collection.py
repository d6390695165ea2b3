"""Collection runs: how far the one under way is, and what came of those before."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from callbill.domain.customers.queries import Viewer
from callbill.domain.payments import queries as payments
from callbill.web.console.door import staff_page


@require_safe
@staff_page
def collections(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The latest runs, newest first; those under way with their progress."""
    return render(request, "console/collections.html", {"runs": payments.collection_runs(viewer)})


@require_safe
@staff_page
def collection(request: HttpRequest, viewer: Viewer, run_id: UUID) -> HttpResponse:
    """One run; while it is under way the page asks for its middle part again every two seconds."""
    context = {"run": payments.collection_run(viewer, run_id)}
    part = request.headers.get("HX-Target") == "progress"
    answer = render(request, "console/progress.html" if part else "console/collection.html", context)
    answer.headers["Vary"] = "HX-Target, Cookie"
    return answer
