# SPDX-License-Identifier: GPL-3.0-or-later
"""How the desktop is reached over ssh: ssh itself reads the options."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tars_provision import inventory, ssh
from tars_provision.desktop import connection, remote
from tars_provision.spec.load import load
from tars_provision.spec.model import Site


def site(root: Path, folder: Path, **connect: Any) -> Site:
    """Return the lab's site with other settings of the connection."""
    text = (root / "inventories/lab/tars.yml").read_text()
    start, end = text.index("    connect:\n"), text.index("  ds1515plus:")
    (folder / "tars.yml").write_text(text[:start] + f"    connect: {json.dumps(connect)}\n" + text[end:])
    return load(folder / "tars.yml")


def read_by_ssh(command: list[str]) -> dict[str, str]:
    """Return the settings that ssh has after reading a command line."""
    done = subprocess.run([command[0], "-G", *command[1:]], check=True, capture_output=True, text=True)
    # The first key is the one of the command line.
    return dict(line.split(" ", 1) for line in reversed(done.stdout.splitlines()) if " " in line)


def test_ssh_reads_the_settings_of_the_spec(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "our key").touch()
    connect = {
        "address": "10.77.0.110",
        "user": "owner",
        "port": 2222,
        "private_key": "~/our key",
        "known_hosts": "~/50% x",
    }
    host = site(root, tmp_path, **connect).desktop_host
    first, later = read_by_ssh(ssh.command(host)), read_by_ssh(ssh.command(host, "10.77.0.10"))
    assert (first["hostname"], first["user"], first["port"]) == ("10.77.0.110", "owner", "2222")
    assert first["identityfile"] == f"{tmp_path}/our key" and first["userknownhostsfile"] == f"{tmp_path}/50% x"
    assert "hostkeyalias" not in first
    assert (later["hostname"], later["hostkeyalias"]) == ("10.77.0.10", "[10.77.0.110]:2222")
    options = shlex.split(inventory.desktop_connection(host)["ansible_ssh_common_args"])
    assert read_by_ssh(["ssh", *options, "x"])["hostkeyalias"] == "[10.77.0.110]:2222"


@pytest.mark.parametrize(("user", "prefix"), [("root", []), ("owner", ["sudo", "-n"])])
def test_the_program_arrives_as_it_is(root: Path, tmp_path: Path, user: str, prefix: list[str]) -> None:
    *options, line = connection.command(site(root, tmp_path, user=user), {"verb": "logs", "container": "it's"})
    assert options[-1] == f"{user}@10.77.0.10" and "BatchMode=yes" in options
    # The account's shell splits the line.
    done = subprocess.run(["sh", "-c", f"printf '%s\\0' {line}"], check=True, capture_output=True, text=True)
    *words, program, arguments = done.stdout.rstrip("\0").split("\0")
    assert words == [*prefix, "python3", "-c"] and json.loads(arguments)["container"] == "it's"
    assert program == Path(remote.__file__).read_text()
    compile(program, "remote.py", "exec")
