# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that take alarms: one of HTTP, and one of SMTP (RFC 5321) with STARTTLS (RFC 3207) and logins (RFC 4954)."""

from __future__ import annotations

import base64
import email
import email.policy
import http.server
import json
import socketserver
import ssl
import threading
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any


class HttpReceiver:
    """An HTTP server that records its requests; `status` is its answer, `delay_s` the time before it."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.requests: list[dict[str, Any]] = []
        self.status = 200
        self.delay_s = 0.0
        self.location = ""
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append({"path": self.path, "headers": headers, "body": body.decode()})
                time.sleep(receiver.delay_s)
                self.send_response(receiver.status)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.end_headers()

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.url = f"http://{address}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def documents(self) -> list[dict[str, Any]]:
        """Return the JSON objects that were posted."""
        return [json.loads(request["body"]) for request in self.requests]

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()


class MailReceiver:
    """An SMTP server on loopback that records its mail, how each was sent, and who logged in."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.encrypted: list[bool] = []
        self.login: tuple[str, str] | None = None
        self.silent = False
        self.refused: tuple[str, ...] = ()
        self.code = 250
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if certificate else None
        if self.context and certificate:
            self.context.load_cert_chain(certificate)
        receiver = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                _Session(receiver, self).run()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()


class _Session:
    """One connection."""

    def __init__(self, receiver: MailReceiver, handler: socketserver.StreamRequestHandler) -> None:
        self.receiver = receiver
        self.connection = handler.request
        self.file = self.connection.makefile("rb")
        self.encrypted = False
        self.recipients: list[str] = []

    def say(self, *lines: str) -> None:
        text = "".join(f"{line}\r\n" for line in lines)
        self.connection.sendall(text.encode())

    def run(self) -> None:
        while self.receiver.silent:
            time.sleep(0.05)
        self.say("220 receiver.test")
        while line := self.file.readline().decode().strip():
            verb, _, rest = line.partition(" ")
            if not getattr(self, f"on_{verb.lower()}")(rest):
                return

    def on_ehlo(self, rest: str) -> bool:
        options = ["250-receiver.test", "250-AUTH PLAIN"]
        if self.receiver.context and not self.encrypted:
            options.append("250-STARTTLS")
        self.say(*options, "250 8BITMIME")
        return True

    def on_starttls(self, rest: str) -> bool:
        assert self.receiver.context
        self.say("220 go ahead")
        self.connection = self.receiver.context.wrap_socket(self.connection, server_side=True)
        self.file = self.connection.makefile("rb")
        self.encrypted = True
        return True

    def on_auth(self, rest: str) -> bool:
        _, user, password = base64.b64decode(rest.split(" ")[1]).decode().split("\0")
        good = (user, password) == self.receiver.login
        self.say("235 welcome" if good else "535 wrong password")
        return True

    def on_mail(self, rest: str) -> bool:
        self.say(f"{self.receiver.code} answer")
        return True

    def on_rcpt(self, rest: str) -> bool:
        recipient = rest.removeprefix("TO:").strip("<>")
        if recipient in self.receiver.refused:
            self.say("550 no such mailbox")
            return True
        self.recipients.append(recipient)
        self.say("250 yes")
        return True

    def on_data(self, rest: str) -> bool:
        self.say("354 go ahead")
        lines = []
        while (line := self.file.readline()) != b".\r\n":
            lines.append(line.removeprefix(b"."))
        self.receiver.mails.append(email.message_from_bytes(b"".join(lines), policy=email.policy.default))
        self.receiver.recipients.append(self.recipients)
        self.receiver.encrypted.append(self.encrypted)
        self.say("250 taken")
        return True

    def on_rset(self, rest: str) -> bool:
        self.say("250 yes")
        return True

    def on_quit(self, rest: str) -> bool:
        self.say("221 bye")
        return False
