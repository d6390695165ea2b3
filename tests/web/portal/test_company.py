"""The Company page: who pays, whom to ask, the cards, and who may change them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from callbill.domain.payments.models import PaymentMethod
from callbill.domain.payments.queries import SavedCard
from callbill.lib.fields import new_id
from callbill.web.portal.card_rows import row_of
from tests.domain import world
from tests.web.portal.conftest import Cast, browser, text_of


def save(cast: Cast, made: object, last4: str = "4242", **fields: object) -> PaymentMethod:
    """A card on file for whoever pays for the company."""
    given = {
        "payer": world.payer_of(made),  # type: ignore[arg-type]
        "reference": f"pm_{last4}_{new_id()}",
        "brand": "visa",
        "last4": last4,
        "exp_month": 12,
        "exp_year": 2028,
        "added_at": datetime(2026, 1, 5, tzinfo=UTC),
        **fields,
    }
    return PaymentMethod.objects.create(**given)


def test_who_pays_and_whom_to_ask(cast: Cast) -> None:
    said = text_of(browser(cast.max).get("/company/"))
    assert "Billable entity Acme Dental (company)" in said
    assert "Your CIC contact dana dana@cic.example" in said


def test_without_a_card_the_administrator_is_asked_for_one(cast: Cast) -> None:
    said = text_of(browser(cast.amy).get("/company/"))
    assert "Add payment method" in said
    assert "No payment method on file" in said
    assert "Before CIC can bill you automatically, you need a card on file." in said


def test_cards_with_brand_last_four_expiry_and_default(cast: Cast) -> None:
    save(cast, cast.acme, is_default=True)
    save(cast, cast.acme, "4444", brand="mastercard", exp_month=2, exp_year=2026)
    said = text_of(browser(cast.amy).get("/company/"))
    assert "Visa •••• 4242 Default Expires 12/2028 · Charged for new invoices" in said
    assert "Mastercard •••• 4444 Expires within 30 days Expires 02/2026" in said


def test_a_member_sees_the_cards_and_changes_none(cast: Cast) -> None:
    card = save(cast, cast.acme)
    client = browser(cast.max)
    said = text_of(client.get("/company/"))
    assert "Visa •••• 4242" in said
    assert "Only a billing administrator of Acme Dental can change these." in said
    for word in ("Add payment method", "Make default", "Remove"):
        assert word not in said
    payer = world.payer_of(cast.acme).id
    assert client.get(f"/company/payment-methods/add/?payer={payer}").status_code == 403
    for what in ("default", "remove"):
        answer = client.post(f"/company/payment-methods/{card.id}/{what}/")
        assert answer.status_code == 403
        assert "Only a billing administrator of Acme Dental can do this." in text_of(answer)
    card.refresh_from_db()
    assert (card.is_default, card.removed_at) == (False, None)


def test_where_the_organization_pays_its_administrator_keeps_the_cards(cast: Cast) -> None:
    save(cast, cast.clinic, is_default=True)
    payer = world.payer_of(cast.clinic).id
    cleo, otto, olga = (browser(who) for who in (cast.cleo, cast.otto, cast.olga))
    said = text_of(cleo.get("/company/"))
    assert "Billable entity Harbor Group (organization)" in said
    assert "Cards are kept on Harbor Group, and its billing administrator handles payment." in said
    assert "4242" not in said
    assert cleo.get(f"/company/payment-methods/add/?payer={payer}").status_code == 404
    said = text_of(otto.get("/company/"))
    assert "Cards are kept on Harbor Group by its billing administrator." in said
    assert "4242" in said
    assert "Add payment method" not in said
    said = text_of(olga.get("/company/"))
    assert "Harbor Group pays for Harbor Clinic and Harbor Dental." in said
    assert "You are a billing administrator of Harbor Group and keep its cards here." in said
    assert "Add payment method" in said


def test_making_a_card_the_default_asks_first(cast: Cast) -> None:
    old, new = save(cast, cast.acme, is_default=True), save(cast, cast.acme, "1881")
    client, address = browser(cast.amy), f"/company/payment-methods/{new.id}/default/"
    assert "Make Visa •••• 1881 the default?" in text_of(client.get(address))
    old.refresh_from_db()
    assert old.is_default, "asking changes nothing"
    answer = client.post(address, follow=True)
    assert "Visa •••• 1881 is now the default and will be charged for new invoices." in text_of(answer)
    assert PaymentMethod.objects.get(is_default=True, payer=world.payer_of(cast.acme)) == new


def test_the_only_card_stays_while_an_invoice_is_owed(cast: Cast) -> None:
    card = save(cast, cast.acme, is_default=True)
    client, address = browser(cast.amy), f"/company/payment-methods/{card.id}/remove/"
    assert "Remove Visa •••• 4242?" in text_of(client.get(address))
    answer = client.post(address)
    assert answer.status_code == 422
    assert "Add another card first." in text_of(answer)
    card.refresh_from_db()
    assert card.removed_at is None


def test_another_tenants_card_is_not_there(cast: Cast) -> None:
    card = save(cast, cast.zenith)
    for what in ("default", "remove"):
        assert browser(cast.amy).get(f"/company/payment-methods/{card.id}/{what}/").status_code == 404
        assert browser(cast.amy).post(f"/company/payment-methods/{card.id}/{what}/").status_code == 404


@pytest.mark.parametrize("payer", ["", "nonsense", "00000000-0000-0000-0000-000000000000"])
def test_a_card_form_for_nobody_is_not_there(cast: Cast, payer: str) -> None:
    client = browser(cast.otto)  # administers nothing, so an empty payer has no answer either
    assert client.get("/company/payment-methods/add/", {"payer": payer}).status_code == 404


def test_the_banner_says_how_much_why_and_what_next(cast: Cast) -> None:
    number = cast.past_due(cast.acme).number
    said = text_of(browser(cast.amy).get("/company/"))
    assert f"Past due: {number} , $78.60" in said
    assert "It is not paid." in said
    assert "There is no card on file." in said
    assert f"Add a card for {number}" in said
    said = text_of(browser(cast.max).get("/company/"))
    assert f"Past due: {number}" in said
    assert "Add a card for" not in said
    assert "A billing administrator of Acme Dental handles this." in said


@pytest.mark.parametrize(
    ("today", "warning"),
    [
        (date(2026, 4, 1), ""),
        (date(2026, 4, 30), ""),
        (date(2026, 5, 1), "Expires within 60 days"),
        (date(2026, 5, 30), "Expires within 60 days"),
        (date(2026, 5, 31), "Expires within 30 days"),
        (date(2026, 6, 30), "Expires within 30 days"),
        (date(2026, 7, 1), "Expired"),
    ],
)
def test_a_card_is_good_until_the_last_day_of_its_month(today: date, warning: str) -> None:
    card = SavedCard(
        id=new_id(),
        label="Visa •••• 4242",
        brand="Visa",
        last4="4242",
        expiry="06/2026",
        expired=False,
        expires_soon=False,
        is_default=True,
        added_at=datetime(2026, 1, 1, tzinfo=UTC),
        good_until=date(2026, 6, 30),
        needs_consent=False,
    )
    assert row_of(card, today).warning == warning
