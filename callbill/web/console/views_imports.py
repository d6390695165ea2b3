"""Imports of calls: what came in, and the rows that were set aside."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from callbill.domain.customers.queries import Viewer
from callbill.domain.usage import queries as usage
from callbill.web.console.door import page_number, staff_page


@require_safe
@staff_page
def imports(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Every import, newest first."""
    return render(
        request, "console/imports.html", {"page": usage.import_page(viewer, page=page_number(request))}
    )


@require_safe
@staff_page
def one_import(request: HttpRequest, viewer: Viewer, import_id: UUID) -> HttpResponse:
    """One import with the rows it set aside: those still open, or with `all` in the address every one."""
    found = usage.one_import(viewer, import_id)
    everything = request.GET.get("rows") == "all"
    code = request.GET.get("code", "")[:40]
    rows = usage.set_aside_page(
        viewer, import_id, only_open=not everything, code=code, page=page_number(request)
    )
    context = {
        "call_import": found,
        "reasons": usage.set_aside_reasons(viewer, import_id),
        "page": rows,
        "everything": everything,
        "code": code,
    }
    return render(request, "console/import.html", context)
