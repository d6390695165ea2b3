"""What verifying finds is said in plain words, the cause before what follows from it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import connection

from callbill.config.cli import main
from callbill.domain.invoicing._differences import in_words
from callbill.domain.invoicing.operations import run_billing
from callbill.domain.invoicing.queries import verify_invoice
from tests.domain.world import PER_CALL, at, calls, company, terms

CONTRACT = PER_CALL + '[tax]\n[[tax.rate]]\nname = "Sales tax"\npercent = "8.875"\n'
NUMBER = "CIC-000001"


def tamper(statement: str) -> None:
    """Change what is frozen, as nobody could without owning the database."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET session_replication_role = DEFAULT")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "DELETE FROM usage_call WHERE source_call_id = (SELECT min(source_call_id) FROM usage_call)",
            "Acme Dental, 2026-01-01 to 2026-02-01, calls received: 10 on the invoice, 9 recomputed",
        ),
        (
            "UPDATE usage_call SET flags = '{spam}'",
            "Acme Dental, 2026-01-01 to 2026-02-01, calls billed: 10 on the invoice, 0 recomputed",
        ),
        (
            "UPDATE invoicing_stretch SET not_billable = '{\"too_short\": 2}'",
            "Acme Dental, 2026-01-01 to 2026-02-01, calls Not billed: shorter than the contract's shortest "
            "talk time: 2 on the invoice, nothing recomputed",
        ),
        (
            "UPDATE invoicing_stretch SET terms = jsonb_set(terms, '{usage,0,rate}', '\"1.36\"')",
            "Acme Dental, terms from 2026-01-01 usage 1 rate: 1.36 on the invoice, 1.35 recomputed",
        ),
        (
            "UPDATE invoicing_invoiceline SET amount_minor = 1300",
            "Acme Dental, line 1 (Inbound calls), amount: 13.00 on the invoice, 13.50 recomputed",
        ),
        (
            "UPDATE invoicing_invoiceline SET derivation = jsonb_set(derivation, '{quantity}', '\"11\"')",
            "Acme Dental, line 1 (Inbound calls), how it was computed: quantity: 11 on the invoice, "
            "10 recomputed",
        ),
        (
            "UPDATE invoicing_invoice SET tax_minor = tax_minor + 1, total_minor = total_minor + 1",
            "tax: 1.21 on the invoice, 1.20 recomputed",
        ),
    ],
)
def test_the_first_difference_is_the_cause(
    statement: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    calls(company(contract=terms(CONTRACT)), 10, on=date(2026, 1, 15))
    run_billing(now=at("2026-02-01T09:00"))
    assert verify_invoice(NUMBER) == []
    tamper(statement)
    assert str(verify_invoice(NUMBER)[0]) == f"{NUMBER}: {said}"
    assert main(["verify-invoice", "--all"]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0] == f"{NUMBER}: {said}"
    assert told[-1] == "1 checked, 1 with differences."


@pytest.mark.parametrize(
    ("stored", "recomputed", "expected"),
    [
        ([1, 2], [1, 2, 3], ("3", "nothing", "3")),
        ([{"a": 1}], [{"a": 1, "b": "x"}], ("1 b", "nothing", "x")),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, ("a 2 b", "2", "3")),
        ("abc", "abd", ("", "abc", "abd")),
        (None, {}, ("", "nothing", "{}")),
    ],
)
def test_only_what_differs_is_named(stored: Any, recomputed: Any, expected: tuple[str, str, str]) -> None:
    assert in_words(stored, recomputed) == expected


def test_amounts_have_the_decimals_of_their_currency() -> None:
    assert in_words(1300, 1350, "JPY") == ("", "1300", "1350")
    assert in_words(1300, 1350, "KWD") == ("", "1.300", "1.350")
