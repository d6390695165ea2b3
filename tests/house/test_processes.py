"""The supervisor: everything starts and ends together, also when something is killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from callbill.config.commands import demo
from callbill.config.processes import Program, ProgramEnded, Supervisor, answers, port_is_free
from tests.house.rules_of_the_house import ROOT

# Writes its process id where it is told, and stays until it is ended; its own child stays too.
LODGER = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1], "w").write(f"{os.getpid()} {child.pid}")
time.sleep(60)
"""
HOUSEHOLDER = """
import sys
from callbill.config.processes import Program, StopAsked, Supervisor, stoppable
supervisor = Supervisor(print)
with stoppable():
    try:
        supervisor.start(Program("lodger", (sys.executable, "-c", sys.argv[1], sys.argv[2])))
        supervisor.watch()
    except StopAsked:
        print("asked to stop")
    finally:
        supervisor.stop()
"""


def lives(pid: int) -> bool:
    """Whether a process runs (one that has ended and was not yet collected does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def eventually(fact: Callable[[], bool]) -> bool:
    """Whether `fact` becomes true in good time."""
    deadline = time.monotonic() + 30
    while not fact() and time.monotonic() < deadline:
        time.sleep(0.02)
    return fact()


def pids_in(note: Path) -> list[int]:
    """The process ids that a lodger wrote down."""
    assert eventually(lambda: note.exists() and len(note.read_text().split()) == 2)
    return [int(word) for word in note.read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_when_the_parent_ends_so_do_the_others(number: signal.Signals, tmp_path: Path) -> None:
    note = tmp_path / "pids"
    parent = subprocess.Popen([sys.executable, "-c", HOUSEHOLDER, LODGER, str(note)], cwd=ROOT)
    lodger, child = pids_in(note)

    parent.send_signal(number)
    code = parent.wait(30)

    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    assert eventually(lambda: not lives(lodger))
    if number == signal.SIGKILL:  # nobody was left to end the lodger's own child
        os.kill(child, signal.SIGKILL)
    assert eventually(lambda: not lives(child))


def test_a_program_that_ends_is_reported() -> None:
    supervisor = Supervisor(lambda sentence: None)
    supervisor.start(Program("clerk", (sys.executable, "-c", "raise SystemExit(3)")))
    with pytest.raises(ProgramEnded, match="The clerk ended with exit code 3"):
        supervisor.watch()
    supervisor.stop()


def test_a_program_that_never_answers_is_reported() -> None:
    supervisor = Supervisor(lambda sentence: None)
    silent = Program("clerk", (sys.executable, "-c", "import time; time.sleep(60)"), "http://127.0.0.1:9/")
    with pytest.raises(ProgramEnded, match="did not answer within 1 seconds"):
        supervisor.start(silent, seconds=1)
    supervisor.stop()


def test_a_program_is_waited_for_until_it_answers() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    supervisor = Supervisor(lambda sentence: None)
    address = f"http://127.0.0.1:{port}/"
    server = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port))
    assert not answers(address)
    supervisor.start(Program("clerk", server, address))
    try:
        assert answers(address)
        assert not port_is_free(port)
    finally:
        supervisor.stop()
    assert port_is_free(port)


def test_the_demo_says_which_port_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert f"Port {port} is in use" in demo._refusal(port, with_sandbox=False)
        assert f"Port {port} is in use" in demo._refusal(port - 1, with_sandbox=True)


def test_the_demo_refuses_a_live_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_live_1")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert "live key" in demo._refusal(port, with_sandbox=False)


def test_one_demo_at_a_time_on_a_data_folder(tmp_path: Path) -> None:
    with demo._only_one(tmp_path) as first, demo._only_one(tmp_path) as second:
        assert (first, second) == (True, False)
    with demo._only_one(tmp_path) as again:
        assert again
