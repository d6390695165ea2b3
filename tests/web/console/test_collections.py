"""The console's pages of collection runs, among them one that is under way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse

from callbill.domain.payments.models import CollectionRun
from callbill.lib.alive import alive
from tests.domain import world
from tests.web.console.conftest import FEBRUARY

PART = {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "progress"}


@contextmanager
def lived(run: CollectionRun) -> Iterator[None]:
    """Meanwhile a worker on another connection is at it."""
    begun, over = threading.Event(), threading.Event()

    def work() -> None:
        try:
            with alive(run.id):
                begun.set()
                over.wait(timeout=60)
        finally:
            connections.close_all()

    worker = threading.Thread(target=work)
    worker.start()
    begun.wait(timeout=60)
    try:
        yield
    finally:
        over.set()
        worker.join()


@pytest.fixture
def browser(transactional_db: None) -> Client:
    """Sam of the staff."""
    made = Client()
    made.force_login(world.person("sam@cic.example", staff=True))
    return made


def test_a_run_under_way_shows_how_far_it_is_and_asks_again_until_it_is_over(browser: Client) -> None:
    run = CollectionRun.objects.create(
        started_at=FEBRUARY, to_charge=2500, charged=1250, outcomes={"declined": 4, "succeeded": 1246}
    )
    address = reverse("console:collection", args=[run.id])
    with lived(run):
        page = browser.get(address).content.decode()
        assert "1,250 of 2,500 invoices looked at" in page
        assert '<progress id="bar" max="2500" value="1250">50 %</progress>' in page
        assert 'hx-trigger="every 2s"' in page
        assert "htmx.min.js" in page or "htmx" in page
        assert "Under way" in page
        assert "<dt>Paid</dt><dd><strong>1,246</strong>" in page
        CollectionRun.objects.filter(id=run.id).update(charged=1900)
        part = browser.get(address, **PART)
        assert part.headers["Vary"] == "HX-Target, Cookie"
        assert "1,900 of 2,500" in part.content.decode()
        assert "<html" not in part.content.decode()
        assert "Under way" in browser.get(reverse("console:collections")).content.decode()
    CollectionRun.objects.filter(id=run.id).update(charged=2500, finished_at=FEBRUARY + timedelta(minutes=2))
    part = browser.get(address, **PART).content.decode()
    assert "hx-trigger" not in part
    assert "Finished" in part


def test_a_run_that_died_says_what_happens_next(browser: Client) -> None:
    run = CollectionRun.objects.create(started_at=FEBRUARY, to_charge=10, charged=3)
    page = browser.get(reverse("console:collection", args=[run.id])).content.decode()
    assert "Broken off" in page
    assert "what it left is charged by the next run" in page
    assert "hx-trigger" not in page


def test_problems_are_shown_as_text(browser: Client) -> None:
    run = CollectionRun.objects.create(
        started_at=FEBRUARY,
        finished_at=FEBRUARY,
        to_charge=1,
        charged=1,
        problems=["Invoice CIC-2026-000001: <b>no such card</b>"],
        stopped=True,
    )
    page = browser.get(reverse("console:collection", args=[run.id])).content.decode()
    assert "&lt;b&gt;no such card" in page
    assert "The fault is ours, so nobody fell past due" in page


def test_nobody_but_staff(browser: Client) -> None:
    assert "No run yet" in browser.get(reverse("console:collections")).content.decode()
    run = CollectionRun.objects.create(started_at=FEBRUARY)
    assert browser.get(reverse("console:collection", args=[world.company().id])).status_code == 404
    other = Client()
    other.force_login(world.person("eve@evil.example"))
    assert other.get(reverse("console:collections")).status_code == 404
    assert other.get(reverse("console:collection", args=[run.id])).status_code == 404
