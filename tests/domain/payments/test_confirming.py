"""A payment that the bank wants confirmed: the link, confirming, failing, and everything that ends it."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
import stripe
from django.core import signing

from callbill.domain.customers.queries import NotFound
from callbill.domain.disputes.models import Hold
from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import operations, queries
from callbill.domain.payments.models import (
    CollectionPlan,
    CollectionStop,
    PaymentAttempt,
    PaymentIntent,
    PaymentMethod,
)
from callbill.domain.payments.operations import Standing
from callbill.rules.money import Money
from tests.domain import world
from tests.domain.payments.shop import ALWAYS_3DS, DECLINES, ISSUED, Shop, issued_row

LATER = ISSUED + timedelta(hours=2)


@pytest.fixture
def invoice(shop: Shop) -> Invoice:
    """January's, past due because the bank wants the cardholder."""
    shop.add_card(ALWAYS_3DS)
    made = shop.bill()
    assert operations.collect_due(now=ISSUED).attempts == {"action_required": 1}
    return made


def token_in_mail(shop: Shop) -> str:
    (mail,) = shop.told("payment_failed")
    found = re.search(r"/pay/confirm/([^/\s]+)/", mail.body_text)
    assert found, mail.body_text
    return found.group(1)


def in_browser(shop: Shop, form: operations.ConfirmationForm, *, passed: bool = True) -> None:
    """What Stripe.js does: confirm the same payment with the same card, and the bank asks the cardholder."""
    reference = form.client_secret.partition("_secret_")[0]
    asked = shop.stripe.v1.payment_intents.confirm(reference, {"payment_method": form.card_reference})
    assert asked.status == "requires_action"
    shop.sandbox.authenticate(reference, form.client_secret, passed=passed)


def test_the_link_in_the_mail_shows_the_payment_and_confirming_it_pays_once(
    shop: Shop, invoice: Invoice
) -> None:
    token = token_in_mail(shop)
    payment, form = operations.open_confirmation(token=token, now=LATER)
    assert form is not None
    assert payment.standing is Standing.WAITS
    assert payment.facts is not None
    assert (payment.facts.seller, payment.facts.invoice_number) == ("CIC", invoice.number)
    assert (str(payment.facts.amount), payment.facts.card) == ("135.00 USD", "Visa •••• 3184")
    in_browser(shop, form)
    for _ in range(2):
        payment, form = operations.open_confirmation(token=token, now=LATER)
        assert (payment.standing, form) == (Standing.PAID, None)
    invoice.refresh_from_db()
    assert invoice.status == "paid"
    attempt = PaymentAttempt.objects.get()
    assert (attempt.state, attempt.charge) == ("succeeded", shop.charges(paid=True)[0].id)
    assert len(shop.charges(paid=True)) == 1
    assert len(shop.told("payment_received")) == 1
    assert CollectionPlan.objects.get().next_attempt_at is None


def test_the_webhook_alone_settles_it_too(shop: Shop, invoice: Invoice) -> None:
    _, form = operations.open_confirmation(token=token_in_mail(shop), now=LATER)
    assert form is not None
    in_browser(shop, form)
    # The browser was closed before it came back: the sweeper asks within the hour.
    operations.sweep_attempts(now=LATER + timedelta(hours=1))
    invoice.refresh_from_db()
    assert invoice.status == "paid"


def test_a_confirmation_that_fails_can_be_tried_again(shop: Shop, invoice: Invoice) -> None:
    token = token_in_mail(shop)
    for _ in range(2):
        _, form = operations.open_confirmation(token=token, now=LATER)
        assert form is not None
        in_browser(shop, form, passed=False)
    payment, form = operations.open_confirmation(token=token, now=LATER)
    assert form is not None
    assert payment.standing is Standing.WAITS
    assert payment.what_happened == "The confirmation at the bank did not succeed, and nothing was charged."
    assert payment.what_to_do == "Confirm the payment again, or use another card."
    plan = CollectionPlan.objects.get()
    assert (plan.automatic_attempts, PaymentAttempt.objects.count()) == (1, 1)
    in_browser(shop, form)
    operations.open_confirmation(token=token, now=LATER)
    invoice.refresh_from_db()
    assert invoice.status == "paid"


