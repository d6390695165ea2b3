"""The page behind the link of a payment that the bank wants its cardholder to confirm. No sign-in."""

from __future__ import annotations

import logging
from typing import cast

from csp.decorators import csp_update
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from callbill.domain.customers.queries import NotFound
from callbill.domain.payments import operations as payments
from callbill.lib import clock
from callbill.web.portal.views_cards import stripe_sources

logger = logging.getLogger(__name__)
_PAGE = "portal/confirm_payment.html"
_NOT_ASKED = "Stripe does not answer us just now, so we cannot tell how this payment stands."


@login_not_required
@never_cache
@require_safe
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """The payment, with the button that asks the bank; also where one comes back to from the bank.

    What the address says after the token is ignored: the gateway is asked how the payment stands.
    """
    try:
        payment, form = payments.open_confirmation(token=token, now=clock.now())
    except NotFound as missing:
        return _private(render(request, _PAGE, {"problem": str(missing)}, status=404))
    except payments.LinkTooOld as error:
        return _private(render(request, _PAGE, {"problem": str(error), "too_old": True}, status=410))
    except payments.GatewayError:
        logger.exception("a payment to be confirmed could not be looked at")
        return _private(render(request, _PAGE, {"problem": _NOT_ASKED, "again": True}, status=503))
    here = request.build_absolute_uri(reverse("portal:confirm_payment", args=[token]))
    context = {"payment": payment, "form": form, "return_url": here}

    def page(request: HttpRequest) -> HttpResponse:
        return render(request, _PAGE, context)

    if form is None:
        return _private(page(request))
    return _private(cast(HttpResponse, csp_update(stripe_sources())(page)(request)))


def _private(answer: HttpResponse) -> HttpResponse:
    """The address is the key: neither search engines nor other sites shall learn it."""
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer
