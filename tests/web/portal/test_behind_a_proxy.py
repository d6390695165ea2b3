"""Behind a proxy people are told apart by the address that the proxy adds, and by nothing they write."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from callbill.domain.payments.models import CardSetup
from callbill.domain.users.models import User
from tests.domain.payments.shop import Shop
from tests.web.portal.conftest import browser


def kept(shop: Shop, forwarded: str) -> str | None:
    """The address kept with a card form that was opened with this header."""
    ann: Client = browser(User.objects.get(email="ann@acme.example"))
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    answer = ann.get(f"/company/payment-methods/add/?payer={shop.payer.id}", headers=headers)
    assert answer.status_code == 200
    return CardSetup.objects.latest("started_at", "id").ip_address


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("198.51.100.7, unknown", "127.0.0.1"),
        ("<script>", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
def test_the_last_address_is_the_visitor_s(
    shop: Shop, clock_stands: None, settings: Any, forwarded: str, address: str
) -> None:
    settings.BEHIND_PROXY = True
    assert kept(shop, forwarded) == address


def test_without_a_proxy_nobody_says_who_they_are(shop: Shop, clock_stands: None, settings: Any) -> None:
    settings.BEHIND_PROXY = False
    assert kept(shop, "198.51.100.7") == "127.0.0.1"
