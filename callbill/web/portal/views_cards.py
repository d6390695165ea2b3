"""Cards: Stripe's form, what came of it, default, remove; and paying now."""

from __future__ import annotations

import logging
from typing import cast
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from csp.decorators import csp_update
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callbill.domain.customers.queries import (
    NotFound,
    Viewer,
    payer_seen_by,
    require_administrator,
    visible_payers,
)
from callbill.domain.invoicing.queries import invoice_for
from callbill.domain.payments import operations as payments
from callbill.domain.payments import queries
from callbill.domain.payments.queries import SavedCard
from callbill.lib import clock
from callbill.lib.formats import money
from callbill.web.portal.door import asked, customers_page
from callbill.web.portal.owed import open_of, past_due_of
from callbill.web.portal.payers import administered_payers

logger = logging.getLogger(__name__)
_NOT_ASKED = (
    "Stripe did not answer when we asked for the card. If it was saved, it appears on the Company page "
    "within a few minutes; nothing was charged."
)
_NOT_COMPLETED = "The card form was not completed, so no card was saved. Nothing was charged."


def stripe_sources() -> dict[str, list[str]]:
    """What the card page's policy adds: Stripe's hosts, or a sandbox's (docs.stripe.com/security/guide)."""
    if settings.STRIPE_API_BASE:
        addresses = (settings.STRIPE_API_BASE, settings.STRIPE_JS_URL)
        hosts = list(dict.fromkeys(f"{urlsplit(url).scheme}://{urlsplit(url).netloc}" for url in addresses))
        return {"script-src": hosts, "frame-src": hosts, "connect-src": hosts}
    hosts = ["https://js.stripe.com", "https://*.js.stripe.com"]
    return {
        "script-src": hosts,
        "frame-src": [*hosts, "https://hooks.stripe.com"],
        "connect-src": ["https://api.stripe.com"],
        "img-src": ["https://*.stripe.com"],
    }


@require_safe
@customers_page
def add(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The page with Stripe's form; each visit opens a fresh one."""
    payer = payer_seen_by(viewer, _payer_asked_for(request, viewer))
    require_administrator(viewer, payer)
    try:
        form = payments.start_card_setup(
            viewer=viewer, payer_id=payer.id, ip=request.META.get("REMOTE_ADDR"), now=clock.now()
        )
    except payments.GatewayError:
        logger.exception("the card form could not be opened")
        return render(request, "portal/add_card.html", {"payer": payer}, status=503)
    there = reverse("portal:card_added") + "?" + urlencode({"payer": payer.id})
    context = {"payer": payer, "form": form, "return_url": request.build_absolute_uri(there)}

    def page(request: HttpRequest) -> HttpResponse:
        return render(request, "portal/add_card.html", context)

    return cast(HttpResponse, csp_update(stripe_sources())(page)(request))


def _payer_asked_for(request: HttpRequest, viewer: Viewer) -> UUID:
    """The payer in the address, or the only one whose cards the viewer keeps."""
    text = asked(request, "payer")
    mine = administered_payers(viewer)
    if not text and len(mine) == 1:
        return next(iter(mine))
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("There is no such billable entity.") from None


@require_safe
@customers_page
def added(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Back from the form: the card as Stripe tells it, and what is past due. The browser is not believed."""
    payer = payer_seen_by(viewer, _payer_asked_for(request, viewer))
    card, problem = _card_of_form(viewer, asked(request, "setup_intent"))
    now = clock.now()
    context = {
        "payer": payer,
        "card": card,
        "problem": problem,
        "owed": past_due_of(viewer, now=now, payer_id=payer.id) if card else [],
        "open": open_of(viewer, now=now, payer_id=payer.id) if card else [],
    }
    return render(request, "portal/card_added.html", context)


def _card_of_form(viewer: Viewer, reference: str) -> tuple[SavedCard | None, str]:
    try:
        card = payments.finish_card_setup(viewer=viewer, setup_id=reference, now=clock.now())
    except payments.GatewayError:
        logger.exception("a card form's result could not be read")
        return None, _NOT_ASKED
    return card, "" if card else _NOT_COMPLETED


@require_http_methods(["GET", "HEAD", "POST"])
@customers_page
def make_default(request: HttpRequest, viewer: Viewer, card_id: UUID) -> HttpResponse:
    """Ask, then make the card the one that is charged for new invoices."""
    card = _card(viewer, card_id)
    if request.method == "POST":
        payments.make_default(viewer=viewer, card_id=card_id, now=clock.now())
        messages.success(request, f"{card.label} is now the default and will be charged for new invoices.")
        return redirect("portal:company")
    context = {
        "question": f"Make {card.label} the default?",
        "consequence": f"{card.label} will be charged for new invoices. The other cards stay on file.",
        "action": "Make default",
    }
    return render(request, "portal/confirm_card.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@customers_page
def remove(request: HttpRequest, viewer: Viewer, card_id: UUID) -> HttpResponse:
    """Ask, then forget the card."""
    card = _card(viewer, card_id)
    problem = ""
    if request.method == "POST":
        try:
            payments.remove_card(viewer=viewer, card_id=card_id, now=clock.now())
        except payments.CardRefused as refusal:
            problem = str(refusal)
        else:
            messages.success(request, f"{card.label} was removed and will not be charged again.")
            return redirect("portal:company")
    context = {
        "question": f"Remove {card.label}?",
        "consequence": f"{card.label} will be forgotten here and at Stripe, and never charged again.",
        "action": "Remove",
        "danger": True,
        "problem": problem,
    }
    return render(request, "portal/confirm_card.html", context, status=422 if problem else 200)


def _card(viewer: Viewer, card_id: UUID) -> SavedCard:
    """A card whose payer's billing the viewer handles. Raises NotFound, NotAllowed."""
    now = clock.now()
    for payer in visible_payers(viewer):
        for card in queries.cards(viewer, payer.id, now=now):
            if card.id == card_id:
                require_administrator(viewer, payer)
                return card
    raise NotFound("There is no such card.")


@require_POST
@customers_page
def pay(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """Charge the default card for the invoice now, and say how it went."""
    try:
        attempt = payments.pay_now(viewer=viewer, number=number, now=clock.now())
    except payments.PaymentRefused as refusal:
        messages.error(request, str(refusal))
    else:
        if attempt.paid:
            messages.success(request, f"Paid: {money(attempt.amount)} with {attempt.card}. Thank you.")
        elif attempt.state == "action_required" and (confirm := _confirmation_of(viewer, number)):
            return redirect(confirm)
        elif attempt.what_to_do:
            messages.error(request, f"Not paid. {attempt.what_happened} {attempt.what_to_do}")
        else:
            messages.info(request, attempt.what_happened)
    return redirect("portal:invoice", number)


def _confirmation_of(viewer: Viewer, number: str) -> str:
    """Where the payment that waits for its cardholder, who is here now, is confirmed."""
    return queries.confirmation_path(viewer, invoice_for(viewer, number).summary.id)
