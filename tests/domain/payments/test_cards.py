"""Saved cards: added by form or webhook, one default, removed with care, warned before they expire."""

from __future__ import annotations

from datetime import timedelta

import pytest
import stripe
from django.db import IntegrityError, transaction

from callbill.domain.customers.models import BillableEntity
from callbill.domain.customers.queries import NotAllowed, NotFound
from callbill.domain.payments import operations, queries
from callbill.domain.payments.models import CardSetup, GatewayCustomer, PaymentMethod
from tests.domain import world
from tests.domain.payments.shop import ISSUED, VISA, Shop


def test_the_first_card_becomes_the_default_and_the_consent_is_kept(shop: Shop) -> None:
    form = operations.start_card_setup(viewer=shop.admin, payer_id=shop.payer.id, ip="192.0.2.7", now=ISSUED)
    assert form.publishable_key == shop.sandbox.publishable_key
    assert form.client_secret.startswith("seti_")
    assert "Acme Dental" in form.mandate
    assert queries.cards(shop.admin, shop.payer.id, now=ISSUED) == []
    shop.fill_in(form)
    saved = operations.finish_card_setup(viewer=shop.admin, setup_id=form.setup_id, now=ISSUED)
    assert saved is not None
    assert (saved.label, saved.is_default, saved.expired) == ("Visa •••• 4242", True, False)
    setup = CardSetup.objects.get()
    assert (setup.started_by_id, setup.ip_address) == (shop.admin.user_id, "192.0.2.7")
    assert (setup.mandate_version, setup.completed_at) == ("2026-11-past-due", ISSUED)
    # The same form again, by the reference in the address bar: the same card.
    again = operations.finish_card_setup(viewer=shop.admin, setup_id=str(setup.reference), now=ISSUED)
    assert again == saved
    assert PaymentMethod.objects.count() == 1
    at_stripe = shop.stripe.v1.payment_methods.list(
        {"customer": str(GatewayCustomer.objects.get().reference), "type": "card"}
    )
    assert [card.id for card in at_stripe.data] == [PaymentMethod.objects.get().reference]


def test_a_form_closed_half_way_keeps_nothing_and_costs_nothing(shop: Shop) -> None:
    form = operations.start_card_setup(viewer=shop.admin, payer_id=shop.payer.id, ip=None, now=ISSUED)
    assert operations.finish_card_setup(viewer=shop.admin, setup_id=form.setup_id, now=ISSUED) is None
    shop.add_card()
    assert PaymentMethod.objects.count() == 1
    assert GatewayCustomer.objects.count() == 1
    assert len(shop.stripe.v1.customers.list({}).data) == 1


@pytest.mark.parametrize("path", ["/v1/customers$", "/v1/setup_intents$"])
def test_an_answer_lost_while_opening_the_form_makes_no_second_customer(shop: Shop, path: str) -> None:
    shop.sandbox.fault("reset_mid_body", path=path, method="POST")
    with pytest.raises(operations.GatewayError):
        operations.start_card_setup(viewer=shop.admin, payer_id=shop.payer.id, ip=None, now=ISSUED)
    shop.add_card()
    assert len(shop.stripe.v1.customers.list({}).data) == 1


def test_a_refused_card_is_not_saved(shop: Shop) -> None:
    form = operations.start_card_setup(viewer=shop.admin, payer_id=shop.payer.id, ip=None, now=ISSUED)
    with pytest.raises(stripe.CardError):
        shop.fill_in(form, "pm_card_visa_chargeDeclined")
    assert operations.finish_card_setup(viewer=shop.admin, setup_id=form.setup_id, now=ISSUED) is None
    # The same form still takes another card.
    shop.fill_in(form, VISA)
    assert operations.finish_card_setup(viewer=shop.admin, setup_id=form.setup_id, now=ISSUED) is not None


def test_nobody_finishes_another_s_form(shop: Shop) -> None:
    form = operations.start_card_setup(viewer=shop.admin, payer_id=shop.payer.id, ip=None, now=ISSUED)
    shop.fill_in(form)
    stranger = world.viewer("eve@other.example", company=world.company("other", "Other"), administrator=True)
    member = world.viewer("joe@acme.example", company=shop.company)
    with pytest.raises(NotFound):
        operations.finish_card_setup(viewer=stranger, setup_id=form.setup_id, now=ISSUED)
    with pytest.raises(NotAllowed):
        operations.finish_card_setup(viewer=member, setup_id=form.setup_id, now=ISSUED)
    with pytest.raises(NotAllowed):
        operations.start_card_setup(viewer=shop.staff, payer_id=shop.payer.id, ip=None, now=ISSUED)
    assert not PaymentMethod.objects.exists()


def test_one_default_and_it_can_be_changed(shop: Shop) -> None:
    first = shop.add_card()
    second = shop.add_card("pm_card_mastercard")
    assert [c.is_default for c in queries.cards(shop.admin, shop.payer.id, now=ISSUED)] == [True, False]
    operations.make_default(viewer=shop.admin, card_id=second.id, now=ISSUED)
    shown = queries.cards(shop.admin, shop.payer.id, now=ISSUED)
    assert [(c.id, c.is_default) for c in shown] == [(second.id, True), (first.id, False)]
    with pytest.raises(IntegrityError), transaction.atomic():
        PaymentMethod.objects.filter(id=first.id).update(is_default=True)


def test_removing_cards(shop: Shop) -> None:
    first = shop.add_card()
    second = shop.add_card("pm_card_mastercard")
    with pytest.raises(operations.CardRefused, match="Make another card the default first"):
        operations.remove_card(viewer=shop.admin, card_id=first.id, now=ISSUED)
    operations.remove_card(viewer=shop.admin, card_id=second.id, now=ISSUED)
    assert shop.stripe.v1.payment_methods.retrieve(second.reference).customer is None
    with pytest.raises(NotFound):
        operations.remove_card(viewer=shop.admin, card_id=second.id, now=ISSUED)
    shop.sandbox.decline_next(first.reference)
    shop.bill()
    operations.collect_due(now=ISSUED)
    with pytest.raises(operations.CardRefused, match="an invoice is not paid yet"):
        operations.remove_card(viewer=shop.admin, card_id=first.id, now=ISSUED)
    operations.collect_due(now=world.at("2026-03-01T05:00"))
    operations.remove_card(viewer=shop.admin, card_id=first.id, now=ISSUED)
    assert queries.cards(shop.admin, shop.payer.id, now=ISSUED) == []


def test_the_currency_stays_while_an_invoice_is_open(shop: Shop) -> None:
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    payer = BillableEntity.objects.filter(id=shop.payer.id)
    refused = pytest.raises(IntegrityError, match=r"1 invoice\(s\) in USD: they must be paid or voided")
    with refused, transaction.atomic():
        payer.update(currency="EUR")
    payer.update(currency="USD", legal_name="Acme Dental LLC")
    operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=ISSUED + timedelta(days=1))
    payer.update(currency="EUR")
