"""A mail server that takes every letter and remembers it; enough of RFC 5321 for smtplib.

It listens at several doors, one for each way (`WAYS`) in which a mail server can fail a letter; whoever comes
to another door is served well. What was taken is remembered of all doors together.
"""

from __future__ import annotations

import functools
import socketserver
import threading
from email import message_from_bytes

WELL = "well"
# How it fails: before a letter is taken, or ("taken ...") only in saying that it was.
WAYS = (
    "greeting refused",
    "550",
    "451",
    "gone in DATA",
    "silence",
    "taken, 250 lost",
    "taken, then silence",
)
# Who has no box here, at no door.
NOBODY_HERE = "nobody@"


class _Session(socketserver.StreamRequestHandler):
    server: _Door

    def handle(self) -> None:
        way = self.server.way
        if way == "silence":
            self._wait_until_they_leave()
            return
        if way == "greeting refused":
            self._say("554 no mail today")
            return
        self._say("220 at your service")
        while line := self.rfile.readline():
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                self._say("354 go on")
                if way == "gone in DATA" or not self._letter():
                    return  # gone in the middle, we or they: nothing was taken
                if way == "taken, 250 lost":
                    return
                if way == "taken, then silence":
                    self._wait_until_they_leave()
                    return
                self._say("451 try again later" if way == "451" else "250 taken")
            elif verb == b"QUIT":
                self._say("221 bye")
                return
            elif verb == b"RCPT" and (way == "550" or NOBODY_HERE.encode() in line):
                self._say("550 no such box")
            else:
                self._say("250 fine")

    def _letter(self) -> bool:
        lines = []
        while line := self.rfile.readline():
            if line == b".\r\n":
                if self.server.way != "451":
                    self.server.letters.append(str(message_from_bytes(b"".join(lines))["Message-ID"]))
                return True
            lines.append(line)
        return False

    def _wait_until_they_leave(self) -> None:
        while self.rfile.readline():
            pass

    def _say(self, words: str) -> None:
        try:
            self.wfile.write(f"{words}\r\n".encode())
        except OSError:
            return  # nobody listens any more


class _Door(socketserver.ThreadingTCPServer):
    daemon_threads = True
    way: str
    letters: list[str]

    def handle_error(self, request: object, client_address: object) -> None:
        """They left in the middle: that is what is tried here."""


class MailServer:
    """The doors, open until this process ends; the Message-IDs that were taken, one a letter."""

    def __init__(self) -> None:
        self.letters: list[str] = []
        self._doors = {way: self._door(way) for way in (WELL, *WAYS)}

    def _door(self, way: str) -> _Door:
        door = _Door(("127.0.0.1", 0), _Session)
        door.way, door.letters = way, self.letters
        threading.Thread(target=door.serve_forever, daemon=True).start()
        return door

    def port(self, way: str = WELL) -> int:
        """Of the door where letters fare so."""
        return int(self._doors[way].server_address[1])


@functools.cache
def mail_server() -> MailServer:
    """The one of this process; its forks come to it, too."""
    return MailServer()
