"""Early pytest plugin: gives the tests a PostgreSQL before Django reads its settings.

With DATABASE_URL the tests use that server; otherwise an embedded one of their own, without durability.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ["CALLBILL_MODE"] = "test"
os.environ.setdefault("CALLBILL_SECRET_KEY", "only-for-tests-" + "x" * 40)
os.environ["CALLBILL_DATA"] = tempfile.mkdtemp(prefix="callbill-test-")
(Path(os.environ["CALLBILL_DATA"]) / "static").mkdir()
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # sync Playwright beside the ORM

if not os.environ.get("DATABASE_URL"):
    from callbill.config.embedded import ensure_database

    folder = Path(__file__).resolve().parent.parent / "var" / "test-database"
    name = os.environ.get("CALLBILL_TEST_NAME", "callbill")  # two runs side by side need two names
    os.environ["DATABASE_URL"] = ensure_database(folder, name=name, fast_and_unsafe=True)
