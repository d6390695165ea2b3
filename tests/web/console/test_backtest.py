"""Staff try a draft contract in the console; it writes nothing, and tells everything that is wrong."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from callbill.domain.users.models import StaffAction
from callbill.lib import clock
from tests.domain import world
from tests.domain.invoicing.test_backtest import tables
from tests.house.rules_of_the_house import unsafe_markup
from tests.web.console.conftest import CONTRACT, FEBRUARY, Cast
from tests.web.console.test_pages import text_of

DRAFT = CONTRACT.replace("1.35", "1.00").replace("49.00", "60.00")


@pytest.fixture(autouse=True)
def _on_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: FEBRUARY)


def post(browser: Client, **fields: Any) -> Any:
    """Post the form."""
    return browser.post(reverse("console:backtest"), {"months": "12", "company": "", **fields})


def test_a_pasted_draft_for_one_company(staff: Client, cast: Cast) -> None:
    before = tables()
    answer = post(staff, contract=DRAFT, company="acme")
    assert answer.status_code == 200
    assert unsafe_markup("backtest", answer.content.decode()) == []
    shown = text_of(answer)
    # Paid 60 x 1.35 + 49.00 and tax; under the draft 60.00 + 60.00 and tax.
    assert "Paid $141.54 USD" in shown
    assert "Would have paid $130.65 USD" in shown
    assert "Difference -$10.89 USD less under the draft" in shown
    assert "64 calls, 60 billed under the draft · CIC-000001" in shown
    assert "Inbound calls: $81.00, under the draft $60.00" in shown
    assert "Front desk: $49.00, under the draft $60.00" in shown
    assert "By company" not in shown
    assert DRAFT.strip().splitlines()[0] in answer.context["form"]["contract"].value()
    assert tables() == before
    assert StaffAction.objects.count() == 0


def test_an_uploaded_draft_for_all_companies(staff: Client, cast: Cast) -> None:
    world.company("euro", "Euro Dental", world.terms(currency="EUR"))
    file = SimpleUploadedFile("draft.toml", DRAFT.encode())
    answer = post(staff, file=file)
    shown = text_of(answer)
    assert "By company" in shown
    assert "Harbor North" in shown
    assert "Euro Dental pays in EUR, and the draft is in USD" in shown
    assert 'rate = "1.00"' in answer.context["form"]["contract"].value()
    assert reverse("console:company", args=["north"]) in answer.content.decode()


def test_the_table_as_csv(staff: Client, cast: Cast) -> None:
    cast.acme.name = "=1+1"
    cast.acme.save()
    answer = post(staff, contract=DRAFT, csv="1")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "backtest.csv" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [row["company"] for row in rows] == ["acme", "north", "south"]
    assert rows[0]["name"] == "'=1+1"
    assert (rows[0]["first_day"], rows[0]["last_day"]) == ("2026-01-01", "2026-01-31")
    assert (rows[0]["paid_total"], rows[0]["would_pay_total"]) == ("141.54", "130.65")
    assert (rows[0]["paid_usage"], rows[0]["would_pay_fees"]) == ("81.00", "60.00")
    assert rows[0]["difference"] == "-10.89"


def test_everything_wrong_in_a_draft_is_shown_with_its_key(staff: Client, cast: Cast) -> None:
    wrong = DRAFT.replace('"1.00"', '"a dollar"').replace("America/New_York", "Mars/Olympus")
    answer = post(staff, contract=wrong)
    assert answer.status_code == 422
    shown = text_of(answer)
    assert "The draft cannot be tried" in shown
    assert "usage[0].rate" in shown
    assert "time_zone" in shown
    assert "a dollar" in answer.context["form"]["contract"].value()
    assert "is not TOML" in text_of(post(staff, contract="rate ="))
    assert "is not text in UTF-8" in text_of(post(staff, file=SimpleUploadedFile("x", b"\xff\xfe\x00")))
    other = post(staff, contract=DRAFT.replace('"USD"', '"EUR"'), company="acme")
    assert "Acme Dental pays in USD, and the draft is in EUR" in text_of(other)


def test_what_the_form_itself_refuses(staff: Client, cast: Cast) -> None:
    for fields, said in (
        ({}, "Choose a contract file or paste its text."),
        ({"contract": "x" * 65_537}, "at most 64 KB"),
        ({"file": SimpleUploadedFile("x", b"x" * 65_537)}, "at most 64 KB"),
        ({"contract": DRAFT, "company": "zebra"}, "There is no company with the key “zebra”."),
        ({"contract": DRAFT, "months": "many"}, "Type a whole number, 1 to 36."),
        ({"contract": DRAFT, "months": "37"}, "36"),
    ):
        answer = post(staff, **fields)
        assert answer.status_code == 422
        assert said in text_of(answer)
        assert "Not done yet" in text_of(answer)


def test_what_to_look_at_again_is_said(staff: Client, cast: Cast) -> None:
    odd = DRAFT.replace('unit = "call"', 'unit = "call"\nbasis = "handle"')
    answer = post(staff, contract=odd, company="acme")
    assert answer.status_code == 200
    assert "Look again usage[0].basis" in text_of(answer)


def test_the_company_of_the_address_is_filled_in(staff: Client, cast: Cast) -> None:
    answer = staff.get(reverse("console:backtest") + "?company=acme")
    assert answer.context["form"]["company"].value() == "acme"
