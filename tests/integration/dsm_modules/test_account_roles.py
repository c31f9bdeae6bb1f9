# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles nas_accounts and nas_snapshots through ansible-playbook: a run, and a comparison."""

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

SECRET = "correct horse battery"
PLAY = """
- name: Guard the backups
  hosts: nas
  gather_facts: false
  tasks:
    - name: Make or compare
      ansible.builtin.include_role:
        name: "tars.home.{{ item }}"
        tasks_from: "{{ entry | default('main') }}"
      loop: [nas_accounts, nas_snapshots]
"""


@pytest.fixture
def play(twin: Twin, root: Path, tmp_path: Path) -> Any:
    (tmp_path / "play.yml").write_text(PLAY)
    connection = {"host": "127.0.0.1", "account": "tars-admin", "password": twin.connection["password"]}
    connection |= {"port": twin.port, "fingerprint": twin.fingerprint, "session_file": str(twin.session_file)}
    variables: dict[str, Any] = {
        f"{role}_{key}": value for role in ("nas_accounts", "nas_snapshots") for key, value in connection.items()
    }
    user = {"name": "tars-backup", "password": SECRET, "groups": ["writers"], "update_password": "always"}
    grants = [{"user": "tars-backup", "access": "rw"}]
    variables |= {
        "nas_accounts_users": [user],
        "nas_accounts_groups": [{"name": "writers"}],
        "nas_accounts_shares": [{"share": "backup", "permissions": grants, "exclusive": True}],
        "nas_snapshots_shares": [{"share": "backup", "schedule": {"hour": 5}, "retention": {"daily": 7}}],
    }
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
        assert SECRET not in done.stdout + done.stderr
        stats: dict[str, int] = json.loads(done.stdout)["stats"]["nas1"]
        return stats, done.stdout

    return run


def test_a_run_and_a_comparison_that_finds_and_leaves_a_difference(twin: Twin, play: Any) -> None:
    assert not twin.run("dsm_share", shares=[{"name": "backup", "volume": "/volume1"}]).get("failed")
    stats, output = play("--diff")
    assert (stats["failures"], stats["changed"]) == (0, 3), output
    assert twin.state["permissions"]["backup"]["local_user"] == {"tars-backup": "rw"}
    assert twin.state["schedules"]["backup"]["schedule"]["hour"] == 5
    assert not twin.session_file.exists()

    # The accounts are compared first and pass: a password that is set in every run is no difference.
    with twin.nas.state.change() as data:
        data["permissions"]["backup"]["local_user"] = {"guest-user": "rw"}
    stats, output = play("--extra-vars", "entry=verify")
    assert (stats["failures"], stats["changed"]) == (1, 0), output
    assert "user guest-user unset, user tars-backup rw" in output
    assert twin.state["permissions"]["backup"]["local_user"] == {"guest-user": "rw"}