def test_confirmed_and_then_declined_says_why_and_counts_once(shop: Shop, invoice: Invoice) -> None:
    token = token_in_mail(shop)
    _, form = operations.open_confirmation(token=token, now=LATER)
    assert form is not None
    reference = form.client_secret.partition("_secret_")[0]
    shop.stripe.v1.payment_intents.confirm(reference, {"payment_method": form.card_reference})
    shop.sandbox.decline_next(form.card_reference, "insufficient_funds")
    shop.sandbox.authenticate(reference, form.client_secret)
    payment, form = operations.open_confirmation(token=token, now=LATER)
    assert (payment.standing, form) == (Standing.OVER, None)
    assert payment.what_happened == "There was not enough money available on the card."
    attempt = PaymentAttempt.objects.get()
    assert (attempt.state, attempt.decline_code) == ("declined", "insufficient_funds")
    assert CollectionPlan.objects.get().automatic_attempts == 1
    invoice.refresh_from_db()
    assert invoice.status == "past_due"
    assert operations.open_confirmation(token=token, now=LATER)[0] == payment


def test_another_card_ends_the_link(shop: Shop, invoice: Invoice) -> None:
    token = token_in_mail(shop)
    assert "choose Confirm this payment" in queries.what_happens_next(invoice.id)
    shop.add_card("pm_card_mastercard", default=True)
    said = queries.what_happens_next(invoice.id)
    assert "choose Confirm this payment" in said
    assert "Your Mastercard •••• 4444 will be charged on 1 March 2026" in said
    shop.sandbox.decline_next(PaymentMethod.objects.get(last4="4444").reference)
    operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=LATER)
    payment, form = operations.open_confirmation(token=token, now=LATER)
    assert (payment.standing, form) == (Standing.OVER, None)
    assert "This link is not needed any more" in payment.what_happened
    assert queries.confirmation_path(shop.admin, invoice.id, now=LATER) == ""


def test_what_is_on_hold_is_not_confirmed(shop: Shop, invoice: Invoice) -> None:
    Hold.objects.create(invoice=invoice, kind="question", cause="x", reason="They ask", placed_at=LATER)
    payment, form = operations.open_confirmation(token=token_in_mail(shop), now=LATER)
    assert (payment.standing, form) == (Standing.OVER, None)
    assert queries.confirmation_path(shop.admin, invoice.id, now=LATER) == ""


def test_only_links_that_we_signed_work(shop: Shop, invoice: Invoice) -> None:
    token = token_in_mail(shop)
    attempt = PaymentAttempt.objects.get()
    head, _, mac = token.partition(":")
    name, _, until = head.partition(".")
    assert (name, int(until)) == (str(attempt.id), int((ISSUED + timedelta(days=45)).timestamp()))
    longer = f"{name}.{int(until) + 1}:{mac}"
    for wrong in (head, f"{head}:", f"{head}:{mac[:-1]}x", f"{invoice.id}:{mac}", "", "x:y", longer):
        with pytest.raises(NotFound):
            operations.open_confirmation(token=wrong, now=LATER)


def test_the_link_is_for_the_payers_people(shop: Shop, invoice: Invoice) -> None:
    path = queries.confirmation_path(shop.admin, invoice.id, now=LATER)
    assert operations.open_confirmation(token=path.split("/")[-2], now=LATER)[1] is not None
    other = world.viewer("eve@other.example", company=world.company("other", "Other"), administrator=True)
    assert queries.confirmation_path(other, invoice.id, now=LATER) == ""


def test_a_cycle_later_the_mail_offers_it_again(shop: Shop, invoice: Invoice) -> None:
    operations.collect_due(now=world.at("2026-03-01T05:00"))
    (mail,) = shop.told("card_must_be_replaced")
    (token,) = re.findall(r"/pay/confirm/([^/\s]+)/", mail.body_text)
    assert token != token_in_mail(shop), "a link with a later end"
    assert operations.open_confirmation(token=token, now=world.at("2026-04-10T05:00"))[1] is not None
    assert len(shop.charges()) == 1


