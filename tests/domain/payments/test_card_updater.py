"""What issuers do to saved cards by themselves: new expiry, new number, another brand (stripe.md 5.2)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callbill.domain.customers.models import Company, Seller
from callbill.domain.customers.queries import NotAllowed
from callbill.domain.payments import operations, queries
from callbill.domain.payments._saving import follow_card
from callbill.domain.payments.gateway import CardView, gateway
from callbill.domain.payments.models import (
    CardConsent,
    CardSetup,
    CollectionPlan,
    GatewayEvent,
    PaymentMethod,
)
from tests.domain import world
from tests.domain.payments.shop import ISSUED, Shop

LATER = ISSUED + timedelta(hours=5)


def replaced(shop: Shop, card: PaymentMethod, **changes: object) -> PaymentMethod:
    """The issuer put another card in its place, as the gateway would tell when asked."""
    now = gateway().card(reference=card.reference)
    told = {"brand": now.brand, "last4": now.last4, "exp_month": now.exp_month, "exp_year": now.exp_year}
    view = CardView(reference=card.reference, customer=now.customer, **{**told, **changes})  # type: ignore[arg-type]
    follow_card(card=card, view=view, now=ISSUED)
    card.refresh_from_db()
    return card


@pytest.fixture
def card(shop: Shop) -> PaymentMethod:
    """A Visa that its issuer replaced by a Mastercard."""
    return replaced(shop, shop.add_card(), brand="mastercard", last4="4444")


def test_the_same_brand_needs_nothing(shop: Shop) -> None:
    card = replaced(shop, shop.add_card(), last4="9999", exp_year=2035)
    assert (card.last4, card.exp_year, card.needs_consent_since) == ("9999", 2035, None)
    assert not shop.told("card_replaced")
    shop.bill()
    assert operations.collect_due(now=ISSUED).attempts == {"succeeded": 1}


def test_another_brand_is_not_charged_by_anybody(shop: Shop, card: PaymentMethod) -> None:
    assert card.needs_consent_since == ISSUED
    invoice = shop.bill()
    assert operations.collect_due(now=ISSUED).attempts == {}
    assert operations.collect_due(now=LATER).attempts == {}
    with pytest.raises(operations.CardNeedsConsent, match="Agree to its use again"):
        operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=LATER)
    with pytest.raises(operations.CardNeedsConsent):
        operations.retry_now(invoice_id=invoice.id, actor_id=shop.staff.user_id, reason="asked", now=LATER)
    assert not shop.charges()
    assert not queries.can_pay_now(invoice.id)
    assert queries.what_happens_next(invoice.id) == (
        "Your bank replaced your card with the Mastercard •••• 4444. Nothing is charged until you agree "
        "to its use on the Company page, or make another card the default."
    )
    (mail,) = shop.told("card_replaced")
    assert "the card we charge for your invoices is now the Mastercard •••• 4444" in mail.body_text
    # The same news again changes and tells nothing.
    replaced(shop, card, brand="mastercard", last4="4444")
    assert len(shop.told("card_replaced")) == 1


def test_agreeing_again_is_kept_and_charges_what_waited(shop: Shop, card: PaymentMethod) -> None:
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    assert CollectionPlan.objects.get().stopped_because == "needs_consent"
    member = world.viewer("joe@acme.example", company=shop.company)
    for viewer in (member, shop.staff):
        with pytest.raises(NotAllowed):
            operations.agree_to_card(viewer=viewer, card_id=card.id, ip=None, now=LATER)
    for _ in range(2):
        shown = operations.agree_to_card(viewer=shop.admin, card_id=card.id, ip="192.0.2.9", now=LATER)
        assert not shown.needs_consent
    consent = CardConsent.objects.get()
    assert (consent.given_by_id, consent.given_at, consent.ip_address, consent.mandate_version) == (
        shop.admin.user_id,
        LATER,
        "192.0.2.9",
        "2026-11-again",
    )
    assert "within a few minutes" in queries.what_happens_next(invoice.id)
    assert operations.charge_new_cards(now=LATER).attempts == {"succeeded": 1}
    assert len(shop.charges(paid=True)) == 1


def test_without_an_answer_it_falls_past_due_and_says_why(shop: Shop, card: PaymentMethod) -> None:
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    overdue = world.at("2026-02-17T12:00")
    operations.collect_due(now=overdue)
    invoice.refresh_from_db()
    assert invoice.status == "past_due"
    (mail,) = shop.told("past_due")
    assert "Your bank replaced your card with the Mastercard" in mail.body_text
    assert queries.need_a_person(shop.staff)[0].what_to_do.startswith("The issuer replaced the card")
    operations.agree_to_card(viewer=shop.admin, card_id=card.id, ip=None, now=overdue)
    assert operations.charge_new_cards(now=overdue).attempts == {"succeeded": 1}


def test_another_default_card_pays_instead(shop: Shop, card: PaymentMethod) -> None:
    shop.bill()
    operations.collect_due(now=ISSUED)
    shop.add_card(default=True)
    assert operations.collect_due(now=LATER).attempts == {"succeeded": 1}
    with pytest.raises(operations.CardRefused, match="Agree to its use again"):
        operations.make_default(viewer=shop.admin, card_id=card.id, now=LATER)


def test_staff_see_who_agreed_to_which_words(shop: Shop, card: PaymentMethod) -> None:
    operations.agree_to_card(viewer=shop.admin, card_id=card.id, ip="192.0.2.9", now=LATER)
    again, first = queries.consents(shop.staff, shop.payer.id)
    assert (first.card, first.at, first.person, first.ip_address) == (
        "Mastercard •••• 4444",
        ISSUED,
        "ann",
        "192.0.2.1",
    )
    assert (again.at, again.ip_address, again.version) == (LATER, "192.0.2.9", "2026-11-again")
    assert (again.again, first.again) == (True, False)
    assert again.text.startswith("By agreeing you allow CIC to charge this card")
    assert "every invoice issued to Acme Dental" in again.text
    assert queries.consents(shop.admin, shop.payer.id) == []


def test_the_words_stay_as_they_were_agreed_to(shop: Shop, card: PaymentMethod) -> None:
    operations.agree_to_card(viewer=shop.admin, card_id=card.id, ip=None, now=LATER)
    before = [consent.text for consent in queries.consents(shop.staff, shop.payer.id)]
    assert all("CIC" in words and "Acme Dental" in words for words in before)
    Seller.objects.update_or_create(key="default", defaults={"name": "Novel", "legal_name": "Novel Inc."})
    Company.objects.filter(id=shop.company.id).update(name="Apex Dental")
    assert [consent.text for consent in queries.consents(shop.staff, shop.payer.id)] == before
    CardSetup.objects.update(mandate_text="")  # from before the words were kept
    first = queries.consents(shop.staff, shop.payer.id)[-1]
    assert "you allow Novel to charge it" in first.text


def test_the_gateways_message_leads_to_it(shop: Shop) -> None:
    """What is applied is the card as it is asked for then, compared with what we stored."""
    card = shop.add_card()
    shop.sandbox.update_card(card.reference, "new_brand")
    for _ in range(2):
        event = next(iter(shop.stripe.v1.events.list({"type": "payment_method.automatically_updated"}).data))
        GatewayEvent.objects.create(
            event_id=f"evt_{GatewayEvent.objects.count()}",
            kind=event.type,
            object_id=card.reference,
            received_at=LATER,
        )
        operations.handle_events(now=LATER)
    at_stripe = shop.stripe.v1.payment_methods.retrieve(card.reference)
    assert at_stripe.card is not None
    card.refresh_from_db()
    assert (card.brand, card.last4) == (at_stripe.card.brand, at_stripe.card.last4)
    assert card.brand != "visa"
    assert card.needs_consent_since == LATER
    assert len(shop.told("card_replaced")) == 1
