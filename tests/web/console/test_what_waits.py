"""What the overview lists as waiting for a person: calls too old to bill, past-due invoices, open rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.test import Client

from callbill.domain.customers.queries import NotFound, customer_company, customer_organization, viewer_of
from callbill.domain.invoicing import queries as invoicing
from callbill.domain.invoicing.operations import run_billing
from callbill.domain.notifications.models import Notification
from callbill.domain.notifications.queries import stuck_for
from callbill.domain.payments.models import CollectionPlan, PaymentMethod
from callbill.domain.payments.queries import need_a_person
from callbill.domain.usage import queries as usage
from callbill.domain.usage.models import Call, CallImport
from tests.domain import world
from tests.web.console.conftest import Cast
from tests.web.console.test_pages import owed
from tests.web.portal.conftest import text_of

PLANNED = world.at("2026-03-01T05:00")


@pytest.mark.parametrize(("window", "too_old"), [(0, 3), (30, 2), (31, 2), (32, 2), (90, 0), (61, 1)])
@pytest.mark.django_db
def test_calls_too_old_are_exactly_those_the_next_invoice_leaves(window: int, too_old: int) -> None:
    acme = world.company(contract=world.terms(late_window_days=window))
    staff = world.viewer("sam@cic.example", staff=True)
    run_billing(now=world.at("2026-04-02T09:00"))
    for month in (1, 2, 3):
        world.calls(acme, 1, on=date(2026, month, 10))
    listed = invoicing.too_old_to_bill(staff)
    run_billing(now=world.at("2026-05-02T09:00"))
    left = Call.objects.filter(settlement_id__isnull=True).count()
    assert sum(item.calls for item in listed) == left == too_old


@pytest.mark.django_db
def test_calls_of_the_running_period_are_not_too_old() -> None:
    acme = world.company(contract=world.terms(late_window_days=0))
    run_billing(now=world.at("2026-04-02T09:00"))
    world.calls(acme, 5, on=date(2026, 4, 1))
    assert invoicing.too_old_to_bill(world.viewer("sam@cic.example", staff=True)) == []


def card_of(cast: Cast, **fields: Any) -> PaymentMethod:
    return PaymentMethod.objects.create(
        payer=world.payer_of(cast.north),
        reference="pm_1",
        brand="visa",
        last4="4242",
        exp_month=4,
        exp_year=2030,
        added_at=PLANNED,
        **fields,
    )


@pytest.mark.parametrize(
    ("has_card", "plan", "words"),
    [
        (True, {"next_attempt_at": PLANNED}, None),
        (True, {"next_attempt_at": None}, "No further try is planned"),
        (True, None, "No further try is planned"),
        (True, {"next_attempt_at": PLANNED, "stopped_because": "replace_card"}, "bank refused the card"),
        (True, {"next_attempt_at": None, "stopped_because": "too_many"}, "Every automatic try was made"),
        (True, {"next_attempt_at": PLANNED, "stopped_because": "our_mistake"}, "the fault is ours"),
        (False, {"next_attempt_at": PLANNED}, "There is no card on file"),
    ],
)
def test_past_due_invoices_that_no_planned_try_will_settle(
    cast: Cast, has_card: bool, plan: dict[str, Any] | None, words: str | None
) -> None:
    staff = viewer_of(cast.staff)
    card_of(cast, is_default=has_card)
    invoice = owed(cast, status="past_due")
    if plan is not None:
        CollectionPlan.objects.create(invoice=invoice, **plan)
    found = need_a_person(staff)
    if words is None:
        assert found == []
        return
    (item,) = found
    assert item.number == invoice.number
    assert (item.payer_name, item.due.minor) == ("Harbor Group", 42_00)
    assert words in item.what_to_do


def test_open_invoices_do_not_wait_for_a_person(cast: Cast) -> None:
    owed(cast, status="open")
    assert need_a_person(viewer_of(cast.staff)) == []


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"next_attempt_at": None}, "No further try is planned"),
        ({"next_attempt_at": None, "stopped_because": "too_small"}, "Too small for a card"),
        ({"next_attempt_at": None, "stopped_because": "stopped"}, "Payments of this customer are stopped"),
        ({"next_attempt_at": PLANNED}, None),
        ({"next_attempt_at": None, "stopped_because": "no_card"}, None),
        ({"next_attempt_at": None, "stopped_because": "on_hold"}, None),
    ],
)
def test_open_invoices_that_stand_still(cast: Cast, plan: dict[str, Any], words: str | None) -> None:
    card_of(cast, is_default=True)
    CollectionPlan.objects.create(invoice=owed(cast, status="open"), **plan)
    found = [item.what_to_do for item in need_a_person(viewer_of(cast.staff))]
    assert [words in each for each in found if words] == [True] * len(found) == [True] * bool(words)


def test_none_of_it_is_for_customers(cast: Cast, call_import: CallImport) -> None:
    customer = viewer_of(cast.customer)
    owed(cast, status="past_due")
    assert need_a_person(customer) == []
    assert invoicing.too_old_to_bill(customer) == []
    refused: list[Callable[[], object]] = [
        lambda: usage.import_page(customer),
        lambda: usage.imports_with_open_rows(customer),
        lambda: usage.one_import(customer, call_import.id),
        lambda: usage.set_aside_page(customer, call_import.id),
        lambda: usage.set_aside_reasons(customer, call_import.id),
        lambda: usage.imports_of_company(customer, cast.acme.id),
        lambda: invoicing.billing_runs(customer),
        lambda: invoicing.waiting_adjustments(customer, cast.acme.id),
        lambda: invoicing.line_for_staff(customer, cast.line.id),
        lambda: customer_company(customer, "acme", day=date(2026, 2, 1)),
        lambda: customer_organization(customer, "harbor"),
    ]
    for ask in refused:
        with pytest.raises(NotFound):
            ask()


@pytest.mark.django_db
def test_mail_that_does_not_arrive_is_on_the_overview_until_it_does(staff: Client, cast: Cast) -> None:
    letter = Notification.objects.create(
        key="lost",
        kind="invoice_issued",
        recipient="bills@acme.example",
        subject="Invoice CIC-000007",
        created_at=world.at("2026-02-01T09:00"),
        tries=2,
        problem="550 no such mailbox",
    )
    assert "did not arrive" not in text_of(staff.get("/console/"))
    Notification.objects.filter(id=letter.id).update(tries=3)
    page = text_of(staff.get("/console/"))
    assert "Mail that did not arrive" in page
    assert "Invoice CIC-000007" in page
    assert "To bills@acme.example" in page
    assert "550 no such mailbox" in page
    Notification.objects.filter(id=letter.id).update(sent_at=world.at("2026-02-02T09:00"))
    assert "did not arrive" not in text_of(staff.get("/console/"))


@pytest.mark.django_db
def test_mail_of_others_is_not_for_customers(cast: Cast) -> None:
    assert stuck_for(world.viewer("cy@acme.example", company=world.company("x", "X"))) == []
