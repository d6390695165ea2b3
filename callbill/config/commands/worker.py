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
    from callbill.config.commands.serve import missing_migrations

    if missing := missing_migrations():
        print(f"The database is {missing} migrations behind. Run: callbill migrate")
        return 1
    work(at_once=args.at_once)
    return 0


def work(*, at_once: int, wait: bool = True) -> None:
    """Do what is to be done; without `wait`, only until nothing is left in the queue."""
    from procrastinate.contrib.django import app
    from procrastinate.contrib.django.django_connector import DjangoConnector

    from callbill.config.commands.serve import let_go_of_database
    from callbill.jobs import left_behind, trouble

    # Now, and not only in a minute.
    left_behind.take_up()
    let_go_of_database()
    assert isinstance(app.connector, DjangoConnector)
    with app.replace_connector(app.connector.get_worker_connector()) as worker:
        worker.run_worker(
            name="callbill",
            concurrency=at_once,
            wait=wait,
            delete_jobs="successful",
            shutdown_graceful_timeout=15,
            update_heartbeat_interval=left_behind.DEAD_AFTER / 3,
            stalled_worker_timeout=left_behind.DEAD_AFTER,
            worker_middleware=[left_behind.sign_of_life],
            # Theirs, which minds the connections to the database, comes first.
            task_middleware=[*worker.worker_defaults["task_middleware"], trouble.told_to_staff],
        )
