"""A cardholder opens the link to a payment that the bank wants confirmed, or comes back from the bank."""

from __future__ import annotations

from datetime import datetime

from callbill.domain.customers.queries import NotFound
from callbill.domain.payments._apply import apply
from callbill.domain.payments._confirming import (
    Confirmation,
    ConfirmationForm,
    Standing,
    attempt_of_link,
    confirmation_of,
)
from callbill.domain.payments.gateway import gateway
from callbill.domain.payments.models import LIVE_STATES, PaymentAttempt
from callbill.lib.transactions import outside_transaction


@outside_transaction
def open_confirmation(*, token: str, now: datetime) -> tuple[Confirmation, ConfirmationForm | None]:
    """The payment behind a signed link, as the gateway tells it now, and what the page needs to confirm it.

    The same for who opens the link first and for who comes back from the bank: what became of it is asked
    of the gateway, never believed of the browser, and applied like any other answer. No sign-in is needed.
    The form is None unless the payment waits. Raises NotFound for a link that is not ours, LinkTooOld (then
    the gateway is not asked), GatewayError.
    """
    attempt = attempt_of_link(token, now=now)
    if attempt is None:
        raise NotFound("This link is not one of ours, or a part of it is missing.")
    if attempt.state not in LIVE_STATES or not attempt.intent.reference:
        return confirmation_of(attempt, now=now), None
    view = gateway().fetch_intent(reference=attempt.intent.reference)
    apply(attempt_id=attempt.id, view=view, now=now)
    attempt = PaymentAttempt.objects.select_related("invoice", "payment_method", "intent").get(id=attempt.id)
    confirmation = confirmation_of(attempt, now=now, last=view.refusal)
    if confirmation.standing is not Standing.WAITS:
        return confirmation, None
    page = gateway().page_settings()
    form = ConfirmationForm(
        client_secret=view.client_secret,
        card_reference=attempt.payment_method.reference,
        publishable_key=page.publishable_key,
        script_url=page.script_url,
    )
    return confirmation, form
