"""`callbill serve`: the web server (gunicorn with threads)."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any, cast

HELP = "serve the pages and take Stripe's webhooks"
NEEDS_DJANGO = True


def configure(parser: argparse.ArgumentParser) -> None:
    """Where to listen, and how many at once."""
    port = os.environ.get("PORT", "8000")
    parser.add_argument("--port", type=int, default=port, help="port to listen on (PORT, else 8000)")
    parser.add_argument(
        "--address", default="127.0.0.1", help="address to listen on; a proxy with TLS stands in front"
    )
    parser.add_argument("--processes", type=int, default=2, help="web processes (default 2)")
    parser.add_argument("--threads", type=int, default=4, help="requests at once in each of them (default 4)")


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop; 1 when the database is not at this version."""
    from django.core.management import call_command

    missing = missing_migrations()
    let_go_of_database()  # the server forks; what is open before that would be shared by its children
    if missing:
        print(f"The database is {missing} migrations behind. Run: callbill migrate", file=sys.stderr)
        return 1
    call_command("collectstatic", interactive=False, verbosity=0)
    serve(f"{args.address}:{args.port}", processes=args.processes, threads=args.threads)
    return 0


def missing_migrations() -> int:
    """How many migrations this version has and the database has not."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def let_go_of_database() -> None:
    """Close this process's connection and its pool."""
    from django.db import connection

    connection.close()
    cast(Any, connection).close_pool()  # PostgreSQL's; the proxy's type does not know it


def serve(bind: str, *, processes: int, threads: int) -> None:
    """Run gunicorn on `bind` in this process until it is told to stop."""
    from gunicorn.app.base import BaseApplication

    from callbill.config.wsgi import application

    class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
        """Gunicorn without its own command line and configuration file."""

        def load_config(self) -> None:
            """Fixed where it should be fixed."""
            settings = {
                "bind": bind,
                "workers": processes,
                "worker_class": "gthread",
                "threads": threads,
                "timeout": 60,
                "graceful_timeout": 10,
                "max_requests": 5000,
                "max_requests_jitter": 500,
                "keepalive": 5,
                "proc_name": "callbill",
                "loglevel": "warning",
                "forwarded_allow_ips": "127.0.0.1,::1",
                "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: S108
                "control_socket_disable": True,
            }
            for name, value in settings.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            return application

    Server().run()
