# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles nas_system, nas_firewall and nas_certificate through ansible-playbook: a run, and comparing afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tars_lab.dsm_twin.install import make_certificate

pytestmark = pytest.mark.integration

Twin = Any  # of conftest.py

ROLES = ("nas_system", "nas_firewall", "nas_certificate")


@pytest.fixture
def play(twin: Twin, root: Path, tmp_path: Path) -> Any:
    tasks = [
        {
            "name": f"Set or compare {role}",
            "ansible.builtin.include_role": {
                "name": f"tars.home.{role}",
                "tasks_from": "{{ entry | default('main') }}",
            },
        }
        for role in ROLES
    ]
    plays = [{"name": "Set the NAS up", "hosts": "nas", "gather_facts": False, "tasks": tasks}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(plays))
    rule = {"name": "DSM", "protocol": "tcp", "ports": [str(twin.port), "5001"], "sources": ["127.0.0.1"]}
    variables: dict[str, Any] = {
        "nas_system_server_name": "nas",
        "nas_system_ntp_servers": ["a.example"],
        "nas_system_sftp": False,
        "nas_firewall_sections": [{"adapter": "global", "policy": "drop", "rules": [rule]}],
    }
    make_certificate(tmp_path / "nas.crt", tmp_path / "nas.key", "nas.home.arpa", ["127.0.0.1"])
    variables["nas_certificate_certificate_path"] = str(tmp_path / "nas.crt")
    variables["nas_certificate_private_key_path"] = str(tmp_path / "nas.key")
    for role in ROLES:
        connection = {**twin.connection, "session_file": str(twin.session_file)}
        variables |= {f"{role}_{key}": value for key, value in connection.items()}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"nas": {"hosts": {"nas1": variables}}}))
    (tmp_path / "none.cfg").touch()

    def run(*arguments: str) -> tuple[dict[str, int], str]:
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(tmp_path / "none.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(root / "collections"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_HOME": str(tmp_path / "ansible"),
        }
        command = [sys.executable, "-m", "ansible", "playbook", "-i", str(tmp_path / "hosts.yml")]
        done = subprocess.run(
            [*command, str(tmp_path / "play.yml"), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "stats" in done.stdout, done.stdout + done.stderr
        assert json.dumps(twin.connection["password"])[1:-1] not in done.stdout
        stats: dict[str, int] = json.loads(done.stdout)["stats"]["nas1"]
        return stats, done.stdout

    return run


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
