"""A reconciliation that does not come to its end says so: on its row, to staff, and never for ever."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callbill.domain.payments import operations as payments
from callbill.domain.payments.gateway import OurMistake
from callbill.domain.payments.models import StaffAlert
from callbill.domain.reconciliation import _late
from callbill.domain.reconciliation.models import ReconciliationRun
from callbill.domain.reconciliation.operations import ask_to_reconcile, reconcile, reconcile_asked
from callbill.gateways.stripe._fact_views import chargeback_view
from tests.domain.reconciliation.conftest import NIGHT, Counter

NEXT_NIGHT = NIGHT + timedelta(days=1)


def break_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: object) -> int:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(_late, "catch_up", broken)


def told() -> list[str]:
    rows = StaffAlert.objects.filter(kind="reconciliation_broke_off", settled_at=None)
    return list(rows.values_list("message", flat=True))


def test_a_defect_ends_it_and_staff_are_told_until_one_goes_well(
    shop: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.paid()
    shop.at(NIGHT)
    with monkeypatch.context() as broken:
        break_it(broken)
        run = reconcile(now=NIGHT, trigger="schedule")
        assert reconcile(now=NIGHT, trigger="schedule").problem
    run.refresh_from_db()
    assert run.finished_at == NIGHT
    assert "ZeroDivisionError: division by zero" in run.problem
    (message,) = told()
    assert "ZeroDivisionError" in message
    assert "the page Reconciliation" in message
    shop.reconcile(NEXT_NIGHT)
    assert told() == []


def test_one_that_staff_asked_for_is_not_begun_anew_for_ever(
    shop: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_to_reconcile(actor_id=shop.staff.user_id, reason="The bank called", now=NIGHT)
    shop.at(NIGHT)
    with monkeypatch.context() as broken:
        break_it(broken)
        run = reconcile_asked(now=NIGHT)
    assert run is not None
    assert run.problem
    assert reconcile_asked(now=NIGHT + timedelta(minutes=1)) is None


def test_stripe_breaking_it_off_is_told_too(shop: Counter) -> None:
    shop.paid()
    shop.at(NIGHT)
    shop.sandbox.fault("503", path="/v1/refunds", method="GET", times=1000)
    run = reconcile(now=NIGHT, trigger="schedule")
    shop.sandbox.clear_faults()
    assert run.problem
    (message,) = told()
    assert run.problem in message
    shop.reconcile(NEXT_NIGHT)
    assert told() == []


def test_one_that_died_is_ended_by_the_next(shop: Counter) -> None:
    shop.paid()
    died = ReconciliationRun.objects.create(trigger="schedule", started_at=NIGHT, since=NIGHT, step="charges")
    waiting, _ = ask_to_reconcile(actor_id=shop.staff.user_id, reason="The bank called", now=NIGHT)
    shop.reconcile(NEXT_NIGHT)
    died.refresh_from_db()
    assert died.finished_at == NEXT_NIGHT
    assert died.problem == "It died half-way, at “charges”."
    waiting.refresh_from_db()
    assert waiting.finished_at is None, "nobody has begun it yet"


def test_a_dispute_of_a_kind_we_do_not_know(shop: Counter) -> None:
    invoice = shop.paid()
    made = shop.sandbox.dispute(shop.charge_of(invoice))
    dispute = shop.stripe.v1.disputes.retrieve(made["id"]).to_dict()
    dispute["status"] = "settled_by_dice"
    with pytest.raises(OurMistake, match="settled_by_dice"):
        chargeback_view(dispute)
    assert payments.look_at(kind="charge.dispute.created", reference=made["id"], now=NIGHT)
