# SPDX-License-Identifier: GPL-3.0-or-later
"""The script `tars`, started in a checkout without sites of its own, whose virtual environment is in place."""

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


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout whose sites have no vault, because none of their commands has run yet."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("library", "ansible.cfg", "requirements.lock", "requirements-dev.lock"):
        (folder / name).symlink_to(ROOT / name)
    for site in ("home", "lab"):
        (folder / "inventories" / site).mkdir(parents=True)
        (folder / "inventories" / site / "tars.yml").symlink_to(ROOT / "inventories" / site / "tars.yml")
    script = folder / "tars"
    script.write_bytes((ROOT / "tars").read_bytes())
    script.chmod(0o755)
    # The packages of this checkout's environment, and the marks by which the script knows that it is complete.
    venv = folder / ".venv"
    venv.mkdir()
    for path in (ROOT / ".venv").iterdir():
        (venv / path.name).symlink_to(path)
    (venv / "root").unlink()
    (venv / "root").write_text(f"{folder}\n")
    return folder


def tars(checkout: Path, *arguments: str, home: Path | str | None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "HOME"}
    if home is not None:
        environment["HOME"] = str(home)
    return subprocess.run(
        [checkout / "tars", *arguments], env=environment, capture_output=True, text=True, cwd=checkout
    )


@pytest.mark.parametrize("home", [UNWRITABLE, None], ids=["read-only", "unset"])
@pytest.mark.parametrize("arguments", [["--help"], ["spec", "check", "-i", "inventories/home"]], ids=" ".join)
def test_commands_without_ansible_need_no_home(checkout: Path, arguments: list[str], home: str | None) -> None:
    result = tars(checkout, *arguments, home=home)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr and "vault-password" not in result.stderr


def test_a_home_that_cannot_be_written_is_named(checkout: Path) -> None:
    result = tars(checkout, "lab", "--help", home=UNWRITABLE)
    assert result.returncode == 0, result.stderr
    assert result.stderr.startswith("tars: /proc/.config/tars/vault-password: cannot create this file"), result.stderr


def test_the_vault_password_is_created_once(checkout: Path, tmp_path: Path) -> None:
    password = tmp_path / ".config/tars/vault-password"
    assert tars(checkout, "lab", "--help", home=tmp_path).returncode == 0
    first = password.read_text()
    assert tars(checkout, "lab", "--help", home=tmp_path).returncode == 0
    assert password.read_text() == first and password.stat().st_mode & 0o777 == 0o600
    assert password.parent.stat().st_mode & 0o777 == 0o700


def test_beside_a_vault_no_password_is_created(checkout: Path, tmp_path: Path) -> None:
    vault = checkout / "inventories/lab/group_vars/all/secrets.yml"
    vault.parent.mkdir(parents=True)
    vault.touch()
    assert tars(checkout, "lab", "--help", home=tmp_path).returncode == 0
    assert not (tmp_path / ".config").exists()


@pytest.mark.parametrize("command", ["init", "plan"])
def test_no_vault_password_is_created_for_the_vault_of_another_folder(
    checkout: Path, tmp_path: Path, command: str
) -> None:
    site, home = tmp_path / "site", tmp_path / "home"
    vault = site / "group_vars/all/secrets.yml"
    vault.parent.mkdir(parents=True)
    vault.write_text("$ANSIBLE_VAULT;1.1;AES256\n00\n")
    (site / "tars.yml").write_text((ROOT / "inventories/lab/tars.yml").read_text())
    result = tars(checkout, command, "-i", str(site), home=home)
    assert result.returncode == 1 and "vault-password: found no such file" in result.stderr, result.stderr
    assert not (home / ".config").exists()


def test_the_tests_write_bytecode_although_the_environment_wants_none(checkout: Path, tmp_path: Path) -> None:
    shown = tmp_path / "test_shown.py"
    shown.write_text("import sys\n\n\ndef test_it() -> None:\n    assert not sys.dont_write_bytecode\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        result = tars(checkout, "test", str(shown), home=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
