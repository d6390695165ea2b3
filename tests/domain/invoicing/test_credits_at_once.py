"""Several hands on one invoice at once: never more is credited than there is, and nobody waits for ever."""

from __future__ import annotations

import pytest

from callbill.domain.invoicing.models import CreditNote, Invoice, InvoiceLine, NumberSeries
from callbill.domain.invoicing.operations import run_billing
from callbill.domain.invoicing.queries import books_differences, verify_invoice
from callbill.domain.usage.models import Call
from tests import killing
from tests.domain.world import at, calls, company, person

pytestmark = pytest.mark.django_db(transaction=True)

CREDIT = """
from datetime import datetime, UTC
from uuid import UUID
from callbill.domain.invoicing.operations import CreditRefused, credit_lines
given = 0
for _ in range(12):
    try:
        credit_lines(invoice_id=UUID("{invoice}"), amounts={{UUID("{line}"): 100}}, reason="-",
                     actor_id=UUID("{by}"), now=datetime(2026, 2, 10, tzinfo=UTC))
        given += 1
    except CreditRefused:
        pass
print(given)
"""
PAY = """
from datetime import datetime, UTC
from uuid import UUID
from callbill.domain.invoicing.operations import Overpaid, record_payment
paid = 0
for number in range(12):
    try:
        record_payment(invoice_id=UUID("{invoice}"), amount_minor=50, reference=f"ch_{{number}}",
                       now=datetime(2026, 2, 10, tzinfo=UTC))
        paid += 1
    except Overpaid:
        pass
print(paid)
"""
VOID = """
from datetime import datetime, UTC
from uuid import UUID
from callbill.domain.invoicing.operations import void_invoice
void_invoice(invoice_id=UUID("{invoice}"), reason="Wrong", actor_id=UUID("{by}"),
             now=datetime(2026, 2, 10, tzinfo=UTC), bill_again=True)
"""


def billed() -> dict[str, object]:
    """An invoice over 13.50 in one line, and somebody of staff."""
    calls(company(), 10)
    run_billing(now=at("2026-02-01T09:00"))
    by = person("mia@cic.example", staff=True).id
    return {"invoice": Invoice.objects.get().id, "line": InvoiceLine.objects.get().id, "by": by}


def test_three_hands_credit_and_a_payment_comes_in() -> None:
    who = billed()
    hands = [killing.start(code.format(**who)) for code in (CREDIT, CREDIT, CREDIT, PAY)]
    results = [hand.communicate(timeout=120) for hand in hands]
    assert [hand.returncode for hand in hands] == [0, 0, 0, 0], results
    given, paid = sum(int(out) for out, _ in results[:3]), int(results[3][0])
    assert given == 13, "13.50 has thirteen whole ones"
    assert NumberSeries.objects.get(key="credit_note").next_number == 14, "no number is missing"
    invoice = Invoice.objects.get()
    assert invoice.paid_minor == paid * 50
    notes = CreditNote.objects.all()
    assert sum(note.total_minor for note in notes) == 13_00
    assert invoice.credited_minor + sum(note.to_balance_minor for note in notes) == 13_00
    assert books_differences() == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_voiding_is_whole_or_not_at_all(when: str) -> None:
    who = billed()
    code, _, errors = killing.run(VOID.format(**who), when=when, number=1)
    assert code == killing.DIED, errors
    done = when == "after"
    assert Invoice.objects.filter(status="void").count() == CreditNote.objects.count() == done
    assert Invoice.objects.count() == 1 + done
    assert Call.objects.filter(settlement_id__isnull=True).count() == 0
    assert books_differences() == []
    assert verify_invoice(str(Invoice.objects.latest("number").number)) == []
