# SPDX-License-Identifier: GPL-3.0-or-later
"""Replay a recording as a server: HTTPS on loopback, for any client of DSM's Web API."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import ipaddress
import json
import ssl
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tars_provision.nas_facts.recorder import COMPOUND, Exchange, parameters, split

NOT_RECORDED = 103
"""Error code for a call that the recording does not have, as if DSM had no such method."""


@dataclass(frozen=True)
class Place:
    """Where a recording answers: its certificate's SHA-256 is `fingerprint`; `missing` is what it was asked in vain."""

    port: int
    fingerprint: str
    missing: list[str]


@contextlib.contextmanager
def served(calls: Sequence[Exchange]) -> Iterator[Place]:
    """Answer as recorded for as long as the context lasts."""
    missing: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet, or the client waits for the second

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            form = dict(parse_qsl(body, keep_blank_values=True)) or dict(parse_qsl(urlsplit(self.path).query))
            text = json.dumps(answer(calls, form, missing)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *arguments: Any) -> None:
            return

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    fingerprint = _make_certificate(context)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield Place(server.server_port, fingerprint, missing)
        finally:
            server.shutdown()
            thread.join()


def answer(calls: Sequence[Exchange], form: dict[str, str], missing: list[str]) -> Any:
    """Return the recorded answer to a form: of this version, else of another one, else the refusal."""
    api, method, version = form.get("api", ""), form.get("method", ""), int(form.get("version") or 0)
    if api == "SYNO.API.Info":
        return {"success": True, "data": _apis(calls, form.get("query", "all"))}
    if api == "SYNO.API.Auth":
        fitting = [call for call in calls if (call.api, call.method) == (api, method) and call.answer.get("success")]
        return fitting[0].answer if fitting else {"success": True}
    asked = parameters(form)
    if api == COMPOUND:
        return _together(calls, asked.get("compound", []), missing)
    return _recorded(calls, (api, method, version, asked), missing)


def _recorded(calls: Sequence[Exchange], asked: tuple[str, str, int, dict[str, Any]], missing: list[str]) -> Any:
    api, method, version, params = asked
    fitting = [call for call in calls if (call.api, call.method, call.params) == (api, method, params)]
    if fitting:
        return min(fitting, key=lambda call: abs(call.version - version)).answer
    missing.append(f"{api} {method} {json.dumps(params)}")
    return {"success": False, "error": {"code": NOT_RECORDED}}


def _together(calls: Sequence[Exchange], parts: Sequence[dict[str, Any]], missing: list[str]) -> Any:
    """Return several answers in one, unless the NAS refused compound requests."""
    refused = [call.answer for call in calls if call.api == COMPOUND and not call.answer.get("success")]
    if refused:
        return refused[0]
    named = [{name: part[name] for name in ("api", "method", "version")} for part in parts]
    answers = [{**name, **_recorded(calls, split(part), missing)} for name, part in zip(named, parts, strict=True)]
    return {"success": True, "data": {"has_fail": not all(part.get("success") for part in answers), "result": answers}}


def _apis(calls: Sequence[Exchange], query: str) -> dict[str, Any]:
    """Return the APIs in all recorded answers, limited to those that the query names."""
    known: dict[str, Any] = {}
    for call in calls:
        if call.api == "SYNO.API.Info" and call.answer.get("success"):
            known |= call.answer["data"]
    names = known if query == "all" else [name.strip().strip('"') for name in query.strip('"').split(",")]
    return {name: known[name] for name in names if name in known}


def _make_certificate(context: ssl.SSLContext) -> str:
    """Give the server a certificate for the day; return its SHA-256."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "recording")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    no_password = serialization.NoEncryption()
    with tempfile.TemporaryDirectory() as private:
        path = Path(private) / "both.pem"
        path.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password)
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context.load_cert_chain(path)
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()
