# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates: imported as a form with files, made the default, assigned to services, and used by the web server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tars_lab.dsm_twin.apis import certificate
from tars_lab.dsm_twin.install import make_certificate
from tars_lab.dsm_twin.listen import listener, tls_server
from tars_lab.dsm_twin.server import application

from ...waiting import wait_for

API = "SYNO.Core.Certificate"


@pytest.fixture
def pem(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    def made(name: str) -> dict[str, str]:
        make_certificate(tmp_path / "made.crt", tmp_path / "made.key", name, ["10.77.0.20"])
        return {"key": (tmp_path / "made.key").read_text(), "cert": (tmp_path / "made.crt").read_text()}

    return made


@pytest.fixture
def first(nas: Any, pem: Callable[[str], dict[str, str]]) -> dict[str, str]:
    own = pem("ds1515plus")
    certificate.first_start(nas, own["cert"])
    return own


def send(dsm: Any, files: dict[str, str], **fields: str) -> Any:
    query = {"api": API, "method": "import", "version": "1", **dsm.session}
    parts = {name: (f"{name}.pem", text, "application/octet-stream") for name, text in files.items()}
    answer = dsm.http.post("/webapi/entry.cgi", params=query, files=parts, data={"id": "", "desc": "", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def rows(dsm: Any) -> dict[str, Any]:
    return {row["desc"]: row for row in dsm.data(f"{API}.CRT", "list")["certificates"]}


def test_an_imported_default_gets_the_services(first: Any, dsm: Any, pem: Any, tmp_path: Path) -> None:
    assert rows(dsm)[""]["is_default"] is True
    answer = send(dsm, pem("nas.home.arpa"), desc="household", as_default="true")
    assert answer["success"] is True and answer["data"]["restart_httpd"] is True
    by_description = rows(dsm)
    new = by_description["household"]
    assert (new["id"], new["is_default"], by_description[""]["is_default"]) == (answer["data"]["id"], True, False)
    assert new["subject"] == {"common_name": "nas.home.arpa", "sub_alt_name": ["nas.home.arpa", "10.77.0.20"]}
    assert [service["service"] for service in new["services"]] == ["default", "ftpd"]
    assert "BEGIN PRIVATE KEY" in (tmp_path / "var/lib/dsm-twin/shown.pem").read_text()
    assert "PRIVATE KEY" not in str(by_description)


def test_an_import_that_replaces_another_keeps_its_services(first: Any, dsm: Any, pem: Any) -> None:
    identity = send(dsm, pem("a"), desc="household", as_default="true")["data"]["id"]
    again = send(dsm, pem("b"), desc="household", id=identity)["data"]
    assert again == {"id": identity, "restart_httpd": True}
    row = rows(dsm)["household"]
    assert (row["subject"]["common_name"], row["is_default"], len(row["services"])) == ("b", True, 2)
    assert send(dsm, pem("c"), desc="other")["data"]["restart_httpd"] is False
    assert send(dsm, pem("d"), desc="yes", as_default="false")["data"]["restart_httpd"] is True, (
        "any text is taken as true"
    )


def test_errors(first: Any, dsm: Any, nas: Any, pem: Any) -> None:
    good, other = pem("a"), pem("b")
    for files, code in [
        ({**good, "key": "no key"}, 5511),
        ({**good, "cert": "no certificate"}, 5510),
        ({**good, "cert": other["cert"]}, 5514),
        ({**good, "inter_cert": "no certificate"}, 5512),
        ({**good, "inter_cert": other["cert"]}, 5517),
    ]:
        assert send(dsm, files)["error"]["code"] == code
    assert send(dsm, good, id="nobody")["error"]["code"] == 5503
    assert dsm.code(f"{API}.CRT", "import") == 103
    session = nas.sessions.open("tars-admin", True, "10.77.0.1", with_token=False)
    dsm.session = {"_sid": session.sid}
    assert send(dsm, good)["error"]["code"] == 103
    assert dsm.code(f"{API}.CRT", "list") == 103


def test_set_bind_and_delete(first: Any, dsm: Any, pem: Any) -> None:
    identity = send(dsm, pem("a"), desc="household")["data"]["id"]
    old = rows(dsm)[""]
    desktop = next(service for service in old["services"] if service["service"] == "default")
    move = {"service": desktop, "old_id": identity, "id": identity}
    assert dsm.code(f"{API}.Service", "set", settings=[move]) == 5503, "a stale old_id"
    assert dsm.data(f"{API}.Service", "set", settings=[move | {"old_id": old["id"]}]) == {"restart_httpd": True}
    assert rows(dsm)["household"]["services"] == [desktop]
    assert dsm.code(f"{API}.Service", "get") == 103
    assert dsm.code(f"{API}.CRT", "delete", id=identity) == 5503
    assert dsm.code(f"{API}.CRT", "delete", ids=[old["id"]]) == 5503, "the default one stays"
    assert dsm.code(f"{API}.CRT", "set", id=identity, desc="renamed", raw={"as_default": "true"}) == 0
    assert rows(dsm)["renamed"]["is_default"] is True
    assert dsm.code(f"{API}.CRT", "delete", ids=[old["id"]]) == 0
    assert list(rows(dsm)) == ["renamed"]


def leaf(port: int) -> str:
    return ssl.get_server_certificate(("127.0.0.1", port))


def test_the_default_certificate_is_used_after_a_restart_that_ends_connections(
    first: dict[str, str], nas: Any, dsm: Any, pem: Any, tmp_path: Path
) -> None:
    (tmp_path / "cert.pem").write_text(first["cert"])
    (tmp_path / "key.pem").write_text(first["key"])
    bound = listener(0, "127.0.0.1")
    server = tls_server(application(nas), tmp_path / "cert.pem", tmp_path / "key.pem")
    nas.effects.restart_web = server.show
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])))
    thread.start()
    try:
        port = bound.getsockname()[1]
        assert leaf(port) == first["cert"]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", port)) as plain, context.wrap_socket(plain) as idle:
            new = pem("nas.home.arpa")
            assert send(dsm, new, as_default="true")["data"]["restart_httpd"] is True
            idle.settimeout(60)
            # No request was sent, so only the end of the connection can end this wait, with an error or without one.
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                assert idle.recv(1) == b""
        wait_for(lambda: leaf(port) == new["cert"], "the new certificate")
    finally:
        server.should_exit = True
        thread.join()
