"""Staff see what differs, ask for a reconciliation and lift stops."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from callbill.domain.payments.models import CollectionStop
from callbill.domain.payments.operations import stop_collection
from callbill.domain.reconciliation.models import Difference, ReconciliationRun
from callbill.domain.reconciliation.operations import reconcile_asked
from callbill.domain.users.models import StaffAction, User
from stripe_sandbox.handle import Handle
from tests.domain import world
from tests.domain.reconciliation.conftest import NIGHT, Counter
from tests.web.console.conftest import FEBRUARY, Cast
from tests.web.console.test_pages import text_of

PAGE = reverse("console:reconciliation")
START = reverse("console:start_reconciliation")


@pytest.fixture
def counter(sandbox: Handle, transactional_db: None) -> Counter:
    """Acme, whose books are looked over at night."""
    return Counter(sandbox)


@pytest.fixture
def signed_in(counter: Counter) -> Client:
    """A browser in which Sam of the staff is signed in."""
    browser = Client()
    browser.force_login(User.objects.get(id=counter.staff.user_id))
    return browser


def test_asking_for_it_and_seeing_how_far_it_is(signed_in: Client, counter: Counter) -> None:
    assert "Not compared yet The first comparison is at a quarter past four" in text_of(signed_in.get(PAGE))
    refused = signed_in.post(START, {"reason": " "})
    assert refused.status_code == 422
    assert "Not done yet" in text_of(refused)
    assert ReconciliationRun.objects.count() == 0
    asked = text_of(signed_in.post(START, {"reason": "The bank called"}, follow=True))
    assert "Asked for. The worker begins within a minute." in asked
    assert "Waits for the worker" in asked
    again = text_of(signed_in.post(START, {"reason": "Impatient"}, follow=True))
    assert "It was asked for already: it waits for the worker." in again
    assert [action.reason for action in StaffAction.objects.all()] == ["The bank called"]
    ReconciliationRun.objects.update(step="charges")
    assert "Under way: charges" in text_of(signed_in.get(PAGE))

    counter.paid()
    counter.at(NIGHT)
    done = reconcile_asked(now=NIGHT)
    assert done is not None
    assert reconcile_asked(now=NIGHT) is None
    shown = text_of(signed_in.get(PAGE))
    assert "Nothing differs Last compared 11 Feb 2026, 04:00 UTC." in shown
    assert "The bank called By staff 1 0 1 0" in shown
    assert "Nothing differed" in shown
    log = signed_in.get(reverse("console:audit"))
    assert "Asked for a reconciliation : Reconciliation with Stripe" in text_of(log)
    assert f'href="{PAGE}"' in log.content.decode()


def test_a_charge_that_nobody_made_is_shown_and_its_stop_is_lifted(
    signed_in: Client, counter: Counter
) -> None:
    counter.paid()
    charge = counter.charge_by_hand(50_00)
    counter.charge_by_hand(20_00, customer=counter.stranger())
    counter.reconcile()
    shown = text_of(signed_in.get(PAGE))
    assert "1 difference " in shown
    assert "A charge that nobody here made Acme Dental Stops collection" in shown
    assert f"Stripe has charge {charge} over $50.00" in shown
    assert "What to do: Find out who made it." in shown
    assert "For understanding the figures Charges of another program 1 charge over $20.00" in shown
    stop = CollectionStop.objects.get()
    question = reverse("console:lift_stop", args=[stop.id])
    assert question in signed_in.get(PAGE).content.decode()
    assert f"charge {charge}" in text_of(signed_in.get(question))
    refused = signed_in.post(question, {"reason": ""})
    assert refused.status_code == 422
    assert "Say why" in text_of(refused)
    lifted = text_of(signed_in.post(question, {"reason": "They wanted it"}, follow=True))
    assert (
        "Lifted. What waited for it is charged within the hour, unless another stop of Acme Dental stands."
        in lifted
    )
    assert "Nothing is charged for" not in lifted
    assert signed_in.post(question, {"reason": "Again"}).status_code == 404
    assert "Lifted the stop of collection : Acme Dental" in text_of(signed_in.get(reverse("console:audit")))


def test_a_difference_leads_to_its_invoice_and_its_customer(signed_in: Client, counter: Counter) -> None:
    invoice = counter.paid()
    counter.refund_by_hand(counter.charge_of(invoice), 35_00)
    counter.reconcile()
    shown = signed_in.get(PAGE).content.decode()
    assert f'href="{reverse("console:invoice", args=[invoice.number])}"' in shown
    assert f'href="{reverse("console:company", args=[counter.company.key])}"' in shown


def test_many_differences_are_on_pages(signed_in: Client, counter: Counter) -> None:
    run = counter.reconcile()
    Difference.objects.bulk_create(
        Difference(
            key=f"payout_sum:po_{number}",
            kind="payout_sum",
            what=f"Payout number {number}.",
            what_to_do="Ask.",
            found_in=run,
            found_at=NIGHT,
            last_seen_at=NIGHT,
        )
        for number in range(60)
    )
    first = text_of(signed_in.get(PAGE))
    assert "60 differences" in first
    assert "Page 1 of 2, 60 differences" in first
    assert "Payout number 49." in first
    assert "Payout number 50." not in first
    assert "Payout number 50." in text_of(signed_in.get(PAGE, {"page": "2"}))


def test_a_run_that_broke_off_says_why(signed_in: Client, counter: Counter) -> None:
    ReconciliationRun.objects.create(
        trigger="schedule",
        started_at=NIGHT,
        finished_at=NIGHT + timedelta(minutes=1),
        since=NIGHT,
        problem="Stripe does not answer.",
    )
    assert "On schedule 0 0 0 0 0 Broke off Stripe does not answer." in text_of(signed_in.get(PAGE))


def test_nobody_else_sees_or_does_any_of_it(customer: Client, cast: Cast) -> None:
    stop_collection(payer_id=world.payer_of(cast.acme).id, key="x", reason="A reason", now=FEBRUARY)
    stop = CollectionStop.objects.get()
    for address in (PAGE, START, reverse("console:lift_stop", args=[stop.id])):
        assert customer.get(address).status_code in (404, 405)
        assert customer.post(address, {"reason": "Let me"}).status_code in (404, 405)
    assert CollectionStop.objects.get().lifted_at is None
    assert ReconciliationRun.objects.count() == 0
