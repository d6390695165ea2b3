"""What holds for every page: who gets in, the policy, the weight, the markup."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from tests.house.rules_of_the_house import unsafe_markup
from tests.web.portal.conftest import Cast, browser, text_of

PAGES = ["/company/", "/invoices/", "/usage/", "/notifications/", "/settings/"]
STRICT = {
    "default-src": "'none'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "object-src": "'none'",
}


def policy(answer: object) -> dict[str, str]:
    """The directives of an answer's content security policy."""
    header = answer.headers["Content-Security-Policy"]  # type: ignore[attr-defined]
    return dict(part.strip().split(" ", 1) for part in header.split(";") if " " in part.strip())


def addresses(cast: Cast) -> list[str]:
    """Every page, one invoice included."""
    return [*PAGES, f"/invoices/{cast.invoice(cast.acme).number}/"]


@pytest.mark.parametrize("who", ["amy", "max", "olga", "otto", "cleo"])
def test_every_role_can_open_every_page(cast: Cast, who: str) -> None:
    for page in PAGES:
        answer = browser(getattr(cast, who)).get(page)
        assert answer.status_code == 200, page
        assert "Sign out" in text_of(answer)


def test_strangers_must_sign_in(cast: Cast) -> None:
    for page in [*addresses(cast), "/"]:
        answer = Client().get(page)
        assert answer.status_code == 302, page
        assert answer.headers["Location"].startswith("/account/login/?next=")


def test_staff_go_to_the_console_and_customers_to_their_company(cast: Cast) -> None:
    assert browser(cast.staff).get("/").headers["Location"] == "/console/"
    assert browser(cast.staff).get("/invoices/").headers["Location"] == "/console/"
    assert browser(cast.amy).get("/").headers["Location"] == "/company/"


def test_no_page_allows_foreign_or_inline_code(cast: Cast) -> None:
    client = browser(cast.amy)
    for page in addresses(cast):
        answer = client.get(page)
        said = policy(answer)
        assert {name: said[name] for name in STRICT} == STRICT, page
        assert re.fullmatch(r"'self'( 'nonce-[\w+/=-]+')?", said["script-src"]), page
        assert unsafe_markup(page, answer.content.decode()) == []


def test_pages_are_light(cast: Cast) -> None:
    """At most 60 KB and 8 requests, everything a page links counted; 10 KB of CSS, 20 KB of JavaScript."""
    client = browser(cast.amy)
    for page in addresses(cast):
        html = client.get(page).content
        linked = re.findall(r'(?:href|src)="/static/([^"]+)"', html.decode())
        sizes = {name: _packed(name) for name in linked}
        assert len(html) + sum(sizes.values()) <= 60_000, (page, len(html), sizes)
        assert 1 + len(linked) <= 8
        assert sum(size for name, size in sizes.items() if name.endswith(".css")) <= 10_000
        assert sum(size for name, size in sizes.items() if name.endswith(".js")) <= 20_000


def _packed(name: str) -> int:
    path = finders.find(name)
    assert isinstance(path, str), name
    return len(gzip.compress(Path(path).read_bytes(), 9))


def test_the_sidebar_has_the_seed_words_and_says_where_one_is(cast: Cast) -> None:
    html = browser(cast.amy).get("/usage/").content.decode()
    sidebar = html[html.index("<nav") : html.index("</nav>")]
    words = re.findall(r'<a href="(/\w+/)"([^>]*)>.*?<span>([^<]+?)\s*<', sidebar, re.DOTALL)
    assert [(href, word) for href, _, word in words][:5] == [
        ("/company/", "Company"),
        ("/invoices/", "Invoices"),
        ("/usage/", "Usage"),
        ("/notifications/", "Notifications"),
        ("/settings/", "Settings"),
    ]
    attributes = {word: given for _, given, word in words}
    assert 'target="_blank" rel="noopener"' in attributes["Invoices"]
    assert "opens in a new tab" in sidebar
    assert [word for word in attributes if "aria-current" in attributes[word]] == ["Usage"]


def test_a_page_that_is_not_there_says_so_in_our_words(cast: Cast) -> None:
    answer = browser(cast.amy).get("/nothing/")
    assert answer.status_code == 404
    assert "Nothing here" in text_of(answer)


def test_pages_are_not_kept_by_the_browser(cast: Cast) -> None:
    assert "no-store" in browser(cast.amy).get("/company/").headers["Cache-Control"]
