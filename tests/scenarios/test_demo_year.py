"""The demo's last months, lived for real: every scene that a login promises is there, and all agrees."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from callbill.config.demo import banks, office, story
from callbill.config.demo.stage import default_card, newest_invoice, payer_of
from callbill.domain.customers.queries import Viewer, viewer_of
from callbill.domain.disputes.queries import held
from callbill.domain.invoicing.models import CreditNote, Invoice
from callbill.domain.invoicing.queries import ageing, verify_all
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.queries import trial_balance
from callbill.domain.notifications.models import Notification
from callbill.domain.payments import gateway
from callbill.domain.payments.models import (
    BankPayment,
    Chargeback,
    CollectionStop,
    FraudWarning,
    GatewayEvent,
    PaymentAttempt,
    Receipt,
    Refund,
)
from callbill.domain.payments.queries import books_differences, open_matters, what_happens_next
from callbill.domain.reconciliation.models import Payout, ReconciliationRun
from callbill.domain.reconciliation.operations import reconcile
from callbill.domain.reconciliation.queries import differences
from callbill.domain.users.models import StaffAction, User
from callbill.lib import clock
from stripe_sandbox.handle import Handle
from stripe_sandbox.server import running

pytestmark = pytest.mark.django_db(transaction=True)


_NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
_MONTHS = 4


@pytest.fixture
def lived(
    sandbox: Handle, settings: Any, tmp_path: Path, live_server: Any, transactional_db: None
) -> Iterator[None]:
    """The story's last months, up to May; the web server listens to a sandbox of its own."""
    settings.MAILBOX_DIR = tmp_path / "mailbox"
    settings.CALLBILL_BASE_URL = live_server.url
    with running(sign_by_sandbox_clock=True) as own:
        settings.STRIPE_API_BASE = own.url
        gateway._made.cache_clear()
        clock.move_to(_NOW)
        try:
            story.live(
                data=tmp_path,
                months=_MONTHS,
                say=lambda sentence: None,
                check=lambda: None,
                sandbox=own.url,
                webhook=(f"{live_server.url}/webhooks/stripe/", own.webhook_secret),
            )
            yield
        finally:
            clock.back_to_real_time()


def test_every_scene_that_a_login_promises_is_there(lived: None) -> None:
    _who_must_confirm()
    _disputes()
    _warning_of_fraud()
    _part_on_hold()
    _bank_transfers()
    _card_of_another_brand()
    _card_that_expires()
    _two_to_pay_without_a_card()
    _refund()
    _charge_by_hand()
    _books()
    _all_of_it_agrees()
    assert {email for email, _ in story.LOGINS} <= set(User.objects.values_list("email", flat=True))


def _who_must_confirm() -> None:
    invoice = newest_invoice(banks.CONFIRMS)
    attempt = PaymentAttempt.objects.get(invoice=invoice)
    assert (invoice.status, attempt.state) == ("past_due", "action_required")
    assert any("/pay/confirm/" in mail.body_text for mail in Notification.objects.filter(payer=invoice.payer))
    assert "Confirm this payment" in what_happens_next(invoice.id)


def _disputes() -> None:
    rows = {row.state: row for row in Chargeback.objects.select_related("attempt__invoice")}
    assert set(rows) == {"open", "lost"}
    for row in rows.values():
        invoice = row.attempt.invoice
        assert invoice.payer_id == payer_of(banks.DISPUTES).id
        assert row.withdrawn_minor == row.amount_minor == held(invoice).minor or row.state == "open"
        assert invoice.holds.get().kind == "chargeback"
    undecided, lost = rows["open"].attempt.invoice, rows["lost"].attempt.invoice
    assert (undecided.status, undecided.due_minor) == ("paid", 0)
    assert (lost.status, lost.due_minor) == ("past_due", lost.total_minor)
    assert rows["open"].withdrawn_minor == undecided.total_minor
    assert "owed again" in what_happens_next(lost.id)


