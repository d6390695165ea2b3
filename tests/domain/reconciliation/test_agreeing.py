"""What agrees, and what is merely late: nothing is left to say."""

from __future__ import annotations

from callbill.domain.ledger.models import Account, Entry, Posting
from callbill.domain.reconciliation.models import BalanceTransaction
from tests.domain.reconciliation.conftest import Counter


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
