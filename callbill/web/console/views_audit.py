"""The audit log: who did what, when and why."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from callbill.domain.customers.queries import Viewer
from callbill.domain.users.queries import staff_action_page
from callbill.web.console.door import page_number, staff_page


@require_safe
@staff_page
def audit(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Every staff action, newest first."""
    return render(request, "console/audit.html", {"page": staff_action_page(page=page_number(request))})
