# SPDX-License-Identifier: GPL-3.0-or-later
"""First contact with a NAS, over real TLS: which certificates are recorded without a question."""

import json
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from socket import create_server

import pytest
from ansible_collections.tars.home.plugins.module_utils.authority import certificates as authority
from ansible_collections.tars.home.plugins.module_utils.authority import files as authority_files
from click.testing import CliRunner

from tars_provision.cli import main
from tars_provision.controller import trust, vault

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC)
ROOT = authority.Desired("root", authority.scope(["home.arpa"], ["127.0.0.0/24"]), 30)


@pytest.fixture
def site(tmp_path: Path, root: Path, own_home: Path) -> Path:
    """Return a site with its secrets and an authority, whose NAS is at 127.0.0.20."""
    folder = tmp_path / "site"
    folder.mkdir()
    spec = (root / "inventories/lab/tars.yml").read_text().replace("10.77.0.", "127.0.0.")
    (folder / "tars.yml").write_text(spec)
    vault.ensure(folder)
    authority_files.make_root(str(folder / "authority"), "secret", "Household", ROOT, NOW)
    return folder


def issued(folder: Path) -> authority_files.Issued:
    """Return a certificate for the NAS by the authority in a folder."""
    root = authority_files.open_root(str(folder), "secret", NOW)
    assert root is not None
    scope = authority.scope(["nas.home.arpa"], ["127.0.0.20"])
    leaf = authority_files.Issued(str(folder), "nas", authority.Desired("server", scope, 10))
    leaf.issue(root, NOW)
    return leaf


@pytest.fixture
def serve(site: Path) -> Iterator[ssl.SSLContext]:
    """Serve TLS at the NAS's address with the certificate that a test loads into this context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    listener = create_server(("127.0.0.20", 5001))

    def answer() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:  # the client refused the certificate
                connection.close()

    thread = threading.Thread(target=answer)
    thread.start()
    yield context
    listener.shutdown(2)
    listener.close()
    thread.join()


def test_a_certificate_of_the_authority_needs_no_question(site: Path, serve: ssl.SSLContext) -> None:
    leaf = issued(site / "authority")
    serve.load_cert_chain(leaf.path, leaf.key_path)
    trust.record(site, "ds1515plus", "ab" * 32)
    done = CliRunner().invoke(main, ["init", "-i", str(site)])
    assert done.exit_code == 0 and "that the site's authority signed; recorded" in done.output, done.output
    assert trust.recorded(site) == {"ds1515plus": authority.fingerprint(leaf.pem)}


def test_the_doctor_is_not_content_with_the_certificate(site: Path, serve: ssl.SSLContext) -> None:
    leaf = issued(site / "authority")
    serve.load_cert_chain(leaf.path, leaf.key_path)
    trust.record(site, "ds1515plus", authority.fingerprint(leaf.pem))
    done = CliRunner().invoke(main, ["doctor", "--json", "-i", str(site)])
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert not checks["NAS"]["ok"] and not checks["NAS"]["fix"]
    assert "127.0.0.20:5001: found no answer" in checks["NAS"]["found"]
    assert "expected DSM's answer to SYNO.API.Info. Wait until DSM has started" in checks["NAS"]["found"]
    assert not any(check["fix"] for check in checks.values() if check["ok"])


def test_a_certificate_of_another_authority_is_refused(site: Path, tmp_path: Path, serve: ssl.SSLContext) -> None:
    authority_files.make_root(str(tmp_path / "other"), "secret", "Household", ROOT, NOW)
    leaf = issued(tmp_path / "other")
    serve.load_cert_chain(leaf.path, leaf.key_path)
    trust.record(site, "ds1515plus", "ab" * 32)
    done = CliRunner().invoke(main, ["init", "-i", str(site)])
    assert done.exit_code == 1 and "another machine answers at this address" in done.output, done.output
    assert trust.recorded(site) == {"ds1515plus": "ab" * 32}
