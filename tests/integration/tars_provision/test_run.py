# SPDX-License-Identifier: GPL-3.0-or-later
"""Real runs of playbooks over the NAS of a site, whose connection is this computer."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tars_provision.controller import trust, vault

from ...waiting import wait_for

pytestmark = pytest.mark.integration

PLAYBOOK = """
- name: First phase
  hosts: nas
  gather_facts: false
  tasks:
    - name: Write a file
      ansible.builtin.copy: {content: "new\\n", dest: "{{ inventory_dir }}/file.txt", mode: "0600"}
    - name: Read the password
      ansible.builtin.assert:
        that: tars_secrets.dsm_password | length > 8
        quiet: true
    - name: Print a secret
      ansible.builtin.debug: {msg: "{{ tars_secrets.dsm_password }}"}
      no_log: true
"""


@pytest.fixture
def project(tmp_path: Path, root: Path, own_home: Path) -> Path:
    """Return a copy of the project with a playbook of its own, and a prepared site in it."""
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


def tars(project: Path, *arguments: str, cwd: str = "/", **variables: str) -> subprocess.CompletedProcess[str]:
    line, environment = command(project, *arguments)
    return subprocess.run(line, env=environment | variables, capture_output=True, text=True, cwd=cwd)


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


def test_a_failed_task_is_one_message_and_1(project: Path) -> None:
    write(project, PLAYBOOK + '    - name: Break\n      ansible.builtin.fail: {msg: "disk: found 1, expected 2"}\n')
    done = tars(project, "site")
    assert done.returncode == 1
    assert done.stdout.count("disk: found 1, expected 2") == 1 and "failed on ds1515plus: Break" in done.stdout
    assert not done.stderr


def test_a_playbook_that_ansible_refuses_is_shown_and_1(project: Path) -> None:
    write(project, "- hosts: nas\n  roles: [no_such_role]\n")
    done = tars(project, "site")
    assert done.returncode == 1
    assert "no_such_role" in done.stdout


FOREIGN = {
    "ANSIBLE_ROLES_PATH": "/nonexistent",
    "ANSIBLE_COLLECTIONS_PATH": "/nonexistent",
    "ANSIBLE_VAULT_PASSWORD_FILE": "/nonexistent/password",
    "ANSIBLE_INVENTORY_ENABLED": "ini",
    "ANSIBLE_STDOUT_CALLBACK": "no.such.callback",
    "ANSIBLE_STRATEGY": "no_such_strategy",
    "ANSIBLE_FORKS": "many",
    "ANSIBLE_CONFIG": "/nonexistent/ansible.cfg",
    "ANSIBLE_LIBRARY": "/nonexistent",
    "ANSIBLE_CHECK_MODE_MARKERS": "maybe",
    "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "no",
    "ANSIBLE_LIMIT": "nobody",
}
"""Settings of another project, each of which changes or stops a run."""


def test_ansible_settings_of_another_project_are_not_passed_on(project: Path, tmp_path: Path) -> None:
    (tmp_path / "ansible.cfg").write_text("[defaults]\nforks = many\nroles_path = /nonexistent\n")
    done = tars(project, "site", cwd=str(tmp_path), **FOREIGN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"ignored from the environment: {', '.join(sorted(FOREIGN))}" in done.stdout


@pytest.mark.parametrize(
    "variables",
    [{"LC_ALL": "C"}, {"LC_ALL": "xx_YY.UTF-8"}, {"LC_ALL": "POSIX", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}],
    ids=["C", "missing", "ascii"],
)
def test_a_run_in_any_locale(project: Path, variables: dict[str, str]) -> None:
    write(project, PLAYBOOK + '    - name: Größe ändern\n      ansible.builtin.fail: {msg: "→ größer"}\n')
    done = tars(project, "site", **variables)
    assert done.returncode == 1 and "ndern\n" in done.stdout, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_limit_selects_hosts(project: Path) -> None:
    done = tars(project, "plan", "--limit", "nas", "--json")
    assert done.returncode == 3 and list(json.loads(done.stdout)["hosts"]) == ["ds1515plus"]


@pytest.mark.parametrize("name", ["a,b", 'our "site" 50% größe, it\'s {{ x }}', "-i"])
def test_a_site_in_a_folder_of_any_name(project: Path, name: str) -> None:
    folder = project / name
    shutil.copytree(project / "inventories/lab", folder)
    done = tars(project, "plan", "--inventory", str(folder))
    assert done.returncode == 3, done.stdout + done.stderr
    assert not (folder / "file.txt").exists()


def test_verbose_shows_the_output_of_ansible(project: Path) -> None:
    assert "TASK [Write a file]" not in tars(project, "site").stdout
    done = tars(project, "site", "-v")
    assert "ok: [ds1515plus] => " in done.stdout and "Using " in done.stdout
    password = vault.read(project / "inventories/lab")["dsm_password"]
    assert password not in done.stdout + done.stderr


def test_ctrl_c_lists_what_still_runs_and_is_130(project: Path) -> None:
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
        left = wait_for(lambda: sleepers(marker) or running.poll() is not None, "the task")
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=180)
    finally:
        running.kill()
        for process in sleepers(marker):
            process.kill()
    assert left and running.returncode == 130, errors
    assert "ds1515plus: may still be running: Wait for long" in output
    assert not list(project.glob("tars-run-*"))


def sleepers(marker: str) -> list[psutil.Process]:
    """Return the processes that the playbook of the test waits for."""
    return [process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == ["sleep", marker]]
