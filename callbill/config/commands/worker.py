"""`callbill worker`: does what happens by itself (`callbill.jobs.schedule`) and what was put off."""

from __future__ import annotations

import argparse

HELP = "do what happens by itself: billing, collection, mail, webhooks"
NEEDS_DJANGO = True


def configure(parser: argparse.ArgumentParser) -> None:
    """How much at once."""
    parser.add_argument("--at-once", type=int, default=2, help="jobs at once (default 2)")


def run(args: argparse.Namespace) -> int:
    """Work until told to stop; a job that is running is finished first."""
    from procrastinate.contrib.django import app
    from procrastinate.contrib.django.django_connector import DjangoConnector

    from callbill.config.commands.serve import let_go_of_database, missing_migrations

    if missing := missing_migrations():
        print(f"The database is {missing} migrations behind. Run: callbill migrate")
        return 1
    let_go_of_database()
    assert isinstance(app.connector, DjangoConnector)
    with app.replace_connector(app.connector.get_worker_connector()) as worker:
        worker.run_worker(
            name="callbill", concurrency=args.at_once, delete_jobs="successful", shutdown_graceful_timeout=15
        )
    return 0
