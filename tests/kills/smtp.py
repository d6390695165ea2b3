"""A mail server that takes every letter and remembers it; enough of RFC 5321 for smtplib."""

from __future__ import annotations

import socketserver
import threading
from email import message_from_bytes


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self._say("220 at your service")
        while line := self.rfile.readline():
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                self._say("354 go on")
                if not self._letter():
                    return  # the sender is gone in the middle: nothing was taken
                self._say("250 taken")
            elif verb == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _letter(self) -> bool:
        lines = []
        while line := self.rfile.readline():
            if line == b".\r\n":
                message_id = str(message_from_bytes(b"".join(lines))["Message-ID"])
                self.server.letters.append(message_id)  # type: ignore[attr-defined]
                return True
            lines.append(line)
        return False

    def _say(self, words: str) -> None:
        try:
            self.wfile.write(f"{words}\r\n".encode())
        except OSError:
            return  # nobody listens any more


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    letters: list[str]


def mail_server() -> tuple[int, list[str]]:
    """Start one, until this process ends; its port, and the Message-IDs it took, one a letter."""
    server = _Server(("127.0.0.1", 0), _Session)
    server.letters = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1], server.letters
