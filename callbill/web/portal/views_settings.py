"""Settings: the billing contact addresses of each payer, and what its new cards do."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callbill.domain.customers import operations, queries
from callbill.domain.customers.queries import NotFound, Viewer
from callbill.web.portal.door import customers_page
from callbill.web.portal.forms import CollectionForm, ContactForm
from callbill.web.portal.payers import PayerView, payers_of


@require_safe
@customers_page
def settings(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The billing contacts of every payer the viewer may see."""
    return _page(request, viewer)


@require_POST
@customers_page
def add_contact(request: HttpRequest, viewer: Viewer, payer_id: UUID) -> HttpResponse:
    """Add an address; what was typed comes back with the reason if it cannot be one."""
    queries.require_administrator(viewer, queries.payer_seen_by(viewer, payer_id))
    form = ContactForm(request.POST, payer_id=payer_id)
    if form.is_valid():
        try:
            contact = operations.add_billing_contact(viewer=viewer, payer_id=payer_id, **form.cleaned_data)
        except operations.BadContact as problem:
            form.add_error("email", str(problem))
        else:
            messages.success(request, f"Billing mails now go to {contact.email}.")
            return redirect("portal:settings")
    return _page(request, viewer, returned=form, status=422)


@require_POST
@customers_page
def collection(request: HttpRequest, viewer: Viewer, payer_id: UUID) -> HttpResponse:
    """Set whether a new default card is charged by itself for what is past due."""
    payer = queries.payer_seen_by(viewer, payer_id)
    queries.require_administrator(viewer, payer)
    form = _collection_form(payer.id, payer.pay_on_new_card, request.POST)
    if not form.is_valid():
        return _page(request, viewer, choice=form, status=422)
    operations.set_pay_on_new_card(viewer=viewer, payer_id=payer_id, choice=form.wish)
    messages.success(request, f"Saved for {payer.name}.")
    return redirect("portal:settings")


@require_http_methods(["GET", "HEAD", "POST"])
@customers_page
def remove_contact(request: HttpRequest, viewer: Viewer, payer_id: UUID, contact_id: UUID) -> HttpResponse:
    """Ask, then remove an address."""
    payer = queries.payer_seen_by(viewer, payer_id)
    queries.require_administrator(viewer, payer)
    contact = next((c for c in queries.billing_contacts(viewer, payer_id) if c.id == contact_id), None)
    if contact is None:
        raise NotFound("There is no such billing contact.")
    problem = ""
    if request.method == "POST":
        try:
            operations.remove_billing_contact(viewer=viewer, payer_id=payer_id, contact_id=contact_id)
        except operations.BadContact as refusal:
            problem = str(refusal)
        else:
            messages.success(request, f"Billing mails no longer go to {contact.email}.")
            return redirect("portal:settings")
    context = {"payer": payer, "contact": contact, "problem": problem}
    return render(request, "portal/remove_contact.html", context, status=422 if problem else 200)


def _collection_form(payer_id: UUID, own: bool | None, data: Any = None) -> CollectionForm:
    seller = queries.seller()
    return CollectionForm(
        data, payer_id=payer_id, seller=seller.name, by_itself=seller.pay_on_new_card, own=own
    )


def _page(
    request: HttpRequest,
    viewer: Viewer,
    *,
    returned: ContactForm | None = None,
    choice: CollectionForm | None = None,
    status: int = 200,
) -> HttpResponse:
    wishes = {payer.id: payer.pay_on_new_card for payer in queries.visible_payers(viewer)}

    def contacts_of(payer: PayerView) -> dict[str, object]:
        mine = returned is not None and returned.payer_id == payer.id
        chosen = choice if choice is not None and choice.payer_id == payer.id else None
        return {
            "collection": chosen or _collection_form(payer.id, wishes.get(payer.id)),
            "payer": payer,
            "contacts": queries.billing_contacts(viewer, payer.id),
            "form": returned if mine else ContactForm(payer_id=payer.id),
        }

    payers = payers_of(viewer)
    context = {
        "groups": [contacts_of(payer) for payer in payers if payer.visible],
        "elsewhere": [payer for payer in payers if not payer.visible],
    }
    return render(request, "portal/settings.html", context, status=status)
