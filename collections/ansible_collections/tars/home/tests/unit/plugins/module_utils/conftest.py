# SPDX-License-Identifier: GPL-3.0-or-later
"""A scripted NAS on loopback: it gives the answers of a test over TLS and records the requests."""

from __future__ import annotations

import datetime
import hashlib
import http.server
import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client
from ansible_collections.tars.home.plugins.module_utils.dsm.client.session import SessionStore
from ansible_collections.tars.home.plugins.module_utils.dsm.client.transport import Endpoint, Transport
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, settings

# The same as in tests/conftest.py, for runs of the collection alone.
EXAMPLES = os.environ.get("TARS_EXAMPLES")
settings.register_profile(
    "tars",
    deadline=None,
    derandomize=not EXAMPLES,
    max_examples=int(EXAMPLES or 100),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tars")

# As SYNO.API.Info of DSM 7.0-41222 answers.
APIS = {
    "SYNO.API.Auth": {"path": "entry.cgi", "minVersion": 1, "maxVersion": 7},
    "SYNO.DSM.Info": {"path": "entry.cgi", "minVersion": 2, "maxVersion": 2, "requestFormat": "JSON"},
    "SYNO.Core.Share": {"path": "entry.cgi", "minVersion": 1, "maxVersion": 1, "requestFormat": "JSON"},
    "SYNO.Core.FileServ.NFS": {"path": "entry.cgi", "minVersion": 1, "maxVersion": 3, "requestFormat": "JSON"},
}
DROP = "drop the connection instead of answering"
CRASH = "answer as the gateway does when the program behind it died"


@dataclass
class Request:
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]


@dataclass
class Nas:
    """`answers` maps "API.method" to what comes next: data, an error code (int), DROP or CRASH; the last one stays."""

    port: int = 0
    fingerprint: str = ""
    certificate: str = ""
    apis: dict[str, Any] = field(default_factory=lambda: {name: dict(entry) for name, entry in APIS.items()})
    answers: dict[str, list[Any]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    connections: int = 0

    def asked(self, call: str) -> list[Request]:
        return [request for request in self.requests if f"{request.form['api']}.{request.form['method']}" == call]

    def answer(self, request: Request) -> Any:
        call = f"{request.form['api']}.{request.form['method']}"
        if call in self.answers:
            scripted = self.answers[call]
            return scripted.pop(0) if len(scripted) > 1 else scripted[0]
        if call == "SYNO.API.Info.query":
            return {name: self.apis[name] for name in request.form["query"].split(",") if name in self.apis}
        if call == "SYNO.API.Auth.login":
            return {"sid": f"sid{len(self.asked(call))}", "synotoken": "token"}
        return {}


def self_signed(path: Path, key_path: Path) -> None:
    """Write a certificate for localhost that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@pytest.fixture
def stranger(tmp_path: Path) -> str:
    """The certificate of an authority that no client trusts."""
    self_signed(tmp_path / "stranger.pem", tmp_path / "stranger.key")
    return str(tmp_path / "stranger.pem")


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    folder = tmp_path_factory.mktemp("tls")
    self_signed(folder / "cert.pem", folder / "key.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, folder / "cert.pem"


@pytest.fixture
def nas(tls: tuple[ssl.SSLContext, Path]) -> Iterator[Nas]:
    context, certificate = tls
    nas = Nas(
        certificate=str(certificate),
        fingerprint=hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest(),
    )

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one segment, else each answer waits for an acknowledgement

        def do_POST(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            request = Request(
                parts.path,
                dict(parse_qsl(parts.query)),
                dict(parse_qsl(body, keep_blank_values=True)),
                {key.lower(): value for key, value in self.headers.items()},
            )
            nas.requests.append(request)
            answer = nas.answer(request)
            if answer == DROP:
                self.close_connection = True
                return
            status, text = 200, json.dumps({"success": True, "data": answer})
            if isinstance(answer, int):
                text = json.dumps({"success": False, "error": {"code": answer}})
            elif answer == CRASH:
                status, text = 502, "<html>Bad gateway</html>"
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *arguments: Any) -> None: ...

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def get_request(self) -> Any:
            connection, address = super().get_request()
            nas.connections += 1
            return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

        def handle_error(self, request: Any, client_address: Any) -> None:
            # A client that refuses the certificate ends the handshake; the test checks the client.
            ...

    server = Server(("127.0.0.1", 0), Handler)
    nas.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield nas
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def connect(nas: Nas) -> Callable[..., Client]:
    def connect(session_file: Path | None = None, password: str = "right", **endpoint: Any) -> Client:
        if not endpoint:
            endpoint = {"fingerprint": nas.fingerprint}
        store = SessionStore(str(session_file) if session_file else None)
        nas_endpoint = Endpoint("localhost", nas.port, timeout_s=10, **endpoint)
        return Client(Transport(nas_endpoint), store, "tars-admin", password, sleep=nas.slept.append)

    return connect
