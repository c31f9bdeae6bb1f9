# SPDX-License-Identifier: GPL-3.0-or-later
"""dsm_certificate against a NAS that really changes the certificate it shows."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path
from typing import Any

import pytest

from tars_lab.dsm_twin.install import make_certificate

pytestmark = pytest.mark.integration

Twin = Any  # of conftest.py


@pytest.fixture
def wish(tmp_path: Path) -> dict[str, Any]:
    make_certificate(tmp_path / "nas.crt", tmp_path / "nas.key", "nas.home.arpa", ["127.0.0.1"])
    return {
        "description": "household",
        "certificate_path": str(tmp_path / "nas.crt"),
        "private_key_path": str(tmp_path / "nas.key"),
    }


def leaf(twin: Twin) -> str:
    der = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", twin.port)))
    return hashlib.sha256(der).hexdigest()


def test_check_then_run_then_run_again_under_the_old_fingerprint(twin: Twin, wish: dict[str, Any]) -> None:
    planned = twin.run("dsm_certificate", check=True, **wish)
    assert (planned["fingerprint"], leaf(twin)) == (twin.fingerprint, twin.fingerprint)
    done = twin.run("dsm_certificate", **wish)
    for key in ("changed", "changes", "diff", "certificates"):
        assert planned[key] == done[key]
    assert done["fingerprint"] == leaf(twin) != twin.fingerprint
    assert "PRIVATE KEY" not in str(done)
    second = twin.run("dsm_certificate", **wish)
    assert (second["changed"], second["fingerprint"]) == (False, leaf(twin))
    assert twin.count("SYNO.API.Auth.login") == 0
    found = twin.run("dsm_info", gather=["system"], fingerprint=done["fingerprint"])
    assert found["system"]["serial"] == "LAB0000001"


def test_a_renewed_certificate_takes_the_place_of_the_old_one(twin: Twin, wish: dict[str, Any], tmp_path: Path) -> None:
    twin.faults.add("drop_after_write", on="SYNO.Core.Certificate.import")
    first = twin.run("dsm_certificate", **wish)
    assert (first["changed"], first["fingerprint"], twin.faults.listed()) == (True, leaf(twin), [])
    make_certificate(tmp_path / "nas.crt", tmp_path / "nas.key", "nas.home.arpa", ["127.0.0.1"])
    second = twin.run("dsm_certificate", **{**wish, "fingerprint": first["fingerprint"]})
    assert second["changes"][0].startswith("replace the certificate 'household'")
    assert second["fingerprint"] == leaf(twin) != first["fingerprint"]
    assert len(twin.state["certificates"]) == 2


def test_files_that_do_not_belong_together_are_never_sent(twin: Twin, wish: dict[str, Any], tmp_path: Path) -> None:
    make_certificate(tmp_path / "other.crt", tmp_path / "other.key", "other", [])
    result = twin.run("dsm_certificate", **{**wish, "private_key_path": str(tmp_path / "other.key")})
    assert "are no certificate with its key" in result["msg"]
    assert twin.calls == []
