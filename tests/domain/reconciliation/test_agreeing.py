"""What agrees, and what is merely late: nothing is left to say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callbill.domain.invoicing.models import Invoice
from callbill.domain.ledger.models import Account, Entry, Posting
from callbill.domain.payments import operations as payments
from callbill.domain.payments.models import (
    Chargeback,
    CollectionStop,
    EventCursor,
    GatewayEvent,
    PaymentAttempt,
    Refund,
)
from callbill.domain.reconciliation.models import BalanceTransaction, Payout
from callbill.domain.reconciliation.operations import reconcile
from tests.domain import world
from tests.domain.payments.test_refunds import credit, refund
from tests.domain.reconciliation.conftest import NIGHT, PAID_AT, Counter

DAY = timedelta(days=1)


def clearing() -> int:
    return sum(Posting.objects.filter(account=Account.STRIPE_CLEARING).values_list("amount_minor", flat=True))


def at_stripe(shop: Counter) -> int:
    balance = shop.stripe.v1.balance.retrieve()
    return sum(row.amount for row in balance.available) + sum(row.amount for row in balance.pending)


def test_a_quiet_night(shop: Counter) -> None:
    invoice = shop.paid()
    run = shop.reconcile()
    assert shop.kinds() == []
    assert (run.charges, run.refunds, run.transactions, run.payouts, run.differences) == (1, 0, 1, 0, 0)
    (kept,) = BalanceTransaction.objects.all()
    assert (kept.amount_minor, kept.fee_minor, kept.net_minor) == (135_00, 4_22, 130_78)
    fee = Entry.objects.get(key=f"fee:{kept.reference}")
    assert {(p.account, p.amount_minor, p.payer_id) for p in fee.postings.all()} == {
        ("stripe_fees", 4_22, invoice.payer_id),
        ("stripe_clearing", -4_22, invoice.payer_id),
    }
    again = shop.reconcile()
    assert (again.caught_up, again.differences) == (0, 0)
    assert Posting.objects.filter(account=Account.STRIPE_FEES).count() == 1
    assert clearing() == at_stripe(shop) == 130_78


def test_refunds_disputes_and_payouts_agree(shop: Counter) -> None:
    """A month in which everything happens: the clearing account is Stripe's balance all along."""
    invoice = shop.paid()
    refund(shop, credit(shop, invoice, 35_00))
    shop.reconcile()
    assert (shop.kinds(), clearing()) == ([], at_stripe(shop))

    second = shop.paid(month=2)
    shop.sandbox.dispute(shop.charge_of(second))
    run = shop.reconcile(NIGHT + DAY)
    assert (shop.kinds(), run.chargebacks, clearing()) == ([], 1, at_stripe(shop))
    assert Chargeback.objects.get().withdrawn_minor == 135_00, "it was not told of, and is known now"

    shop.at(NIGHT + 4 * DAY)
    shop.sandbox.close_payout()
    run = shop.reconcile(NIGHT + 4 * DAY)
    payout = Payout.objects.get()
    assert (run.payouts, payout.status, payout.matched_at) == (1, "pending", None)
    assert (shop.kinds(), clearing()) == ([], at_stripe(shop)), "it leaves the balance when it is made"
    shop.reconcile(NIGHT + 6 * DAY)
    payout.refresh_from_db()
    assert (payout.status, payout.matched_at) == ("paid", NIGHT + 6 * DAY)
    assert payout.amount_minor == sum(row.net_minor for row in payout.transactions.all())
    assert Posting.objects.get(account=Account.BANK).amount_minor == payout.amount_minor
    assert Posting.objects.get(account=Account.BANK).payer_id is None
    assert shop.kinds() == []


def test_a_payout_that_fails_after_it_was_paid(shop: Counter) -> None:
    shop.paid()
    shop.at(NIGHT + 4 * DAY)
    shop.sandbox.close_payout(fail=True)
    shop.reconcile(NIGHT + 5 * DAY + timedelta(hours=1))
    assert Payout.objects.get().status == "paid"
    assert (clearing(), at_stripe(shop)) == (0, 0)
    shop.reconcile(NIGHT + 8 * DAY)
    payout = Payout.objects.get()
    assert payout.status == "failed"
    assert [p.amount_minor for p in Posting.objects.filter(account=Account.BANK).order_by("id")] == [
        payout.amount_minor,
        -payout.amount_minor,
    ]
    assert (shop.kinds(), clearing()) == ([], at_stripe(shop))
    shop.reconcile(NIGHT + 9 * DAY)
    assert Posting.objects.filter(account=Account.BANK).count() == 2, "each is posted once"


