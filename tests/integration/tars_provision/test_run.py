# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks run for real, over the NAS of a site, whose connection is this computer."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tars_provision.controller import trust, vault

pytestmark = pytest.mark.integration

PLAYBOOK = """
- name: First phase
  hosts: nas
  gather_facts: false
  tasks:
    - name: Write a file
      ansible.builtin.copy: {content: "new\\n", dest: "{{ inventory_dir }}/file.txt", mode: "0600"}
    - name: Meet the password
      ansible.builtin.assert:
        that: tars_secrets.dsm_password | length > 8
        quiet: true
    - name: Hold a secret
      ansible.builtin.debug: {msg: "{{ tars_secrets.dsm_password }}"}
      no_log: true
"""


@pytest.fixture
def project(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project with a playbook of its own, and a prepared site in it."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    copy = tmp_path / "project"
    for part in ("library", "collections"):
        copy.mkdir(exist_ok=True)
        (copy / part).mkdir()
    (copy / "library/tars_provision").symlink_to(root / "library/tars_provision")
    shutil.copy(root / "ansible.cfg", copy)
    (copy / "collections/ansible_collections").symlink_to(root / "collections/ansible_collections")
    site = copy / "inventories/lab"
    site.mkdir(parents=True)
    shutil.copy(root / "inventories/lab/tars.yml", site)
    vault.ensure(site)
    trust.record(site, "ds1515plus", "ab" * 32)
    (copy / "playbooks").mkdir()
    write(copy, PLAYBOOK)
    return copy


def write(project: Path, playbook: str) -> None:
    (project / "playbooks/site.yml").write_text(playbook)


START = """
import sys
from pathlib import Path
from tars_provision.commands import play
from tars_provision.ansible import run
play.ROOT = run.ROOT = Path(sys.argv.pop(1))
from tars_provision.cli import main
main(prog_name="tars-provision")
"""


def command(project: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Return how to start `tars-provision` on a copy of the project."""
    environment = os.environ | {
        "TARS_INVENTORY": str(project / "inventories/lab"),
        "PYTHONPATH": str(project / "library"),
        "TMPDIR": str(project),
    }
    return [sys.executable, "-c", START, str(project), *arguments], environment


def tars(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    line, environment = command(project, *arguments)
    return subprocess.run(line, env=environment, capture_output=True, text=True, cwd="/")


def test_plan_then_site_then_nothing_more_to_do(project: Path) -> None:
    file = project / "inventories/lab/file.txt"
    done = tars(project, "plan")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "+new" in done.stdout and not file.exists()

    done = tars(project, "site", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert (result["status"], result["hosts"]["ds1515plus"]) == ("done", {"ok": 3, "changed": 1, "failed": 0})
    assert [change["task"] for change in result["changes"]] == ["Write a file"]
    assert file.read_text() == "new\n"
    assert "First phase" in done.stderr, "progress goes beside the JSON"

    done = tars(project, "plan")
    assert done.returncode == 0, done.stdout + done.stderr
    password = vault.read(project / "inventories/lab")["dsm_password"]
    assert password not in done.stdout + done.stderr
    assert not list(project.glob("tars-run-*")), "what ansible-runner wrote must be gone"


def test_a_failing_task_is_one_message_and_1(project: Path) -> None:
    write(project, PLAYBOOK + '    - name: Break\n      ansible.builtin.fail: {msg: "disk: wanted 2, found 1"}\n')
    done = tars(project, "site")
    assert done.returncode == 1
    assert done.stdout.count("disk: wanted 2, found 1") == 1 and "failed on ds1515plus: Break" in done.stdout
    assert not done.stderr


def test_a_playbook_that_ansible_refuses_is_shown_and_1(project: Path) -> None:
    write(project, "- hosts: nas\n  roles: [no_such_role]\n")
    done = tars(project, "site")
    assert done.returncode == 1
    assert "no_such_role" in done.stdout


def test_ctrl_c_says_what_still_runs_and_is_130(project: Path) -> None:
    marker = "86399.5"
    # Waiting changes nothing.
    write(
        project,
        f"- hosts: nas\n  gather_facts: false\n  tasks:\n    - name: Wait for long\n"
        f"      ansible.builtin.command: sleep {marker}\n      changed_when: false\n",
    )
    line, environment = command(project, "site")
    running = subprocess.Popen(
        line,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As at a terminal: what a shell starts in the background ignores the signal, and so does what that starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        deadline = time.monotonic() + 60
        while not (left := sleepers(marker)):
            assert running.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=30)
    finally:
        running.kill()
        for process in sleepers(marker):
            process.kill()
    assert left and running.returncode == 130, errors
    assert "ds1515plus: may still be at: Wait for long" in output
    assert not list(project.glob("tars-run-*"))


def sleepers(marker: str) -> list[psutil.Process]:
    """Return the processes that the playbook of the test waits for."""
    return [process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == ["sleep", marker]]
