"""Running a piece of work in a process of its own that dies at the n-th commit, before or after it.

No hook in the product: the child counts Django's commits and ends itself with `os._exit`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from urllib.parse import quote

from django.db import connection

DIED = 137

_CHILD = """
import os, sys
import django
django.setup()
from django.db.backends.base.base import BaseDatabaseWrapper

when, number = sys.argv[1], int(sys.argv[2])
seen = 0
plain = BaseDatabaseWrapper.commit

def commit(self):
    global seen
    seen += 1
    if seen == number and when == "before":
        os._exit(137)
    plain(self)
    if seen == number and when == "after":
        os._exit(137)

BaseDatabaseWrapper.commit = commit
exec(sys.stdin.read())
"""


def database_url() -> str:
    """The address of the database this test runs on."""
    settings = connection.settings_dict
    host, name = quote(str(settings["HOST"]), safe="/"), quote(str(settings["NAME"]))
    login = quote(str(settings["USER"]))
    if settings["PASSWORD"]:
        login += ":" + quote(str(settings["PASSWORD"]))
    if str(settings["HOST"]).startswith("/"):
        return f"postgresql://{login}@/{name}?host={host}"
    return f"postgresql://{login}@{host}:{settings['PORT'] or 5432}/{name}"


def start(code: str, *, when: str = "never", number: int = 0, name: str = "child") -> subprocess.Popen[str]:
    """Start `code` in a Django process on this test's database."""
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, when, str(number)],
        env={
            **os.environ,
            "DATABASE_URL": database_url(),
            "PGAPPNAME": name,
            "DJANGO_SETTINGS_MODULE": "callbill.config.settings",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    child.stdin.write(code)
    child.stdin.close()
    child.stdin = None
    return child


def run(code: str, *, when: str = "never", number: int = 0) -> tuple[int, str, str]:
    """Run `code` to its end or its death. Returns exit code, output, errors."""
    name = f"killed-{uuid.uuid4().hex[:12]}"
    child = start(code, when=when, number=number, name=name)
    out, err = child.communicate(timeout=120)
    wait_until_gone(name)
    return child.returncode, out, err


def wait_until_gone(name: str) -> None:
    """PostgreSQL notices a moment later that a client has died, and frees its locks then."""
    with connection.cursor() as cursor:
        for _ in range(5_000):
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [name])
            if cursor.fetchone()[0] == 0:
                return
            time.sleep(0.002)
    raise AssertionError(f"the connection of {name} outlives it")
