"""What `callbill doctor` looks at: each check says what is so and, if that is wrong, what to do."""

from __future__ import annotations

import shutil
import socket
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError, connection

OK, NOTE, PROBLEM = "ok", "note", "problem"
_LEAST_POSTGRES = 16
_LEAST_FREE = 1_000_000_000
_OLDEST_RECONCILIATION = timedelta(days=2)
_MOST_SKEW = timedelta(seconds=5)
_WORKER_SILENCE_SECONDS = 120
_LONGEST_CATCH_UP = timedelta(minutes=10)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `remedy` says what to do; empty when nothing is."""

    topic: str
    level: str
    says: str
    remedy: str = ""


def examine() -> Iterator[Finding]:
    """Every finding, in the order in which problems are best mended. A check that breaks is a finding too."""
    for topic, check in _CHECKS.items():
        try:
            yield from check()
        except DatabaseError as problem:
            said = str(problem).splitlines()[0]
            yield Finding(
                topic, PROBLEM, f"Not looked at; the database said: {said}", "Mend “database” above first."
            )
        except Exception as problem:
            yield Finding(
                topic, PROBLEM, f"{type(problem).__name__}: {problem}", "Report this; it is a defect."
            )


def _settings() -> Iterator[Finding]:
    mode, url = settings.CALLBILL_MODE, urlsplit(settings.CALLBILL_BASE_URL)
    if mode not in ("production", "demo", "test"):
        yield Finding(
            "settings",
            PROBLEM,
            f"CALLBILL_MODE is {mode!r}.",
            "Set it to production or demo; without it, it is production.",
        )
    if url.hostname not in settings.ALLOWED_HOSTS and "*" not in settings.ALLOWED_HOSTS:
        yield Finding(
            "settings",
            PROBLEM,
            f"CALLBILL_BASE_URL is at {url.hostname}, which CALLBILL_HOSTS does not name.",
            f"Set CALLBILL_HOSTS={url.hostname}.",
        )
    if mode == "production" and url.scheme != "https" and url.hostname not in ("localhost", "127.0.0.1"):
        yield Finding(
            "settings",
            PROBLEM,
            f"Pages are served at {settings.CALLBILL_BASE_URL}, without encryption.",
            "Put a proxy with TLS in front and set CALLBILL_BASE_URL to its https:// address.",
        )
    yield Finding(
        "settings",
        OK,
        f"Mode {mode}, environment {settings.CALLBILL_ENVIRONMENT}, pages at {settings.CALLBILL_BASE_URL}.",
    )


def _data_folder() -> Iterator[Finding]:
    folder = settings.CALLBILL_DATA
    probe = folder / f".probe-{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_text("")
        probe.unlink()
    except OSError as problem:
        yield Finding(
            "data folder",
            PROBLEM,
            f"{folder} cannot be written: {problem.strerror}.",
            "Give its ownership to the user Callbill runs as, or set CALLBILL_DATA to another folder.",
        )
        return
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE:
        yield Finding(
            "data folder", PROBLEM, f"Only {free // 1_000_000} MB are free in {folder}.", "Make room."
        )
        return
    yield Finding("data folder", OK, f"{folder} can be written; {free // 1_000_000_000} GB are free.")


def _database() -> Iterator[Finding]:
    from callbill.config.commands.serve import missing_migrations

    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version_num")
            version = int(cursor.fetchone()[0]) // 10_000
    except DatabaseError as problem:
        yield Finding(
            "database",
            PROBLEM,
            f"It cannot be reached: {str(problem).splitlines()[0]}",
            "Check DATABASE_URL and that the server runs; without DATABASE_URL Callbill starts its own.",
        )
        return
    if version < _LEAST_POSTGRES:
        yield Finding(
            "database", PROBLEM, f"PostgreSQL {version} is too old.", f"Use {_LEAST_POSTGRES} or newer."
        )
    if missing := missing_migrations():
        yield Finding("database", PROBLEM, f"It is {missing} migrations behind.", "Run: callbill migrate")
        return
    yield Finding("database", OK, f"PostgreSQL {version}, at this version of Callbill.")


def _books() -> Iterator[Finding]:
    from callbill.domain.payments.queries import books_differences

    differences = books_differences()
    for difference in differences:
        yield Finding(
            "ledger",
            PROBLEM,
            f"Payer {difference.payer_id}, {difference.what}: the ledger has {difference.in_ledger}, "
            f"its invoices {difference.by_invoices}.",
            "Stop the worker, so that nothing is billed and charged until this is understood; keep a "
            "copy of the database and report it.",
        )
    if not differences:
        yield Finding("ledger", OK, "Every payer's postings add up to what its invoices say is owed.")


def _reconciliation() -> Iterator[Finding]:
    from callbill.domain.payments.queries import stops_standing
    from callbill.domain.reconciliation.queries import differences, last_good_run
    from callbill.lib import clock

    last, now = last_good_run(), clock.now()
    wrong = [each for each in differences() if not each.is_note]
    for each in wrong:
        yield Finding("reconciliation", PROBLEM, f"{each.title}. {each.what}", each.what_to_do)
    if stops := stops_standing():
        yield Finding(
            "reconciliation",
            PROBLEM,
            f"Collection is stopped {stops} time{'' if stops == 1 else 's'}: something at Stripe is not "
            "explained.",
            "Explain it and lift the stop on the console's page Reconciliation.",
        )
    if last is None or last.finished_at is None:
        yield Finding(
            "reconciliation",
            NOTE,
            "Attempts, books and Stripe were never compared.",
            "The worker does it every night; now: callbill reconcile",
        )
    elif now - last.finished_at > _OLDEST_RECONCILIATION:
        yield Finding(
            "reconciliation",
            PROBLEM,
            f"Attempts, books and Stripe were last compared {last.finished_at:%Y-%m-%d %H:%M} UTC.",
            "See what breaks it off: callbill reconcile",
        )
    elif not wrong:
        yield Finding(
            "reconciliation", OK, f"Nothing differs; compared {last.finished_at:%Y-%m-%d %H:%M} UTC."
        )


def _clock() -> Iterator[Finding]:
    from callbill.lib import clock

    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        skew = abs(cursor.fetchone()[0] - (clock.now() - clock.offset()))
    if skew > _MOST_SKEW:
        yield Finding(
            "clock",
            PROBLEM,
            f"This machine and the database are {skew.seconds} seconds apart.",
            "Set both by a time server (NTP).",
        )
    if clock.offset():
        yield Finding(
            "clock", NOTE, f"The demo's clock is moved by {clock.offset()}: {clock.now():%Y-%m-%d}."
        )
    elif skew <= _MOST_SKEW:
        yield Finding("clock", OK, "It agrees with the database's and is not moved.")


def _stripe() -> Iterator[Finding]:
    given = {
        "STRIPE_SECRET_KEY": settings.STRIPE_SECRET_KEY,
        "STRIPE_PUBLISHABLE_KEY": settings.STRIPE_PUBLISHABLE_KEY,
        "STRIPE_WEBHOOK_SECRET": ",".join(settings.STRIPE_WEBHOOK_SECRETS),
    }
    absent = [name for name, value in given.items() if not value]
    if absent:
        yield Finding(
            "stripe",
            PROBLEM,
            f"{' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} not set; no card can be charged.",
            "Copy them from the Stripe dashboard (Developers, API keys and Webhooks) into the environment.",
        )
        return
    if ("_live_" in given["STRIPE_SECRET_KEY"]) != ("_live_" in given["STRIPE_PUBLISHABLE_KEY"]):
        yield Finding(
            "stripe", PROBLEM, "One Stripe key is live and the other is a test key.", "Use two of one kind."
        )
        return
    yield from _stripe_answers()


def _stripe_answers() -> Iterator[Finding]:
    from callbill.domain.payments import gateway

    where = settings.STRIPE_API_BASE or "Stripe"
    remedy = "Check STRIPE_SECRET_KEY, STRIPE_API_BASE and that this machine may reach it."
    try:
        gateway.gateway().cards(customer="cus_asked_by_callbill_doctor")
    except gateway.NotAccepted as problem:
        yield Finding("stripe", PROBLEM, f"{where} does not accept the key: {problem}", remedy)
    except gateway.OurMistake:  # there is no such customer; who says that knows the key
        yield Finding("stripe", OK, f"{where} answers and knows the key.")
    except gateway.GatewayError as problem:
        yield Finding("stripe", PROBLEM, f"{where} does not answer: {problem}", remedy)
    else:
        yield Finding("stripe", OK, f"{where} answers and knows the key.")


def _undelivered() -> Iterator[Finding]:
    from callbill.domain.notifications.queries import stuck

    if letters := stuck():
        oldest = letters[0]
        yield Finding(
            "mail",
            PROBLEM,
            f"{len(letters)} could not be delivered; the oldest, to {oldest.recipient}, since "
            f"{oldest.created_at:%Y-%m-%d %H:%M} UTC: {oldest.problem}",
            "Correct the address or mend the mail server; the console's overview lists them.",
        )


def _mail() -> Iterator[Finding]:
    yield from _undelivered()
    if settings.MAIL_DELIVERY == "mailbox":
        level = PROBLEM if settings.CALLBILL_MODE == "production" else OK
        remedy = "Set CALLBILL_MAIL=smtp and the SMTP_ variables." if level == PROBLEM else ""
        yield Finding("mail", level, f"Mail is kept in {settings.MAILBOX_DIR}; nobody receives it.", remedy)
        return
    address = (settings.EMAIL_HOST, settings.EMAIL_PORT)
    try:
        with socket.create_connection(address, timeout=settings.EMAIL_TIMEOUT) as conversation:
            greeting = conversation.recv(200)
    except OSError as problem:
        yield Finding(
            "mail",
            PROBLEM,
            f"The mail server {address[0]}:{address[1]} cannot be reached: {problem}.",
            "Check SMTP_HOST and SMTP_PORT and that this machine may reach them.",
        )
        return
    if not greeting.startswith(b"220"):
        yield Finding(
            "mail",
            PROBLEM,
            f"What answers at {address[0]}:{address[1]} does not greet like a mail server.",
            "Check SMTP_HOST and SMTP_PORT.",
        )
        return
    yield Finding("mail", OK, f"The mail server {address[0]}:{address[1]} answers.")


def _documents() -> Iterator[Finding]:
    from callbill.domain import invoicing
    from callbill.lib import clock, glyphs, pdf

    fonts = Path(invoicing.__file__).parent / "documents" / "fonts"
    remedy = "Install Callbill again; fonts and Typst come with it."
    if not glyphs.covered(fonts) >= {ord(character) for character in "Invoice 0123456789.,€"}:
        yield Finding("documents", PROBLEM, f"The fonts for PDFs are not in {fonts}.", remedy)
        return
    with TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "fonts").symlink_to(fonts)
        (root / "page.typ").write_text('#set document(title: "Page")\n#set text(font: "Noto Sans")\nPage')
        try:
            pdf.render("page.typ", {}, root=root, timestamp=clock.now())
        except pdf.PdfFailed as problem:
            yield Finding("documents", PROBLEM, f"A PDF cannot be made: {problem}", remedy)
            return
    yield Finding("documents", OK, "The fonts are here and a PDF can be made.")


def _worker() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM procrastinate_workers"
            " WHERE last_heartbeat > clock_timestamp() - make_interval(secs => %s)",
            [_WORKER_SILENCE_SECONDS],
        )
        working = cursor.fetchone()[0]
    held_up = list(_held_up(working))
    yield from held_up
    if not working:
        yield Finding(
            "worker",
            NOTE,
            "None is at work: nothing is billed, charged or mailed by itself.",
            "Start one: callbill worker",
        )
    elif not held_up:
        yield Finding("worker", OK, f"{working} at work.")


def _held_up(working: int) -> Iterator[Finding]:
    """What does not go on although a worker is at work, or because one died."""
    from callbill.jobs.left_behind import left_behind, silence

    if left := left_behind():
        yield Finding(
            "worker",
            PROBLEM,
            f"The worker of {', '.join(sorted(left))} died, and nobody has taken the job up yet.",
            "A worker does so within two minutes: start one, or wait. If it stays so, restart the worker.",
        )
    quiet = silence("catch_up")
    if working and quiet > _LONGEST_CATCH_UP:
        yield Finding(
            "worker",
            PROBLEM,
            "The work of every minute (mail, Stripe's messages, payments in doubt) has not finished for "
            f"{quiet // timedelta(minutes=1)} minutes, though {working} at work.",
            "If a worker was started just now, wait two minutes. Otherwise restart it; its log says more.",
        )


_CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "settings": _settings,
    "data folder": _data_folder,
    "database": _database,
    "ledger": _books,
    "reconciliation": _reconciliation,
    "clock": _clock,
    "stripe": _stripe,
    "mail": _mail,
    "documents": _documents,
    "worker": _worker,
}
