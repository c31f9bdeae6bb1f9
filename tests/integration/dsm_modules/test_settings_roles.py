# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles nas_system, nas_firewall and nas_certificate through ansible-playbook: a run, and comparing afterwards."""

from __future__ import annotations

import hashlib
import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from tars_lab.dsm_twin.install import make_certificate

pytestmark = pytest.mark.integration

Twin = Any  # of conftest.py

ROLES = ("nas_system", "nas_firewall", "nas_certificate")


@pytest.fixture
def play(twin: Twin, play_roles: Any, tmp_path: Path) -> Any:
    rule = {"name": "DSM", "protocol": "tcp", "ports": [str(twin.port), "5001"], "sources": ["127.0.0.1"]}
    make_certificate(tmp_path / "nas.crt", tmp_path / "nas.key", "nas.home.arpa", ["127.0.0.1"])
    wishes = {
        "nas_system_server_name": "nas",
        "nas_system_ntp_servers": ["a.example"],
        "nas_system_sftp": False,
        "nas_firewall_sections": [{"adapter": "global", "policy": "drop", "rules": [rule]}],
        "nas_certificate_certificate_path": str(tmp_path / "nas.crt"),
        "nas_certificate_private_key_path": str(tmp_path / "nas.key"),
    }
    return play_roles(ROLES, wishes)


def test_run_then_compare(twin: Twin, play: Any) -> None:
    stats, output = play()
    assert (stats["failures"], stats["changed"]) == (0, 3), output
    assert twin.state["network"]["server_name"] == "nas"
    assert twin.state["firewall"]["applied"]["global"]["policy"] == "drop"
    assert not twin.session_file.exists()

    shown = hashlib.sha256(ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", twin.port)))).hexdigest()
    assert shown != twin.fingerprint
    now = {"entry": "verify"} | {f"{role}_fingerprint": shown for role in ROLES}
    stats, output = play("--extra-vars", json.dumps(now))
    assert (stats["failures"], stats["changed"]) == (0, 0), output
