# SPDX-License-Identifier: GPL-3.0-or-later
"""dsm_certificate against a NAS that really changes the certificate it shows."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tars_lab.dsm_twin.install import make_certificate

pytestmark = pytest.mark.integration

Twin = Any  # of conftest.py


@pytest.fixture
def desired(tmp_path: Path) -> dict[str, Any]:
    make_certificate(tmp_path / "nas.crt", tmp_path / "nas.key", "nas.home.arpa", ["127.0.0.1"])
    return {
        "description": "household",
        "certificate_path": str(tmp_path / "nas.crt"),
        "private_key_path": str(tmp_path / "nas.key"),
    }


def leaf(twin: Twin) -> str:
    der = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", twin.port)))
    return hashlib.sha256(der).hexdigest()


def test_check_then_run_then_run_again_under_the_old_fingerprint(twin: Twin, desired: dict[str, Any]) -> None:
    planned = twin.run("dsm_certificate", check=True, **desired)
    assert (planned["fingerprint"], leaf(twin)) == (twin.fingerprint, twin.fingerprint)
    done = twin.run("dsm_certificate", **desired)
    for key in ("changed", "changes", "diff", "certificates"):
        assert planned[key] == done[key]
    assert done["fingerprint"] == leaf(twin) != twin.fingerprint
    assert "PRIVATE KEY" not in str(done)
    second = twin.run("dsm_certificate", **desired)
    assert (second["changed"], second["fingerprint"]) == (False, leaf(twin))
    assert twin.count("SYNO.API.Auth.login") == 0
    shown = twin.run("dsm_info", gather=["system"], fingerprint=done["fingerprint"])
    assert shown["system"]["serial"] == "LAB0000001"


def test_a_renewed_certificate_replaces_the_old_one(twin: Twin, desired: dict[str, Any], tmp_path: Path) -> None:
    twin.faults.add("drop_after_write", on="SYNO.Core.Certificate.import")
    first = twin.run("dsm_certificate", **desired)
    assert (first["changed"], first["fingerprint"], twin.faults.listed()) == (True, leaf(twin), [])
    make_certificate(tmp_path / "nas.crt", tmp_path / "nas.key", "nas.home.arpa", ["127.0.0.1"])
    second = twin.run("dsm_certificate", **{**desired, "fingerprint": first["fingerprint"]})
    assert second["changes"][0].startswith("replace the certificate 'household'")
    assert second["fingerprint"] == leaf(twin) != first["fingerprint"]
    assert len(twin.state["certificates"]) == 2


def test_the_first_fingerprint_and_the_authority_serve_before_and_after(twin: Twin, tmp_path: Path) -> None:
    desired = {"description": "household", **signed_by_household(tmp_path)}
    trust = {"ca_path": str(tmp_path / "authority.crt")}
    assert twin.run("dsm_certificate", **desired, **trust)["changed"] is True
    assert leaf(twin) != twin.fingerprint
    # The fingerprint of the connection is still the one of the certificate that DSM came with.
    assert twin.run("dsm_info", gather=["system"], **trust)["system"]["serial"] == "LAB0000001"
    assert twin.run("dsm_certificate", **desired, **trust)["changed"] is False
    refused = twin.run("dsm_info", gather=["system"])
    assert f"shows the certificate {leaf(twin)}" in refused["msg"]
    elsewhere = twin.run("dsm_info", gather=["system"], host="localhost", **trust)
    assert "does not verify it (Hostname mismatch" in elsewhere["msg"]
    assert twin.calls == []


def signed_by_household(folder: Path) -> dict[str, str]:
    """A household authority made by openssl, and the options for a certificate that it signed for 127.0.0.1."""
    for command in (
        "req -x509 -newkey rsa:2048 -noenc -days 2 -subj /CN=Household -keyout authority.key -out authority.crt",
        "req -newkey rsa:2048 -noenc -subj /CN=nas.home.arpa -keyout nas.key -out nas.csr",
        "x509 -req -in nas.csr -CA authority.crt -CAkey authority.key -days 1 -extfile names -out nas.crt",
    ):
        (folder / "names").write_text("subjectAltName = IP:127.0.0.1, DNS:nas.home.arpa\n")
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    return {"certificate_path": str(folder / "nas.crt"), "private_key_path": str(folder / "nas.key")}


def test_files_that_do_not_belong_together_are_never_sent(twin: Twin, desired: dict[str, Any], tmp_path: Path) -> None:
    make_certificate(tmp_path / "other.crt", tmp_path / "other.key", "other", [])
    result = twin.run("dsm_certificate", **{**desired, "private_key_path": str(tmp_path / "other.key")})
    assert "expected the unencrypted key of" in result["msg"]
    assert twin.calls == []
