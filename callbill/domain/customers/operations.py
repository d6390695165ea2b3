"""What changes about customers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from callbill.domain.customers._viewer import NotAllowed, Viewer, require_administrator
from callbill.domain.customers.models import BillableEntity, BillingContact, Seller
from callbill.domain.customers.queries import payer_seen_by, seller
from callbill.domain.users.operations import ReasonMissing, record_staff_action
from callbill.lib.transactions import in_transaction
from callbill.rules.dunning import ladder_problem

__all__ = [
    "BadContact",
    "BadLadder",
    "NotAllowed",
    "ReasonMissing",
    "add_billing_contact",
    "remove_billing_contact",
    "set_collection",
    "set_pay_on_new_card",
]


class BadContact(Exception):
    """The address cannot be a billing contact; the message says why."""


class BadLadder(Exception):
    """The days cannot be a retry ladder; the message says why."""


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


@in_transaction
def set_pay_on_new_card(*, viewer: Viewer, payer_id: UUID, choice: bool | None) -> None:
    """Whether a new default card is charged by itself for what is past due; None: as the seller does it.

    Raises NotFound, NotAllowed (only billing administrators).
    """
    payer = payer_seen_by(viewer, payer_id)
    require_administrator(viewer, payer)
    BillableEntity.objects.filter(id=payer.id).update(pay_on_new_card=choice)


@in_transaction
def set_collection(
    *,
    actor_id: UUID,
    retry_ladder_days: Sequence[int],
    pay_on_new_card: bool,
    reason: str,
    now: datetime,
) -> None:
    """How the seller collects: extra retries, days after a decline (M28), and new cards by themselves.

    Declines from now on follow the new ladder; what is planned stays planned. Who, when, why, and what it
    was before, are in the audit log. Raises BadLadder, ReasonMissing.
    """
    problem = ladder_problem(retry_ladder_days)
    if problem:
        raise BadLadder(f"The retry days {problem}.")
    kept = Seller.objects.select_for_update().filter(key="default").first() or seller()
    before = {"retry_ladder_days": kept.retry_ladder_days, "pay_on_new_card": kept.pay_on_new_card}
    after = {"retry_ladder_days": list(retry_ladder_days), "pay_on_new_card": pay_on_new_card}
    record_staff_action(
        actor_id=actor_id,
        action="change_collection",
        subject_kind="seller",
        subject_id=kept.key,
        subject_label=kept.name,
        reason=reason,
        details={
            f"{name} ({when})": _in_words(value)
            for when, values in (("before", before), ("now", after))
            for name, value in values.items()
        },
        now=now,
    )
    kept.retry_ladder_days = list(retry_ladder_days)
    kept.pay_on_new_card = pay_on_new_card
    kept.save()


def _in_words(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "yes" if value else "no"