def test_confirmed_while_another_card_takes_over_is_paid_once_with_the_card_that_paid(
    shop: Shop, invoice: Invoice
) -> None:
    _, form = operations.open_confirmation(token=token_in_mail(shop), now=LATER)
    assert form is not None
    in_browser(shop, form)
    # Nobody has told us yet, and the customer also pays with another card.
    shop.add_card("pm_card_mastercard", default=True)
    operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=LATER)
    invoice.refresh_from_db()
    assert invoice.status == "paid"
    assert len(shop.charges(paid=True)) == 1
    first, second = PaymentAttempt.objects.order_by("created_at", "id")
    assert (first.state, second.state) == ("succeeded", "canceled")
    assert first.charge == shop.charges(paid=True)[0].id
    (mail,) = shop.told("payment_received")
    assert "Visa •••• 3184" in mail.body_text
    receipt = queries.receipt_of(shop.admin, invoice.id)
    assert receipt is not None
    assert receipt.card_last4 == "3184"


def test_staff_are_told_that_the_cardholder_must_confirm(shop: Shop, invoice: Invoice) -> None:
    (need,) = queries.need_a_person(shop.staff)
    assert need.what_to_do.startswith("The bank wants the cardholder to confirm the payment")


def test_what_staff_gave_up_is_not_tried_again_at_once_though_the_message_comes_first(
    shop: Shop, invoice: Invoice
) -> None:
    """As when the worker dies between the gateway's answer and writing it down."""
    attempt = PaymentAttempt.objects.get()
    shop.stripe.v1.payment_intents.cancel(str(attempt.intent.reference))
    operations.sweep_attempts(now=LATER)
    attempt.refresh_from_db()
    assert attempt.state == "canceled"
    next_try = CollectionPlan.objects.get().next_attempt_at
    assert next_try is not None
    assert next_try > LATER + timedelta(days=7)
    assert operations.collect_due(now=LATER + timedelta(hours=1)).attempts == {}
    assert PaymentAttempt.objects.count() == 1


def test_a_payment_confirmed_in_a_forgotten_tab_stops_collection(shop: Shop, invoice: Invoice) -> None:
    """Another card was declined meanwhile and the invoice settled by transfer: the money is not owed."""
    _, form = operations.open_confirmation(token=token_in_mail(shop), now=LATER)
    assert form is not None
    other = shop.add_card(DECLINES)
    operations.make_default(viewer=shop.admin, card_id=other.id, now=LATER)
    assert operations.pay_now(viewer=shop.admin, number=invoice.number or "", now=LATER).state == "declined"
    operations.record_bank_payment(
        invoice_id=invoice.id,
        method="bank_transfer",
        amount=Money(135_00, "USD"),
        reference="T-1",
        received_on=LATER.date(),
        reason="On the statement",
        actor_id=shop.staff.user_id,
        now=LATER,
    )
    in_browser(shop, form)
    reference = form.client_secret.partition("_secret_")[0]
    for _ in range(2):
        operations.look_at(kind="payment_intent.succeeded", reference=reference, now=LATER)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.paid_minor) == ("paid", 135_00)
    (matter,) = queries.open_matters(shop.staff)
    assert matter.kind == "collection_stopped"
    assert "Refund it at Stripe" in matter.message
    assert CollectionStop.objects.get().payer_id == shop.payer.id
    assert not queries.books_differences()


