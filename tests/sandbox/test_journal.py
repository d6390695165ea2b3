"""The journal beside the SQLite file: what was answered is there again after a kill, and nothing else."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path
from typing import Any

import pytest

from stripe_sandbox.storage import Store

_HEAD = struct.Struct(">IIQ")


def customer(number: int) -> dict[str, Any]:
    """One that a list can be read by."""
    return {
        "id": f"cus_{number:03d}",
        "object": "customer",
        "created": number,
        "email": f"{number}@a.example",
        "name": 'Zoë "Z"\n\x00',
    }


def request(store: Store, number: int) -> None:
    """One request's work: an object, a note, something for later, a delivery."""
    with store.transaction():
        store.insert(customer(number))
        store.write_note("card", f"pm_{number}", {"number": "4242"})
        store.schedule(number + 0.5, "settle", f"ch_{number}")
        store.queue_delivery(f"evt_{number}", "we_1", number / 3)


def seen(store: Store) -> list[Any]:
    """Everything that is kept."""
    tables = ("object", "note", "later", "delivery", "idempotency", "delivery_plan")
    return [store.db.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall() for table in tables]


def killed(state: Path, to: Path) -> Path:
    """The files as they are when the process ends now."""
    to.mkdir()
    for name in ("", "-wal", "-requests"):
        shutil.copy(f"{state}{name}", to / f"{state.name}{name}")
    return to / state.name


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite3"


@pytest.mark.parametrize("number", [1, 127, 128, 129, 300])
def test_a_kill_loses_no_request(state: Path, tmp_path: Path, number: int) -> None:
    store = Store(str(state))
    for each in range(number):
        request(store, each)
    again = Store(str(killed(state, tmp_path / "later")))
    assert seen(again) == seen(store)
    assert len(seen(again)[0]) == number
    # And it goes on from there, through another kill.
    request(again, number)
    third = Store(str(killed(tmp_path / "later" / state.name, tmp_path / "last")))
    assert seen(third) == seen(again)
    for each in (store, again, third):
        each.close()


def test_a_request_that_fails_is_undone_alone(state: Path, tmp_path: Path) -> None:
    store = Store(str(state))
    request(store, 1)
    before = seen(store)

    def refused() -> None:
        with store.transaction():
            store.insert(customer(2))
            store.drop_note("card", "pm_1")
            raise RuntimeError("refused")

    with pytest.raises(RuntimeError):
        refused()
    assert seen(store) == before
    request(store, 3)
    again = Store(str(killed(state, tmp_path / "later")))
    assert seen(again) == seen(store)
    assert [row[1] for row in seen(again)[0]] == ["cus_001", "cus_003"]
    store.close()
    again.close()


def test_what_is_undone_within_a_request_stays_undone(state: Path, tmp_path: Path) -> None:
    store = Store(str(state))
    with store.transaction():
        store.db.execute("SAVEPOINT later")
        store.insert(customer(1))
        store.db.execute("ROLLBACK TO later")
        store.db.execute("RELEASE later")
        store.insert(customer(2))
        store.db.executemany("INSERT INTO delivery_plan VALUES (?, NULL, ?, 0)", ((at, 1) for at in range(3)))
    again = Store(str(killed(state, tmp_path / "later")))
    assert seen(again) == seen(store)
    assert [row[1] for row in seen(again)[0]] == ["cus_002"]
    store.close()
    again.close()


def test_a_record_cut_anywhere_is_nobodys_answer(state: Path, tmp_path: Path) -> None:
    store = Store(str(state))
    request(store, 1)
    whole = len(Path(f"{state}-requests").read_bytes())
    before = seen(store)
    request(store, 2)
    both = Path(f"{state}-requests").read_bytes()
    for cut in (whole, whole + 1, whole + _HEAD.size, whole + _HEAD.size + 1, len(both) - 1):
        copy = killed(state, tmp_path / str(cut))
        Path(f"{copy}-requests").write_bytes(both[:cut])
        again = Store(str(copy))
        assert seen(again) == before
        again.close()
    copy = killed(state, tmp_path / "damaged")
    Path(f"{copy}-requests").write_bytes(both[:-1] + bytes([both[-1] ^ 1]))
    again = Store(str(copy))
    assert seen(again) == before
    again.close()
    store.close()


def test_records_of_what_is_in_the_file_are_not_executed_again(state: Path, tmp_path: Path) -> None:
    """The process may end between the commit of a group and the emptying of its journal."""
    store = Store(str(state))
    for each in range(127):
        request(store, each)
    journal = Path(f"{state}-requests").read_bytes()
    request(store, 127)
    assert Path(f"{state}-requests").read_bytes() == b""
    copy = killed(state, tmp_path / "later")
    Path(f"{copy}-requests").write_bytes(journal)
    again = Store(str(copy))
    assert seen(again) == seen(store)
    again.close()
    store.close()


def test_a_sandbox_that_was_told_to_stop_leaves_one_file(state: Path, tmp_path: Path) -> None:
    store = Store(str(state))
    request(store, 1)
    before = seen(store)
    store.close()
    assert [each.name for each in tmp_path.iterdir()] == [state.name]
    again = Store(str(state))
    assert seen(again) == before
    again.close()
