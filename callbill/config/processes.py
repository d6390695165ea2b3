"""Several programs under one parent: started, watched, and stopped together, whatever happens.

A person's Ctrl-C reaches only the parent, because every child leads a session of its own; the parent
then asks the children to end, last started first. Should the parent itself be killed, Linux tells the
children (`main` below asks for that before it becomes the program it was given).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from urllib.parse import urlsplit

_PR_SET_PDEATHSIG = 1  # prctl(2)
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE_SECONDS = 20


class StopAsked(BaseException):
    """Somebody wants everything to stop; not an Exception, so that nothing swallows it on the way."""


class ProgramEnded(Exception):
    """A program that should run on has ended, or did not come up."""


@dataclass(frozen=True)
class Program:
    """A program to run: what it is called, its words, and the address that answers once it is up."""

    name: str
    words: Sequence[str]
    answers_at: str = ""


class Supervisor:
    """The parent. `say` is told, in a sentence, what is going on."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._running: list[tuple[Program, subprocess.Popen[bytes]]] = []

    def start(self, program: Program, *, seconds: int = 30) -> None:
        """Start `program` and wait until it answers. Raises ProgramEnded if it does not within `seconds`."""
        words = [sys.executable, "-m", "callbill.config.processes", str(os.getpid()), *program.words]
        process = subprocess.Popen(words, start_new_session=True, stdin=subprocess.DEVNULL)
        self._running.append((program, process))
        if not program.answers_at:
            return
        deadline = time.monotonic() + seconds
        while not answers(program.answers_at):
            self.check()
            if time.monotonic() > deadline:
                raise ProgramEnded(f"The {program.name} did not answer within {seconds} seconds.")
            time.sleep(0.1)

    def check(self) -> None:
        """Raises ProgramEnded if one of the programs has ended."""
        for program, process in self._running:
            code = process.poll()
            if code is not None:
                how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
                raise ProgramEnded(f"The {program.name} {how}; its last words are above.")

    def watch(self) -> None:
        """Wait until one of the programs ends (ProgramEnded) or somebody asks to stop (StopAsked)."""
        while True:
            self.check()
            time.sleep(0.2)

    def stop(self) -> None:
        """End every program, last started first; one that does not listen is killed with its children."""
        while self._running:
            program, process = self._running.pop()
            if process.poll() is None:
                self._say(f"Stopping the {program.name}")
                process.terminate()
                try:
                    process.wait(_GRACE_SECONDS)
                except subprocess.TimeoutExpired:
                    self._say(f"The {program.name} does not stop by itself; killing it")
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # also what a dead leader left behind
            process.wait()


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Inside, SIGINT, SIGTERM and SIGHUP raise StopAsked once; later ones find us stopping already."""

    def asked(number: int, frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise StopAsked

    before = {each: signal.signal(each, asked) for each in _SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def port_is_free(port: int) -> bool:
    """Whether a server could listen on `port` of the loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as problem:
            if problem.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def answers(address: str) -> bool:
    """Whether something at `address` answers a GET with anything but an error of its own."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "localhost", parts.port, timeout=5)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main(words: Sequence[str]) -> None:
    """Become the program `words[1:]`, which is told to end when the parent `words[0]` has died."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(words[0]):
        sys.exit("The parent has gone already.")
    os.execv(words[1], list(words[1:]))  # noqa: S606 no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
