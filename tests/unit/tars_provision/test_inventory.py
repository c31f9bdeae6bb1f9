# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory, as Ansible itself reads it."""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tars_provision.controller import trust
from tars_provision.inventory import answering, inventory
from tars_provision.spec.load import load

BIN = Path(sys.executable).parent
FINGERPRINT = "ab" * 32


def ansible_inventory(root: Path, spec: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Read an inventory with the real program, in a home of its own that holds a vault password."""
    password = home / ".config/tars/vault-password"
    password.parent.mkdir(parents=True)
    password.write_text("x\n")
    command = [str(BIN / "ansible-inventory"), "-i", str(spec), "--list", "--export"]
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(root / "library"), "ANSIBLE_NOCOLOR": "1"}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)


def plain(value: Any) -> Any:
    """Return what ansible-inventory prints without its marks on text that is not a template."""
    if isinstance(value, dict):
        return value["__ansible_unsafe"] if "__ansible_unsafe" in value else {k: plain(v) for k, v in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def test_ansible_reads_the_inventory_of_the_library(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    site = tmp_path / "site"
    site.mkdir()
    # Another network than the lab's: a lab that starts or stops meanwhile changes where the desktop answers.
    text = (root / "inventories/lab/tars.yml").read_text().replace("10.77.0.", "10.79.0.")
    (site / "tars.yml").write_text(text)
    trust.record(site, "ds1515plus", FINGERPRINT)
    read = ansible_inventory(root, site / "tars.yml", tmp_path / "home")
    assert read.returncode == 0, read.stderr
    listed = plain(json.loads(read.stdout))
    spec = load(site / "tars.yml")
    expected = inventory(spec, {"ds1515plus": FINGERPRINT}, answering(spec))
    assert listed["desktop"]["hosts"] == ["xps8950"] and listed["nas"]["hosts"] == ["ds1515plus"]
    for host, variables in expected["_meta"]["hostvars"].items():
        passed = listed["_meta"]["hostvars"][host]
        assert {name: passed.get(name) for name in variables} == dict(variables)
    assert listed["_meta"]["hostvars"]["ds1515plus"]["nas_fingerprint"] == FINGERPRINT


def test_variables_of_a_host_beside_the_spec_take_precedence(root: Path, tmp_path: Path) -> None:
    shutil.copy(root / "inventories/home/tars.yml", tmp_path)
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars/xps8950.yml").write_text("stack_scan_interval_s: 7\n")
    listed = json.loads(ansible_inventory(root, tmp_path / "tars.yml", tmp_path / "home").stdout)
    assert listed["_meta"]["hostvars"]["xps8950"]["stack_scan_interval_s"] == 7


def test_ansible_shows_every_mistake_of_a_spec(root: Path, tmp_path: Path) -> None:
    spec = tmp_path / "tars.yml"
    shutil.copy(Path(__file__).parent / "spec/specs/issue.yml", spec)
    read = ansible_inventory(root, spec, tmp_path / "home")
    assert read.returncode != 0
    assert f"{spec}: 4 mistakes" in read.stderr
    for line in (6, 7, 13, 19):
        assert f"{spec}:{line}: " in read.stderr


def test_the_desktop_is_reached_as_in_the_spec(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/owner")
    text = (root / "inventories/home/tars.yml").read_text()
    (tmp_path / "tars.yml").write_text(
        text.replace(
            "user: root ", "user: owner\n      address: 192.168.1.77\n      known_hosts: ~/known hosts\n      #"
        )
    )
    desktop = inventory(load(tmp_path / "tars.yml"), {})["_meta"]["hostvars"]["xps8950"]
    assert {name: value for name, value in desktop.items() if name.startswith("ansible_")} == {
        "ansible_host": "192.168.1.77",
        "ansible_user": "owner",
        "ansible_port": 22,
        "ansible_become": True,
        "ansible_ssh_common_args": "-o 'UserKnownHostsFile=\"/home/owner/known hosts\"' -o HostKeyAlias=192.168.1.77",
    }
    assert desktop["tars_profile"] == "xps8950"
    options = shlex.split(desktop["ansible_ssh_common_args"])
    shown = subprocess.run(["ssh", "-G", *options, "host"], capture_output=True, text=True, check=True).stdout
    assert "userknownhostsfile /home/owner/known hosts\n" in shown, "one file, as ssh reads it"


@pytest.mark.parametrize(
    ("greeting", "address", "after_s"),
    [
        (b"SSH-2.0-OpenSSH_10.0\r\n", "127.0.0.1", 0),
        (b"SSH-2.0-x\r\n", "127.0.0.1", 1.5),
        (b"HTTP/1.1 400\r\n", None, 0),
    ],
    ids=["at once", "busy", "another"],
)
def test_a_desktop_that_has_moved_is_found_at_its_own_address(
    root: Path, tmp_path: Path, greeting: bytes, address: str | None, after_s: float
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        text = (root / "inventories/home/tars.yml").read_text()
        port = server.getsockname()[1]
        text = text.replace("user: root ", f"port: {port}\n      address: 192.0.2.77\n      #")
        text = text.replace("192.168.1.0/24", "127.0.0.0/8").replace("192.168.1.10 ", "127.0.0.1 ")
        text = text.replace("192.168.1.", "127.0.1.")
        (tmp_path / "tars.yml").write_text(text)
        site = load(tmp_path / "tars.yml")

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                time.sleep(after_s)
                connection.sendall(greeting)

        caller = threading.Thread(target=greet)
        caller.start()
        addresses = answering(site)
        caller.join()
    assert addresses.get("xps8950") == address
    hostvars = inventory(site, {}, addresses)["_meta"]["hostvars"]
    assert hostvars["xps8950"]["ansible_host"] == (address or "192.0.2.77")
