# SPDX-License-Identifier: GPL-3.0-or-later
"""The role nas_shares through ansible-playbook: check on a bare NAS, first run, second run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.integration

Twin = Any  # of conftest.py

PLAY = """
- name: Offer shares
  hosts: nas
  gather_facts: false
  tasks:
    - name: Offer or compare
      ansible.builtin.include_role:
        name: tars.home.nas_shares
        tasks_from: "{{ entry | default('main') }}"
      tags: [always]
"""


@pytest.fixture
def play(twin: Twin, root: Path, tmp_path: Path) -> Any:
    (tmp_path / "play.yml").write_text(PLAY)
    variables = {
        "nas_shares_host": "127.0.0.1",
        "nas_shares_port": twin.port,
        "nas_shares_account": "tars-admin",
        "nas_shares_password": twin.connection["password"],
        "nas_shares_fingerprint": twin.fingerprint,
        "nas_shares_session_file": str(twin.session_file),
        "nas_shares_shares": [{"name": "LLM_docs", "volume": "/volume1"}],
        "nas_shares_exports": [{"share": "LLM_docs", "rules": [{"client": "10.77.0.10"}]}],
    }
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"nas": {"hosts": {"nas1": variables}}}))

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

    (tmp_path / "none.cfg").touch()
    return run


def test_check_then_run_then_run_again(twin: Twin, play: Any) -> None:
    stats, output = play("--check", "--diff")
    assert (stats["failures"], stats["changed"]) == (0, 2), output
    assert not (twin.root / "volume1" / "LLM_docs").exists()

    # The last step of the role knocks at NFS's own port, which nothing serves on loopback.
    stats, output = play("--skip-tags", "reach")
    assert (stats["failures"], stats["changed"]) == (0, 2), output
    assert twin.state["rules"]["LLM_docs"][0]["client"] == "10.77.0.10"
    assert not twin.session_file.exists()

    twin.calls.clear()
    stats, output = play("--skip-tags", "reach")
    assert (stats["failures"], stats["changed"]) == (0, 0), output
    assert twin.count("SYNO.API.Auth.login") == 1
    assert twin.count("SYNO.API.Auth.logout") == 1


def test_verify_tells_a_difference_and_leaves_it(twin: Twin, play: Any) -> None:
    play("--skip-tags", "reach")
    stats, output = play("--skip-tags", "reach", "--extra-vars", "entry=verify")
    assert stats["failures"] == 0, output
    twin.run("dsm_nfs", exports=[{"share": "LLM_docs", "rules": []}])
    stats, output = play("--skip-tags", "reach", "--extra-vars", "entry=verify")
    assert stats["failures"] == 1
    assert "export share LLM_docs to 10.77.0.10 ro" in output
    assert twin.state["rules"]["LLM_docs"] == []
