"""What changes about customers."""

from __future__ import annotations

from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from callbill.domain.customers._viewer import NotAllowed, Viewer, require_administrator
from callbill.domain.customers.models import BillingContact
from callbill.domain.customers.queries import payer_seen_by
from callbill.lib.transactions import in_transaction

__all__ = ["BadContact", "NotAllowed", "add_billing_contact", "remove_billing_contact"]


class BadContact(Exception):
    """The address cannot be a billing contact; the message says why."""


@in_transaction
def add_billing_contact(*, viewer: Viewer, payer_id: UUID, email: str, name: str = "") -> BillingContact:
    """Add an address that gets the payer's billing mails; adding one that is there changes nothing.

    Raises NotFound, NotAllowed (only billing administrators), BadContact.
    """
    payer = payer_seen_by(viewer, payer_id)
    require_administrator(viewer, payer)
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        raise BadContact(
            f"“{email.strip()}” is not an e-mail address. Use one like accounts@example.com."
        ) from None
    existing = BillingContact.objects.filter(payer=payer, email__iexact=address).first()
    return existing or BillingContact.objects.create(payer=payer, email=address, name=name.strip())


@in_transaction
def remove_billing_contact(*, viewer: Viewer, payer_id: UUID, contact_id: UUID) -> None:
    """Remove an address; the last one stays, because somebody must hear of a failed payment.

    Raises NotFound, NotAllowed, BadContact.
    """
    payer = payer_seen_by(viewer, payer_id)
    require_administrator(viewer, payer)
    contacts = BillingContact.objects.select_for_update().filter(payer=payer)
    if not any(contact.id != contact_id for contact in contacts):
        raise BadContact("This is the last billing contact. Add another address before you remove it.")
    BillingContact.objects.filter(payer=payer, id=contact_id).delete()
