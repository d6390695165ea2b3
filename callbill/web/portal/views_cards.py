"""Cards: Stripe's form, what came of it, default, agreeing again, remove."""

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
from django.views.decorators.http import require_http_methods, require_safe

from callbill.domain.customers.queries import (
    NotFound,
    Viewer,
    payer_seen_by,
    require_administrator,
    visible_payers,
)
from callbill.domain.payments import operations as payments
from callbill.domain.payments import queries
from callbill.domain.payments.queries import SavedCard
from callbill.lib import clock
from callbill.web.portal.door import asked, customers_page
from callbill.web.portal.owed import open_of, past_due_of, payable_of
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
    saved = queries.cards(viewer, payer.id, now=clock.now())
    context = {
        "payer": payer,
        "form": form,
        "return_url": request.build_absolute_uri(there),
        # Only the first card becomes the default by being saved.
        "at_once": []
        if any(card.is_default for card in saved)
        else queries.charged_at_once(viewer, payer.id),
    }

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
        "payable": payable_of(viewer, payer.id) if card and card.is_default else [],
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
    """Ask, then make the card the one that is charged; then what is past due, with a button to pay it."""
    card, payer_id, _ = _card(viewer, card_id)
    problem = ""
    if request.method == "POST":
        now = clock.now()
        try:
            payments.make_default(viewer=viewer, card_id=card_id, now=now)
        except payments.CardRefused as refusal:
            problem = str(refusal)
        else:
            words = f"{card.label} is now the default and will be charged for new invoices."
            messages.success(request, words)
            owed = past_due_of(viewer, now=now, payer_id=payer_id)
            return redirect("portal:owed_now", payer_id) if owed else redirect("portal:company")
    context = {
        "question": f"Make {card.label} the default?",
        "consequence": f"{card.label} will be charged for new invoices. The other cards stay on file.",
        "at_once": [] if card.is_default else queries.charged_at_once(viewer, payer_id),
        "action": "Make default",
        "problem": problem,
    }
    return render(request, "portal/confirm_card.html", context, status=422 if problem else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@customers_page
def agree(request: HttpRequest, viewer: Viewer, card_id: UUID) -> HttpResponse:
    """The words of the agreement for a card that its issuer replaced; then agree to them."""
    card, payer_id, payer_name = _card(viewer, card_id)
    if request.method == "POST":
        payments.agree_to_card(
            viewer=viewer, card_id=card_id, ip=request.META.get("REMOTE_ADDR"), now=clock.now()
        )
        messages.success(
            request, f"Thank you. {card.label} can be charged again, also for what waited for it."
        )
        return redirect("portal:company")
    context = {
        "card": card,
        "mandate": queries.mandate_text(payer_name, again=True),
        "waiting": queries.waits_for_consent(viewer, payer_id) if card.is_default else [],
    }
    return render(request, "portal/agree_card.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@customers_page
def remove(request: HttpRequest, viewer: Viewer, card_id: UUID) -> HttpResponse:
    """Ask, then forget the card."""
    card, _, _ = _card(viewer, card_id)
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


def _card(viewer: Viewer, card_id: UUID) -> tuple[SavedCard, UUID, str]:
    """A card, its payer's id and name, whose billing the viewer handles. Raises NotFound, NotAllowed."""
    now = clock.now()
    for payer in visible_payers(viewer):
        for card in queries.cards(viewer, payer.id, now=now):
            if card.id == card_id:
                require_administrator(viewer, payer)
                return card, payer.id, payer.name
    raise NotFound("There is no such card.")