def _warning_of_fraud() -> None:
    warning = FraudWarning.objects.get()
    assert warning.attempt.invoice_id == newest_invoice(banks.WARNED).id
    assert warning.attempt.invoice.holds.get().kind == "fraud_warning"
    event = GatewayEvent.objects.get(kind="radar.early_fraud_warning.created")
    assert event.handled_at is not None
    assert event.received_at > _NOW + timedelta(microseconds=1), (
        "by webhook: out of the list it is dated _NOW"
    )


def _part_on_hold() -> None:
    invoice = newest_invoice(office.HELD)
    assert invoice.status == "past_due"
    assert 0 < held(invoice).minor == 60_00 < invoice.due_minor
    assert "The other" in what_happens_next(invoice.id)


def _bank_transfers() -> None:
    invoices = list(Invoice.objects.filter(payer=payer_of(office.BY_TRANSFER)).order_by("number"))
    whole, short, part, by_card = invoices
    assert {invoice.status for invoice in invoices} == {"paid"}
    assert (short.carried_minor, short.carried_to, part.brought_minor) == (35, part, 35)
    paid = {row.invoice_id: row.amount_minor for row in BankPayment.objects.all()}
    assert paid[whole.id] == whole.total_minor
    assert paid[short.id] == short.total_minor - 35
    assert paid[part.id] < part.total_minor
    rest = PaymentAttempt.objects.get(invoice=part, state="succeeded")
    assert rest.amount_minor + paid[part.id] == part.total_minor + 35
    assert Receipt.objects.filter(invoice__in=(whole, part, by_card)).count() == 3
    assert by_card.id not in paid


def _card_of_another_brand() -> None:
    card, invoice = default_card(banks.REPLACED), newest_invoice(banks.REPLACED)
    assert (card.brand, card.needs_consent_since is None) == ("mastercard", False)
    assert (invoice.status, PaymentAttempt.objects.filter(invoice=invoice).count()) == ("open", 0)
    assert "Nothing is charged until you agree" in what_happens_next(invoice.id)


def _card_that_expires() -> None:
    """It is warned of twice in a story of twelve months; in four its date is eight months away."""
    card = default_card("dana@harbor-dental.example")
    begun = story.first_day(_NOW.date(), _MONTHS)
    assert (card.exp_year, card.exp_month) == (begun.year + 1, begun.month)


def _two_to_pay_without_a_card() -> None:
    invoices = Invoice.objects.filter(payer=payer_of("nora@pinecrest-vet.example")).order_by("number")
    assert [invoice.status for invoice in invoices] == ["past_due", "open"]


def _refund() -> None:
    refund = Refund.objects.get()
    note = CreditNote.objects.get()
    assert (refund.state, refund.amount_minor) == ("succeeded", note.total_minor)
    assert note.invoice.payer_id == payer_of(office.REFUNDED).id


def _charge_by_hand() -> None:
    runs = list(ReconciliationRun.objects.order_by("started_at"))
    assert [bool(run.differences) for run in runs] == [False, False, False, True, False]
    assert CollectionStop.objects.get().lifted_at is not None
    assert StaffAction.objects.filter(action="lift_collection_stop").count() == 1
    assert {matter.kind for matter in open_matters(_staff())} == {"chargeback", "fraud_warning"}


def _books() -> None:
    staff = _staff()
    (trial,) = trial_balance(staff, as_of=clock.now().date())
    balances = {line.account: line.balance.minor for line in trial.lines}
    assert trial.adds_up
    assert balances[Account.STRIPE_FEES] > 0
    assert balances[Account.CHARGEBACKS] > 0
    assert balances[Account.BANK] > 0, "payouts and transfers"
    assert Payout.objects.filter(status="paid", matched_at__isnull=False).count() >= 3
    assert all(each.adds_up for each in ageing(staff, now=clock.now()))


def _staff() -> Viewer:
    return viewer_of(User.objects.get(email="sam@cic.example"))


def _all_of_it_agrees() -> None:
    assert books_differences() == []
    assert [number for number, found in verify_all() if found] == []
    again = reconcile(now=clock.now())
    assert (again.problem, again.differences, differences()) == ("", 0, [])
    assert not Notification.objects.filter(sent_at=None).exists()