def test_a_payout_that_is_not_what_its_movements_come_to(shop: Counter) -> None:
    shop.paid()
    shop.at(NIGHT + 4 * DAY)
    shop.sandbox.close_payout()
    shop.reconcile(NIGHT + 4 * DAY)
    strange = BalanceTransaction.objects.create(
        reference="txn_strange",
        kind="charge",
        amount_minor=1_00,
        fee_minor=0,
        net_minor=1_00,
        currency="USD",
        created_at=NIGHT,
        payout=Payout.objects.get(),
    )
    shop.reconcile(NIGHT + 6 * DAY)
    assert "payout_sum" in shop.kinds()
    what = shop.difference("payout_sum").what
    assert "Stripe paid out $130.78" in what
    assert "come to $131.78" in what
    strange.delete()
    shop.reconcile(NIGHT + 7 * DAY)
    assert shop.kinds() == []
    assert Payout.objects.get().matched_at == NIGHT + 7 * DAY


def test_a_charge_whose_answer_was_lost_is_applied(shop: Counter) -> None:
    shop.at(PAID_AT)
    shop.add_card(default=True)
    invoice = shop.bill()
    shop.sandbox.fault("reset_after", path="/confirm$", times=9)
    shop.sandbox.fault("503", path="/payment_intents/pi_", method="GET", times=9)
    payments.collect_due(now=PAID_AT)
    shop.sandbox.clear_faults()
    attempt = PaymentAttempt.objects.get()
    assert attempt.state == "submitted"
    run = shop.reconcile()
    invoice.refresh_from_db()
    assert invoice.status == "paid"
    assert run.caught_up >= 1
    assert (shop.kinds(), CollectionStop.objects.count()) == ([], 0), "late is no incident"


def test_a_charge_whose_attempt_never_heard_of_it_is_applied(shop: Counter) -> None:
    """Neither an answer nor a message came, and the worker that would sweep is still thought alive."""
    shop.at(PAID_AT)
    shop.add_card(default=True)
    invoice = shop.bill()
    shop.sandbox.fault("reset_after", path="/confirm$", times=9)
    shop.sandbox.fault("503", path="/payment_intents/pi_", method="GET", times=9)
    payments.collect_due(now=PAID_AT)
    shop.sandbox.clear_faults()
    assert PaymentAttempt.objects.get().state == "submitted"
    EventCursor.objects.create(name="events", read_until=NIGHT + DAY)  # no message is read again
    assert PaymentAttempt.objects.update(lease_until=NIGHT + DAY) == 1
    shop.reconcile()
    invoice.refresh_from_db()
    assert invoice.status == "paid"
    assert shop.kinds() == []


def test_a_refund_that_came_back_is_followed(shop: Counter) -> None:
    invoice = shop.paid("pm_card_refundFail")
    refund(shop, credit(shop, invoice, 35_00))
    shop.at(NIGHT)
    EventCursor.objects.create(name="events", read_until=NIGHT + DAY)
    shop.reconcile(NIGHT + 30 * DAY)
    assert Refund.objects.get().state == "failed"
    assert (shop.kinds(), clearing()) == ([], at_stripe(shop))


def test_messages_that_never_came_are_found_in_stripes_list(shop: Counter) -> None:
    """No webhook is delivered at all in these tests."""
    shop.paid()
    assert GatewayEvent.objects.count() == 0
    shop.at(PAID_AT + timedelta(minutes=1))
    found = payments.backfill_events(now=PAID_AT)
    kinds = set(GatewayEvent.objects.values_list("kind", flat=True))
    assert found == GatewayEvent.objects.count()
    assert {"payment_intent.succeeded", "setup_intent.succeeded", "charge.succeeded"} <= kinds
    assert "customer.created" not in kinds, "only what leads to something is kept"
    assert EventCursor.objects.get().read_until == PAID_AT
    assert payments.backfill_events(now=PAID_AT) == 0
    while payments.handle_events(now=PAID_AT):
        pass
    assert not GatewayEvent.objects.filter(handled_at=None).exists()
    assert Posting.objects.filter(account=Account.STRIPE_FEES).count() == 1, "the message posts the fee"


