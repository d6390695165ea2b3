"""Stripe's door: verify, store once, answer 200. What it means is found out later."""

from __future__ import annotations

import logging

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from callbill.domain.payments import operations
from callbill.lib import clock

logger = logging.getLogger(__name__)
_MOST_BYTES = 1_000_000


@csrf_exempt
@login_not_required
@require_POST
def stripe(request: HttpRequest) -> HttpResponse:
    """Take an event: 200 if it is genuine, new or not; 400 without a reason if not; 413 if too large."""
    try:
        if int(request.META.get("CONTENT_LENGTH") or 0) > _MOST_BYTES:
            return HttpResponse(status=413)
        payload = request.body
    except (ValueError, RequestDataTooBig, UnreadablePostError):
        return HttpResponse(status=400)
    if len(payload) > _MOST_BYTES:
        return HttpResponse(status=413)
    try:
        operations.receive_event(
            payload=payload, signature=request.headers.get("Stripe-Signature", ""), now=clock.now()
        )
    except operations.BadSignature as error:
        # The reason is for our log: whoever knocks with a wrong signature learns nothing.
        logger.warning("an event was refused: %s", error)
        return HttpResponse(status=400)
    return HttpResponse(status=200)
