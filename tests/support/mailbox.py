"""A real SMTP server for tests: EHLO, STARTTLS, AUTH, and mails kept as they came. Knows nothing of alerts."""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, NamedTuple

from tests.support.tls import Certificate


class Mail(NamedTuple):
    """One mail as the server took it."""

    sender: str
    receivers: list[str]
    message: EmailMessage
    encrypted: bool
    user: str


class Mailbox(socketserver.ThreadingTCPServer):
    """Listens on loopback. `refuse` maps a verb (or a receiver) to the answer it gets instead; `password` is asked for
    when there is one."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, certificate: Certificate | None, password: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.context: ssl.SSLContext | None = None
        if certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate.cert, certificate.key)
        self.password = password
        self.mails: list[Mail] = []
        self.refuse: dict[str, str] = {}

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves in the middle is part of some tests."""


class _Session(socketserver.StreamRequestHandler):
    server: Mailbox
    timeout = 10

    def handle(self) -> None:
        self.encrypted, self.user = False, ""
        self.envelope: tuple[str, list[str]] = ("", [])
        self.say("220 mailbox.test ESMTP")
        while True:
            line = self.rfile.readline().decode("utf-8", "replace").rstrip("\r\n")
            verb = line.partition(" ")[0].upper()
            if not line or verb == "QUIT":
                self.say("221 bye")
                return
            if verb in self.server.refuse:
                self.say(self.server.refuse[verb])
            else:
                self.answer(verb, line)

    def finish(self) -> None:
        super().finish()
        self.connection.close()  # another object than the server's, once it is encrypted

    def say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")

    def answer(self, verb: str, line: str) -> None:
        match verb:
            case "EHLO":
                offered = ["mailbox.test", "SMTPUTF8", "8BITMIME"]
                offered += ["STARTTLS"] if self.server.context and not self.encrypted else []
                offered += ["AUTH PLAIN"] if self.server.password and self.encrypted else []
                for text in offered[:-1]:
                    self.say(f"250-{text}")
                self.say(f"250 {offered[-1]}")
            case "STARTTLS":
                self.start_tls()
            case "AUTH":
                _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
                good = password == self.server.password
                self.user = user if good else ""
                self.say("235 ok" if good else "535 5.7.8 wrong")
            case "MAIL":
                if self.server.password and not self.user:
                    self.say("530 5.7.0 authenticate first")
                else:
                    self.envelope = (between(line), [])
                    self.say("250 ok")
            case "RCPT":
                receiver = between(line)
                if receiver in self.server.refuse:
                    self.say(self.server.refuse[receiver])
                else:
                    self.envelope[1].append(receiver)
                    self.say("250 ok")
            case "DATA":
                self.say("354 go on")
                self.keep()
            case _:
                self.say("250 ok" if verb in ("RSET", "NOOP") else "500 what?")

    def start_tls(self) -> None:
        assert self.server.context is not None
        self.say("220 go on")
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)
        self.encrypted = True

    def keep(self) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        message = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.server.mails.append(Mail(*self.envelope, message, self.encrypted, self.user))
        self.say("250 kept")


def between(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]


@contextmanager
def mailbox(certificate: Certificate | None = None, password: str = "") -> Iterator[Mailbox]:
    """A running server."""
    server = Mailbox(certificate, password)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
