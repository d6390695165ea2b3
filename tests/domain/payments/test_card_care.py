"""What is done about cards by itself: warnings before they expire, and forgetting removed ones at Stripe."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callbill.domain.payments import operations, queries
from callbill.domain.payments.models import PaymentMethod, StaffAlert
from tests.domain import world
from tests.domain.payments.shop import ISSUED, Shop


def warned_on(shop: Shop, *days: str) -> list[str]:
    """The subjects of the warnings that came on these days, in order."""
    for day in days:
        operations.card_expiry_notices(now=world.at(f"{day}T09:00"))
    return [mail.subject for mail in shop.told("card_expiring")]


def test_sixty_and_thirty_days_before_and_after_each_once(shop: Shop) -> None:
    card = shop.add_card()
    other = shop.add_card("pm_card_mastercard")
    PaymentMethod.objects.filter(id=card.id).update(exp_month=4, exp_year=2026)
    PaymentMethod.objects.filter(id=other.id).update(exp_month=1, exp_year=2026)
    assert operations.card_expiry_notices(now=world.at("2026-02-28T09:00")) == 0, "61 days: not yet"
    soon = "Your Visa •••• 4242 expires on 30 April 2026"
    assert warned_on(shop, "2026-03-01", "2026-03-02", "2026-03-30") == [soon]
    assert warned_on(shop, "2026-03-31", "2026-04-01", "2026-04-30") == [soon, soon]
    gone = "Your Visa •••• 4242 has expired"
    assert warned_on(shop, "2026-05-01", "2026-05-02") == [soon, soon, gone]
    first, _, last = shop.told("card_expiring")
    assert "charge for your invoices, Visa •••• 4242, is good until 30 April 2026." in first.body_text
    assert "was good until 30 April 2026 and has expired" in last.body_text
    # The issuer sent a new one: the next warnings are about that.
    PaymentMethod.objects.filter(id=card.id).update(exp_month=5)
    assert len(warned_on(shop, "2026-05-05")) == 4


def test_whoever_is_seen_late_is_warned_once(shop: Shop) -> None:
    card = shop.add_card()
    PaymentMethod.objects.filter(id=card.id).update(exp_month=2, exp_year=2026)
    assert len(warned_on(shop, "2026-02-20", "2026-02-21")) == 1


def test_a_card_saved_a_second_time_is_not_warned_of_again(shop: Shop) -> None:
    shop.add_card()
    PaymentMethod.objects.update(exp_month=2, exp_year=2026)
    assert len(warned_on(shop, "2026-02-18")) == 1
    shop.add_card(default=True)
    PaymentMethod.objects.update(exp_month=2, exp_year=2026)
    assert len(warned_on(shop, "2026-02-19")) == 1
    PaymentMethod.objects.update(last4="1881")
    assert len(warned_on(shop, "2026-02-20")) == 2, "another card is"


def test_the_words_say_when_it_ends_before_the_next_charge(shop: Shop) -> None:
    card = shop.add_card()
    PaymentMethod.objects.filter(id=card.id).update(exp_month=4, exp_year=2026)
    warned_on(shop, "2026-03-05", "2026-04-05")
    first, second = shop.told("card_expiring")
    assert "before your next invoice" not in first.body_text, "March's is charged on 1 April"
    assert "That is before your next invoice is charged." in second.body_text


def test_a_card_removed_here_but_not_at_the_gateway_is_forgotten_later(shop: Shop) -> None:
    card = shop.add_card()
    shop.sandbox.fault("503", path="/detach$", times=3)
    operations.remove_card(viewer=shop.admin, card_id=card.id, now=ISSUED)
    assert queries.cards(shop.admin, shop.payer.id, now=ISSUED) == []
    assert queries.open_matters(shop.staff)[0].kind == "card_not_detached"
    assert shop.stripe.v1.payment_methods.retrieve(card.reference).customer is not None
    # Not every minute: within the hour it is left alone, and an hour after each failure it is tried again.
    assert operations.forget_removed_cards(now=ISSUED + timedelta(minutes=30)) == 0
    shop.sandbox.fault("503", path="/detach$", times=3)
    assert operations.forget_removed_cards(now=ISSUED + timedelta(minutes=61)) == 0
    assert StaffAlert.objects.get().times == 2
    assert operations.forget_removed_cards(now=ISSUED + timedelta(minutes=90)) == 0
    shop.sandbox.clear_faults()
    later = ISSUED + timedelta(minutes=122)
    assert operations.forget_removed_cards(now=later) == 1
    assert shop.stripe.v1.payment_methods.retrieve(card.reference).customer is None
    assert PaymentMethod.objects.get().detached_at == later
    assert queries.open_matters(shop.staff) == []
    assert operations.forget_removed_cards(now=later + timedelta(days=1)) == 0


def test_a_worker_killed_while_removing_leaves_the_card_for_the_sweep(shop: Shop) -> None:
    card = shop.add_card()
    PaymentMethod.objects.filter(id=card.id).update(is_default=False, removed_at=ISSUED)
    assert operations.forget_removed_cards(now=ISSUED + timedelta(hours=2)) == 1
    assert shop.stripe.v1.payment_methods.retrieve(card.reference).customer is None


@pytest.mark.parametrize("gone", [True, False])
def test_a_removed_card_is_marked_as_forgotten_at_once(shop: Shop, gone: bool) -> None:
    card = shop.add_card()
    if gone:
        shop.stripe.v1.payment_methods.detach(card.reference)
    operations.remove_card(viewer=shop.admin, card_id=card.id, now=ISSUED)
    assert PaymentMethod.objects.get().detached_at == ISSUED
    assert queries.open_matters(shop.staff) == []