def test_a_card_that_only_wants_its_holder_can_be_paid_with_again(shop: Shop, invoice: Invoice) -> None:
    """Another card was tried and declined meanwhile; the first is the default again, and its link is dead."""
    first = PaymentMethod.objects.get()
    other = shop.add_card(DECLINES, default=True)
    number = str(invoice.number)
    assert operations.pay_now(viewer=shop.admin, number=number, now=LATER).state == "declined"
    assert other.reference != first.reference
    operations.make_default(viewer=shop.admin, card_id=first.id, now=LATER)
    assert "Choose Pay now and confirm the payment with your Visa •••• 3184" in queries.what_happens_next(
        invoice.id
    )
    assert queries.can_pay_now(invoice.id)
    assert operations.collect_due(now=world.at("2026-03-01T05:00")).attempts == {}, "nobody is there"
    assert operations.pay_now(viewer=shop.admin, number=number, now=LATER).state == "action_required"
    path = queries.confirmation_path(shop.admin, invoice.id, now=LATER)
    _, form = operations.open_confirmation(token=path.split("/")[-2], now=LATER)
    assert form is not None
    in_browser(shop, form)
    operations.open_confirmation(token=path.split("/")[-2], now=LATER)
    invoice.refresh_from_db()
    assert invoice.status == "paid"


def test_staff_read_that_the_payment_waits_and_not_that_the_card_is_refused(
    shop: Shop, invoice: Invoice
) -> None:
    assert not queries.can_pay_now(invoice.id)
    with pytest.raises(operations.PaymentInProgress, match="waits for its holder to confirm it; the link"):
        operations.retry_now(
            invoice_id=invoice.id, actor_id=shop.staff.user_id, reason="They called", now=LATER
        )


def test_a_waiting_payment_over_another_amount_is_made_anew(shop: Shop, invoice: Invoice) -> None:
    """Its link is of no use any more, so whoever is there gets one over what is owed now."""
    shop.hold_some(invoice)
    assert queries.can_pay_now(invoice.id)
    operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=LATER)
    path = queries.confirmation_path(shop.admin, invoice.id, now=LATER)
    payment, form = operations.open_confirmation(token=path.split("/")[-2], now=LATER)
    assert form is not None
    assert payment.facts is not None
    assert str(payment.facts.amount) == "100.00 USD"


def test_a_link_has_an_end(shop: Shop, invoice: Invoice, monkeypatch: pytest.MonkeyPatch) -> None:
    """45 days in a mail, a day behind a button; after that Stripe is not even asked."""
    (mail,) = shop.told("payment_failed")
    assert "until 18 March 2026 at the latest" in mail.body_text
    button = queries.confirmation_path(shop.admin, invoice.id, now=LATER).split("/")[-2]
    for token, last in (
        (token_in_mail(shop), ISSUED + timedelta(days=45)),
        (button, LATER + timedelta(days=1)),
    ):
        before = last - timedelta(seconds=1)
        assert operations.open_confirmation(token=token, now=before)[0].standing is Standing.WAITS
        with monkeypatch.context() as patched:
            patched.setattr("callbill.domain.payments.operations._confirming.gateway", None)
            with pytest.raises(operations.LinkTooOld, match=r"^Sign in, or open the newest mail\.$"):
                operations.open_confirmation(token=token, now=last)


def test_a_link_of_before_links_had_an_end(shop: Shop, invoice: Invoice) -> None:
    attempt = PaymentAttempt.objects.get()
    token = signing.Signer(salt="callbill.payments.confirm").sign(str(attempt.id))
    last = attempt.created_at + timedelta(days=45)
    assert operations.open_confirmation(token=token, now=last - timedelta(seconds=1))[1] is not None
    with pytest.raises(operations.LinkTooOld):
        operations.open_confirmation(token=token, now=last)


def test_a_link_tells_nothing_once_its_payment_is_over(shop: Shop, invoice: Invoice) -> None:
    token = token_in_mail(shop)
    _, form = operations.open_confirmation(token=token, now=LATER)
    assert form is not None
    in_browser(shop, form)
    payment, _ = operations.open_confirmation(token=token, now=LATER)
    assert payment.facts is not None, "it was paid just now"
    payment, _ = operations.open_confirmation(token=token, now=LATER + timedelta(days=1))
    assert (payment.standing, payment.facts) == (Standing.PAID, None)


