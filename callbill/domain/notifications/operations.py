"""Telling customers, and staff: put a message in the outbox, and deliver what is in it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from callbill.domain.customers import queries as customers
from callbill.domain.notifications._delivery import deliver_pending
from callbill.domain.notifications._wording import Message, write
from callbill.domain.notifications.gateway import Attachment
from callbill.domain.notifications.models import Notification
from callbill.domain.users import queries as users
from callbill.lib.transactions import in_transaction

__all__ = ["Attachment", "Message", "deliver_pending", "tell", "tell_staff"]


@in_transaction
def tell(
    *,
    key: str,
    kind: str,
    payer_id: UUID,
    message: Message,
    subject_id: UUID | None = None,
    attachment: str = "",
    now: datetime,
) -> int:
    """Write the message into the outbox, once for each of the payer's billing contacts.

    Call it in the transaction that makes the thing true, so that both happen or neither. Telling the same
    `key` again adds nothing for an address that has it already. `subject_id` is the invoice or card it is
    about; `attachment` names what `deliver_pending`'s caller shall attach, e.g. "receipt:<id>".
    Returns how many messages were added; 0 for a payer without billing contacts.
    """
    return _put(
        customers.contact_addresses(payer_id),
        message,
        key=key,
        now=now,
        kind=kind,
        payer_id=payer_id,
        subject_id=subject_id,
        attachment=attachment,
    )


@in_transaction
def tell_staff(*, key: str, kind: str, message: Message, now: datetime) -> int:
    """Write the message into the outbox, once for each active member of staff who has an address.

    As with `tell`, the same `key` adds nothing for who has it already. Returns how many were added.
    """
    return _put(users.staff_addresses(), message, key=key, now=now, kind=kind)


def _put(addresses: list[str], message: Message, *, key: str, now: datetime, **fields: object) -> int:
    seller = customers.seller()
    written = write(message, seller_name=seller.name, seller_email=seller.email)
    told = {
        address.lower()
        for address in Notification.objects.filter(key=key).values_list("recipient", flat=True)
    }
    added = 0
    for address in addresses:
        if address.lower() in told:
            continue
        _, created = Notification.objects.get_or_create(
            key=key,
            recipient=address,
            defaults={
                **fields,
                "subject": written.subject,
                "body_text": written.text,
                "body_html": written.html,
                "created_at": now,
            },
        )
        added += created
    return added
