# SPDX-License-Identifier: GPL-3.0-or-later
import http.server
import threading

import pytest
from ansible_collections.tars.home.plugins.module_utils.checks import http_probe as page


@pytest.fixture
def served(tls):
    """A page over TLS, certified for localhost: its port, and the statuses of its next answers; the last one stays."""
    context, _ = tls
    statuses = [200]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(f"told with {status}".encode())

        def log_message(self, format, *arguments): ...

    class Server(http.server.ThreadingHTTPServer):
        def get_request(self):
            connection, address = super().get_request()
            return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

        def handle_error(self, request, client_address):
            # A client that refuses the certificate ends the handshake; the test looks at the client.
            ...

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1], statuses
        server.shutdown()
        thread.join()


def test_a_page_answers_with_no_proxy_asked(served, tls, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    assert page.read(f"https://localhost:{served[0]}/", str(tls[1]), 10) == (True, "told with 200")


@pytest.mark.parametrize("status", [404, 503])
def test_an_error_is_no_answer(served, tls, status):
    served[1][:] = [status]
    assert page.read(f"https://localhost:{served[0]}/", str(tls[1]), 10) == (False, f"{status} told with {status}")


def test_the_given_authority_alone_is_trusted(served, stranger, tmp_path):
    def refused(host, ca):
        ok, found = page.read(f"https://{host}:{served[0]}/", ca, 10)
        assert not ok
        return found

    assert "CERTIFICATE_VERIFY_FAILED" in refused("localhost", stranger)
    assert "CERTIFICATE_VERIFY_FAILED" in refused("localhost", None)
    assert "No such file" in refused("localhost", str(tmp_path / "none.pem"))
    (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert refused("localhost", str(tmp_path / "broken.pem"))


def test_a_certificate_for_another_name_is_refused(served, tls):
    ok, found = page.read(f"https://127.0.0.1:{served[0]}/", str(tls[1]), 10)
    assert not ok and "127.0.0.1" in found


def test_a_page_may_need_some_moments(served, tls):
    url, ca = f"https://localhost:{served[0]}/", str(tls[1])
    served[1][:] = [503, 502, 200]
    assert page.settled(url, ca, times=3, pause_s=0) == (True, "told with 200")
    served[1][:] = [503, 502, 200]
    assert page.settled(url, ca, times=2, pause_s=0) == (False, "502 told with 502")
