# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tars.home.plugins.module_utils.checks import http_probe

Tls = tuple[ssl.SSLContext, Path]
Served = tuple[int, list[int]]


@pytest.fixture
def served(tls: Tls) -> Iterator[Served]:
    """A page over TLS, certified for localhost: its port, and the statuses of its next answers; the last one stays."""
    context, _ = tls
    statuses = [200]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(f"answered with {status}".encode())

        def log_message(self, format: str, *arguments: Any) -> None: ...

    class Server(http.server.ThreadingHTTPServer):
        def get_request(self) -> Any:
            connection, address = super().get_request()
            return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

        def handle_error(self, request: Any, client_address: Any) -> None:
            # A client that refuses the certificate ends the handshake; the test examines the client.
            ...

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1], statuses
        server.shutdown()
        thread.join()


def test_a_page_answers_with_no_proxy_asked(served: Served, tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    assert http_probe.read(f"https://localhost:{served[0]}/", str(tls[1]), 60) == (True, "answered with 200")


@pytest.mark.parametrize("status", [404, 503])
def test_an_error_is_not_an_answer(served: Served, tls: Tls, status: int) -> None:
    served[1][:] = [status]
    assert http_probe.read(f"https://localhost:{served[0]}/", str(tls[1]), 60) == (
        False,
        f"{status} answered with {status}",
    )


def test_only_the_given_authority_is_trusted(served: Served, stranger: str, tmp_path: Path) -> None:
    def refused(host: str, ca: str | None) -> str:
        ok, output = http_probe.read(f"https://{host}:{served[0]}/", ca, 60)
        assert not ok
        return output

    assert "CERTIFICATE_VERIFY_FAILED" in refused("localhost", stranger)
    assert "CERTIFICATE_VERIFY_FAILED" in refused("localhost", None)
    assert "No such file" in refused("localhost", str(tmp_path / "none.pem"))
    (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert refused("localhost", str(tmp_path / "broken.pem"))


def test_a_certificate_for_another_name_is_refused(served: Served, tls: Tls) -> None:
    ok, output = http_probe.read(f"https://127.0.0.1:{served[0]}/", str(tls[1]), 60)
    assert not ok and "127.0.0.1" in output


def test_a_page_that_starts_is_requested_again(served: Served, tls: Tls) -> None:
    url, ca = f"https://localhost:{served[0]}/", str(tls[1])
    served[1][:] = [503, 502, 200]
    assert http_probe.settled(url, ca, times=3, pause_s=0) == (True, "answered with 200")
    served[1][:] = [503, 502, 200]
    assert http_probe.settled(url, ca, times=2, pause_s=0) == (False, "502 answered with 502")
