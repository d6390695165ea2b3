"""What a simulation stands on: a database of its own, a Stripe sandbox of its own, and a folder for its mail.

`prepare` comes before Django is set up and says where everything is; a `Ground` then gives one empty world
after another. A world's database is a copy of a template that was migrated once, so that it costs little.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

from callbill.config.simulation.post import Post
from callbill.config.simulation.stripe_side import StripeSide

PACKAGE = Path(__file__).resolve().parents[2]
SECRETS = {
    "STRIPE_SECRET_KEY": "sk_test_simulation",
    "STRIPE_PUBLISHABLE_KEY": "pk_test_simulation",
    "STRIPE_WEBHOOK_SECRET": "whsec_simulation",
}
_LOCK = 0x5143_7E11
_TEMPLATE = "callbill_simulated_"
# What `callbill` looks for in its own server (callbill/config/embedded.py).
_KEPT = "callbill"


def prepare(folder: Path, *, keep: bool = False) -> None:
    """Say to this process, before Django is set up, where a simulation's things are. `folder` is its own.

    With `keep` and no database given, the database server lives in `folder` too, to be looked at later.
    """
    if not os.environ.get("DATABASE_URL"):
        from callbill.config.embedded import ensure_database

        data = Path(os.environ.get("CALLBILL_DATA", "var")).resolve() / "simulation"
        os.environ["DATABASE_URL"] = ensure_database(folder if keep else data, fast_and_unsafe=True)
    (folder / "static").mkdir(parents=True, exist_ok=True)
    os.environ.update(SECRETS)
    os.environ["STRIPE_API_BASE"] = f"http://127.0.0.1:{_free_port()}"
    os.environ["CALLBILL_MODE"] = "test"
    os.environ["CALLBILL_DATA"] = str(folder)
    os.environ["CALLBILL_MAIL"] = "mailbox"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "callbill.config.settings")


def _has_its_own_server(folder: Path) -> bool:
    return (folder / "postgres").exists()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Ground:
    """Gives empty worlds. Close it at the end."""

    def __init__(self, folder: Path) -> None:
        from django.conf import settings

        self.folder = folder
        self._server = _address_of("postgres", settings.DATABASES["default"])
        self._made = 0
        self._names: list[str] = []
        self._template = self._migrated_template()
        self.post = Post()
        self.stripe = StripeSide(settings.STRIPE_API_BASE, SECRETS["STRIPE_SECRET_KEY"])
        self._sandbox = self._started_sandbox()

    def fresh(self) -> None:
        """An empty world: a new database, a Stripe without memory, no mail."""
        from callbill.lib import clock

        self._drop_last()
        self._made += 1
        name = f"{_TEMPLATE}{os.getpid()}_{self._made}"
        with self._maintenance() as connection:
            copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(copy.format(sql.Identifier(name), sql.Identifier(self._template)))
        self._names.append(name)
        _use_database(name)
        shutil.rmtree(self.folder / "mailbox", ignore_errors=True)
        clock.back_to_real_time()
        if self._sandbox.poll() is not None:
            self._sandbox = self._started_sandbox()
        self.stripe.reset()
        self.post.forget()

    def close(self) -> None:
        """Stop the sandbox and drop the last database, if it was not kept."""
        self._sandbox.terminate()
        self._sandbox.wait(20)
        self.post.close()
        self._drop_last()

    def keep(self) -> str:
        """Let the last world's database and mails stay; the command that serves its pages."""
        from django.conf import settings

        given = [f"CALLBILL_DATA={self.folder}", "CALLBILL_MODE=test"]
        if self._names and _has_its_own_server(self.folder):
            _use_database("postgres")
            with self._maintenance() as connection:
                connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(_KEPT)))
                rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
                names = sql.Identifier(self._names[-1]), sql.Identifier(_KEPT)
                connection.execute(rename.format(*names))
        elif self._names:
            address = _address_of(self._names[-1], settings.DATABASES["default"])
            given.append(f"DATABASE_URL='{address}'")
        self._names.clear()
        return " ".join([*given, "callbill serve"])

    def _started_sandbox(self) -> subprocess.Popen[bytes]:
        process = _start_sandbox(self.stripe.address, self.post.address)
        self.stripe.wait_until_up(lambda: process.poll() is None)
        return process

    def _drop_last(self) -> None:
        if not self._names:
            return
        _use_database("postgres")
        with self._maintenance() as connection:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(drop.format(sql.Identifier(self._names.pop())))

    def _maintenance(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._server, autocommit=True)

    def _migrated_template(self) -> str:
        """The template for this version of the tables; made if it is not there."""
        from django.core.management import call_command

        template = f"{_TEMPLATE}template_{_digest_of_migrations()}"
        with self._maintenance() as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
            _drop_what_is_left(connection)
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [template]).fetchone()
            if found:
                return template
            building = f"{_TEMPLATE}building_{os.getpid()}"
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(building)))
            _use_database(building)
            call_command("migrate", interactive=False, verbosity=0)
            call_command("createcachetable", verbosity=0)
            _use_database("postgres")
            rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
            connection.execute(rename.format(sql.Identifier(building), sql.Identifier(template)))
        return template


def _drop_what_is_left(connection: psycopg.Connection[Any]) -> None:
    """Worlds of processes that were killed. Templates stay: others may be using one of another version."""
    wanted = "SELECT datname FROM pg_database WHERE datname ~ %s"
    for (name,) in connection.execute(wanted, [rf"^{_TEMPLATE}\d+_\d+$"]).fetchall():
        if Path(f"/proc/{name.split('_')[2]}").exists():
            continue
        with suppress(psycopg.errors.ObjectInUse):
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))


def _use_database(name: str) -> None:
    """Let this process, and those forked from it, use another database of the same server."""
    from django.db import connections

    connections["default"].close()
    connections["default"].settings_dict["NAME"] = name
    connections.settings["default"]["NAME"] = name


def _digest_of_migrations() -> str:
    found = hashlib.sha256()
    for path in sorted((PACKAGE / "domain").glob("*/migrations/*.py")):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()[:16]


def _address_of(name: str, entry: Any) -> str:
    login = quote(str(entry["USER"]))
    if entry["PASSWORD"]:
        login += ":" + quote(str(entry["PASSWORD"]))
    host = str(entry["HOST"])
    if host.startswith("/"):
        return f"postgresql://{login}@/{quote(name)}?host={quote(host, safe='/')}"
    return f"postgresql://{login}@{host}:{entry['PORT'] or 5432}/{quote(name)}"


def _start_sandbox(address: str, webhooks: str) -> subprocess.Popen[bytes]:
    port = urlsplit(address).port
    words = [sys.executable, "-m", "stripe_sandbox", "--port", str(port), "--webhook-url", webhooks]
    words += ["--webhook-secret", SECRETS["STRIPE_WEBHOOK_SECRET"], "--settle-after", "600"]
    words += ["--webhook-retries", "60,600,3600,21600"]
    supervised = [sys.executable, "-m", "callbill.config.processes", str(os.getpid()), *words]
    return subprocess.Popen(
        supervised, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=PACKAGE.parent
    )