def test_a_link_tells_nothing_of_an_invoice_that_was_settled_otherwise(shop: Shop, invoice: Invoice) -> None:
    token = token_in_mail(shop)
    shop.add_card("pm_card_mastercard", default=True)
    operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=LATER)
    payment, form = operations.open_confirmation(token=token, now=LATER)
    assert (payment.standing, payment.facts, form) == (Standing.PAID, None, None)


def test_too_much_for_a_part_owed_invoice_leaves_its_rest_to_the_stop(shop: Shop, invoice: Invoice) -> None:
    _, form = operations.open_confirmation(token=token_in_mail(shop), now=LATER)
    assert form is not None
    shop.add_card(DECLINES, default=True)
    operations.pay_now(viewer=shop.admin, number=invoice.number or "", now=LATER)
    invoicing.record_payment(invoice_id=invoice.id, amount_minor=100_00, reference="elsewhere", now=LATER)
    in_browser(shop, form)
    reference = form.client_secret.partition("_secret_")[0]
    operations.look_at(kind="payment_intent.succeeded", reference=reference, now=LATER)
    assert CollectionStop.objects.count() == 1
    plan = CollectionPlan.objects.get()
    assert (plan.next_attempt_at, plan.stopped_because) == (None, "stopped")
    (need,) = queries.need_a_person(shop.staff)
    assert "Payments of this customer are stopped" in need.what_to_do


def test_what_a_forgotten_tab_could_still_pay_is_canceled(shop: Shop, invoice: Invoice) -> None:
    _, form = operations.open_confirmation(token=token_in_mail(shop), now=LATER)
    assert form is not None
    assert operations.cancel_forgotten(now=LATER) == 0, "it is owed, and waits"
    shop.add_card(DECLINES, default=True)
    operations.pay_now(viewer=shop.admin, number=invoice.number or "", now=LATER)
    assert operations.cancel_forgotten(now=LATER) == 0, "it is owed, and the next try is on the same payment"
    invoicing.record_payment(invoice_id=invoice.id, amount_minor=135_00, reference="elsewhere", now=LATER)
    shop.sandbox.fault("500_before", path="/cancel$", method="POST")
    assert operations.cancel_forgotten(now=LATER) == 0
    assert operations.cancel_forgotten(now=LATER) == 1
    assert operations.cancel_forgotten(now=LATER) == 0
    assert PaymentIntent.objects.get().state == "canceled"
    reference = form.client_secret.partition("_secret_")[0]
    with pytest.raises(stripe.InvalidRequestError, match="status of canceled"):
        shop.stripe.v1.payment_intents.confirm(reference, {"payment_method": form.card_reference})
    operations.look_at(kind="payment_intent.canceled", reference=reference, now=LATER)
    assert CollectionStop.objects.count() == 0


def test_a_forgotten_payment_of_a_voided_invoice_is_canceled_whatever_it_brought_forward(shop: Shop) -> None:
    issued_row(shop.payer, date(2025, 12, 1), date(2026, 1, 1), 30)
    shop.add_card(ALWAYS_3DS)
    invoice = shop.bill()
    assert invoice.brought_minor == 30
    operations.collect_due(now=ISSUED)
    shop.add_card(DECLINES, default=True)
    operations.pay_now(viewer=shop.admin, number=invoice.number or "", now=LATER)
    invoicing.void_invoice(invoice_id=invoice.id, actor_id=shop.staff.user_id, reason="-", now=LATER)
    assert operations.cancel_forgotten(now=LATER) == 1


def test_a_forgotten_payment_that_was_made_already_is_applied(shop: Shop, invoice: Invoice) -> None:
    _, form = operations.open_confirmation(token=token_in_mail(shop), now=LATER)
    assert form is not None
    shop.add_card(DECLINES, default=True)
    operations.pay_now(viewer=shop.admin, number=invoice.number or "", now=LATER)
    invoicing.record_payment(invoice_id=invoice.id, amount_minor=135_00, reference="elsewhere", now=LATER)
    in_browser(shop, form)
    assert operations.cancel_forgotten(now=LATER) == 0
    assert CollectionStop.objects.count() == 1, "it is not owed, and staff must look"
    assert PaymentIntent.objects.get().state == "succeeded"
