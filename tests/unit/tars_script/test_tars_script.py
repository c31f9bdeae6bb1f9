# SPDX-License-Identifier: GPL-3.0-or-later
"""The script `tars`, started in this checkout with its virtual environment in place."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UNWRITABLE = "/proc"
"""A folder in which nobody can create files, root included."""


pytestmark = pytest.mark.skipif(
    not (ROOT / ".venv/root").exists(), reason="no .venv in this checkout; the script would install it: run ./tars test"
)


def tars(*arguments: str, home: Path | str | None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "HOME"}
    if home is not None:
        environment["HOME"] = str(home)
    return subprocess.run([ROOT / "tars", *arguments], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("home", [UNWRITABLE, None], ids=["read-only", "unset"])
@pytest.mark.parametrize("arguments", [["--help"], ["spec", "check", "-i", "inventories/home"]], ids=" ".join)
def test_commands_without_ansible_need_no_home(arguments: list[str], home: str | None) -> None:
    result = tars(*arguments, home=home)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr and "vault-password" not in result.stderr


def test_a_home_that_cannot_be_written_is_named() -> None:
    result = tars("lab", "--help", home=UNWRITABLE)
    existing = list(ROOT.glob("inventories/*/group_vars/all/secrets.yml"))
    expected = "" if existing else "tars: /proc/.config/tars/vault-password: cannot create this file"
    assert result.returncode == 0 and result.stderr.startswith(expected), result.stderr


def test_the_vault_password_is_created_once(tmp_path: Path) -> None:
    if existing := list(ROOT.glob("inventories/*/group_vars/all/secrets.yml")):
        pytest.skip(f"{existing[0]} exists, and beside a vault no new password is created")
    password = tmp_path / ".config/tars/vault-password"
    assert tars("lab", "--help", home=tmp_path).returncode == 0
    first = password.read_text()
    assert tars("lab", "--help", home=tmp_path).returncode == 0
    assert password.read_text() == first and password.stat().st_mode & 0o777 == 0o600
    assert password.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("command", ["init", "plan"])
def test_no_vault_password_is_created_for_the_vault_of_another_folder(tmp_path: Path, command: str) -> None:
    site, home = tmp_path / "site", tmp_path / "home"
    vault = site / "group_vars/all/secrets.yml"
    vault.parent.mkdir(parents=True)
    vault.write_text("$ANSIBLE_VAULT;1.1;AES256\n00\n")
    (site / "tars.yml").write_text((ROOT / "inventories/lab/tars.yml").read_text())
    result = tars(command, "-i", str(site), home=home)
    assert result.returncode == 1 and "vault-password: found no such file" in result.stderr, result.stderr
    assert not (home / ".config").exists()
