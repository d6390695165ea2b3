"""Notifications: what was sent, when, to whom."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from callbill.domain.customers.queries import Viewer
from callbill.domain.notifications import queries as sent
from callbill.web.portal.door import customers_page, page_number
from callbill.web.portal.payers import zone_of


@require_safe
@customers_page
def notifications(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Every billing mail to the viewer's payers, newest first."""
    page = sent.sent_to(viewer, page=page_number(request))
    context = {
        "page": page,
        "zone": zone_of(viewer),
        "several": len({mail.payer_name for mail in page.object_list}) > 1,
    }
    return render(request, "portal/notifications.html", context)