def test_the_list_is_read_on_from_where_it_was_read(shop: Counter) -> None:
    shop.paid()
    payments.backfill_events(now=PAID_AT)
    shop.sandbox.control("POST", "/faults", {"action": "503", "path": "/v1/events", "times": 20})
    with pytest.raises(payments.GatewayError):
        payments.backfill_events(now=NIGHT)
    assert EventCursor.objects.get().read_until == PAID_AT, "what was not read is read the next time"
    shop.sandbox.clear_faults()
    shop.at(NIGHT)
    shop.add_card()
    assert payments.backfill_events(now=NIGHT) > 0
    asked = [entry for entry in shop.sandbox.log() if entry["path"] == "/v1/events"][-1]
    since = int((PAID_AT - timedelta(hours=2)).timestamp())
    assert str(since) in str(asked)


def test_every_fee_is_for_whom_it_was_paid(shop: Counter) -> None:
    invoice = shop.paid()
    shop.sandbox.dispute(shop.charge_of(invoice))
    shop.charge_by_hand(10_00)
    shop.charge_by_hand(20_00, customer=shop.stranger())
    shop.reconcile()
    fees = Posting.objects.filter(account=Account.STRIPE_FEES).values_list("amount_minor", "payer_id")
    mine = invoice.payer_id
    expected = {59: mine, 88: None, 4_22: mine, 15_00: mine}
    assert dict(fees) == expected


def test_a_fee_that_stripe_bills_by_itself(shop: Counter) -> None:
    """Reporting category "fee": a movement that is nothing but a cost."""
    shop.paid()
    shop.reconcile()
    kept = BalanceTransaction.objects.get()
    from callbill.domain.payments.gateway import TransactionView
    from callbill.domain.reconciliation._facts import keep_transactions
    from callbill.rules.money import Money

    radar = TransactionView(
        "txn_radar", "fee", "", Money(-5_00, "USD"), Money(0, "USD"), Money(-5_00, "USD"), NIGHT
    )
    assert [keep_transactions([radar], now=NIGHT), keep_transactions([radar], now=NIGHT)] == [1, 0]
    (posting,) = Posting.objects.filter(account=Account.STRIPE_FEES, entry__key="fee:txn_radar")
    assert posting.amount_minor == 5_00
    assert posting.payer_id is None
    assert kept.net_minor - 5_00 == clearing()


def test_one_that_dies_in_the_middle_is_repeated_whole(
    shop: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.paid()
    shop.at(NIGHT)

    def killed(step: str, number: int, count: int) -> None:
        if step == "payouts":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reconcile(now=NIGHT, progress=killed)
    assert Posting.objects.filter(account=Account.STRIPE_FEES).count() == 1
    shop.reconcile()
    assert shop.kinds() == []
    assert Posting.objects.filter(account=Account.STRIPE_FEES).count() == 1


def test_nothing_yet(shop: Counter) -> None:
    run = shop.reconcile(world.at("2026-01-01T00:00"))
    assert (run.charges, run.differences, shop.kinds()) == (0, 0, [])
    assert Invoice.objects.count() == 0


def test_messages_about_another_programs_objects_bother_nobody(shop: Counter) -> None:
    """The same Stripe account, other customers: their payments, refunds, disputes, cards, card forms."""
    stranger = shop.stranger()
    refunded = shop.charge_by_hand(10_00, customer=stranger)
    disputed = shop.charge_by_hand(20_00, customer=stranger)
    shop.refund_by_hand(refunded)
    shop.sandbox.dispute(disputed)
    shop.sandbox.early_fraud_warning(disputed)
    form = shop.stripe.v1.setup_intents.create(
        {
            "customer": stranger,
            "payment_method": "pm_card_visa",
            "allowed_payment_method_types": ["card"],
        }
    )
    shop.stripe.v1.setup_intents.confirm(form.id)
    (card, *_) = shop.stripe.v1.customers.payment_methods.list(stranger).data
    shop.stripe.v1.payment_methods.detach(card.id)
    shop.at(NIGHT)
    assert payments.backfill_events(now=NIGHT) >= 7
    while payments.handle_events(now=NIGHT):
        pass
    left = GatewayEvent.objects.filter(handled_at=None).values_list("kind", "problem")
    assert list(left) == []
    shop.reconcile()
    assert shop.kinds() == ["other_customers"]
