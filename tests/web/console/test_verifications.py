"""Staff see what does not come out the same, and ask for every invoice to be verified."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client
from django.urls import reverse

from callbill.domain.invoicing.models import VerificationRun
from callbill.domain.invoicing.operations import verify_asked, verify_sample
from callbill.domain.users.models import StaffAction
from tests.web.console.conftest import FEBRUARY, Cast
from tests.web.console.test_pages import text_of

PAGE = reverse("console:verifications")


def test_asking_for_all_and_seeing_how_far_it_is(staff: Client, cast: Cast) -> None:
    assert "The first one is at a quarter past three" in text_of(staff.get(PAGE))
    start = reverse("console:start_verification")
    refused = staff.post(start, {"reason": ""})
    assert refused.status_code == 422
    assert "Not done yet" in text_of(refused)
    assert VerificationRun.objects.count() == 0

    asked = staff.post(start, {"reason": "The auditor is here"}, follow=True)
    assert "Asked for: 2 invoices. The worker begins within a minute." in text_of(asked)
    assert "0 of 2 Waits for the worker" in text_of(asked)
    again = staff.post(start, {"reason": "Impatient"}, follow=True)
    assert "Every invoice is being verified already: 0 of 2 invoices." in text_of(again)
    assert [action.reason for action in StaffAction.objects.all()] == ["The auditor is here"]

    VerificationRun.objects.update(checked=1, last_number="CIC-000001")
    assert "1 of 2 Under way" in text_of(staff.get(PAGE))
    verify_asked(now=FEBRUARY)
    shown = text_of(staff.get(PAGE))
    assert "2 of 2 All the same" in shown
    assert "Nothing differs" in shown
    log = staff.get(reverse("console:audit"))
    assert "Asked for verification : Verification of every invoice" in text_of(log)
    assert PAGE in log.content.decode()


def test_what_differs_is_on_the_overview_until_it_is_mended(
    staff: Client, cast: Cast, tamper: Callable[[str], None]
) -> None:
    overview = reverse("console:overview")
    change = "UPDATE invoicing_invoiceline SET amount_minor = amount_minor {} 100 WHERE kind = 'fee'"
    tamper(change.format("+"))
    verify_sample(now=FEBRUARY)
    for address in (overview, PAGE):
        answer = staff.get(address)
        assert f"{cast.invoice.number} {cast.invoice.number}: Acme Dental, line 2 (Front desk)" in text_of(
            answer
        )
        assert "50.00 on the invoice, 49.00 recomputed" in text_of(answer)
        assert reverse("console:verification", args=[cast.invoice.number]) in answer.content.decode()
    assert "1 invoice does not come out the same" in text_of(staff.get(PAGE))
    tamper(change.format("-"))
    verify_sample(now=FEBRUARY)
    assert "do not come out the same" not in text_of(staff.get(overview))
