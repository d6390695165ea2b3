"""Signing in, the closed sign-up, a forgotten password; drawn by us, sent as all our mails are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from callbill.gateways.email import list_mailbox, read_mailbox
from tests.web.portal.conftest import Cast, text_of

PASSWORD = "correct horse battery"


@pytest.fixture
def mailbox(settings: Any, tmp_path: Path) -> Path:
    """An empty one. Rate limits start anew."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()
    settings.MAIL_DELIVERY = "mailbox"
    settings.MAILBOX_DIR = tmp_path / "mailbox"
    return tmp_path / "mailbox"


def test_signing_in_and_out(cast: Cast, mailbox: Path) -> None:
    client = Client()
    answer = client.post("/account/login/", {"login": "AMY@acme.example", "password": PASSWORD})
    assert answer.headers["Location"] == "/"
    assert client.get("/company/").status_code == 200
    client.post("/account/logout/")
    assert client.get("/company/").status_code == 302


def test_a_wrong_password_is_said_without_telling_who_exists(cast: Cast, mailbox: Path) -> None:
    said = {
        text_of(Client().post("/account/login/", {"login": login, "password": "wrong"}))
        .replace(login, "")
        .replace(" ", "")
        for login in ("amy@acme.example", "nobody@acme.example")
    }
    assert len(said) == 1
    assert "password" in said.pop()


def test_guessing_is_slowed_down(cast: Cast, mailbox: Path) -> None:
    client = Client()
    for _ in range(5):
        client.post("/account/login/", {"login": "amy@acme.example", "password": "wrong"})
    answer = client.post("/account/login/", {"login": "amy@acme.example", "password": PASSWORD})
    assert answer.status_code == 200, "the right password is not tried any more either"
    assert client.get("/company/").status_code == 302


def test_nobody_signs_up(cast: Cast, mailbox: Path) -> None:
    assert Client().get("/account/signup/").status_code == 404
    assert Client().post("/account/signup/", {"email": "eve@evil.example"}).status_code == 404


def test_nobody_changes_the_address_they_sign_in_with(cast: Cast, mailbox: Path) -> None:
    """A membership follows the address, so it is changed by the operator only."""
    client = Client()
    client.post("/account/login/", {"login": "amy@acme.example", "password": PASSWORD})
    for address in (
        "email/",
        "signup/",
        "confirm-email/",
        "confirm-email/x/",
        "password/set/",
        "reauthenticate/",
    ):
        assert client.get(f"/account/{address}").status_code == 404
        answer = client.post(f"/account/{address}", {"action_add": "", "email": "eve@evil.example"})
        assert answer.status_code == 404
    assert list_mailbox(mailbox) == []


def test_a_forgotten_password_is_replaced_by_a_mail(cast: Cast, mailbox: Path) -> None:
    client = Client()
    client.post("/account/password/reset/", {"email": "amy@acme.example"})
    (head,) = list_mailbox(mailbox)
    assert (head.recipient, head.subject) == ("amy@acme.example", "Choose a new password")
    link = re.search(r"http://testserver(/\S+)", read_mailbox(mailbox, head.id).text)
    assert link
    form = client.get(link[1], follow=True)
    new = "another horse battery"
    client.post(form.request["PATH_INFO"], {"password1": new, "password2": new})
    assert client.login(email="amy@acme.example", password=new)


def test_pages_for_signing_in_are_ours(cast: Cast, mailbox: Path) -> None:
    for page in ("/account/login/", "/account/password/reset/", "/account/password/reset/done/"):
        html = Client().get(page).content.decode()
        assert '<html lang="en">' in html
        assert '<main id="main"' in html
        assert "Menu:" not in html, "allauth's own layout"


def test_a_forms_address_opened_like_a_page_says_so(cast: Cast) -> None:
    client = Client()
    client.post("/account/login/", {"login": "amy@acme.example", "password": PASSWORD})
    answer = client.get("/invoices/CIC-000001/pay/")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert "only takes a form" in text_of(answer)
