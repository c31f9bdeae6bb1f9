# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of a site: created once, kept, readable by their owner and by Ansible."""

import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tars_provision import project
from tars_provision.controller import vault
from tars_provision.files import write_atomic


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a home and sites of its own, so that none reads the password of the person who runs it."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(project, "ROOT", tmp_path)
    return tmp_path / "home"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_ansible_vault_reads_the_created_secrets(tmp_path: Path) -> None:
    made = vault.ensure(tmp_path, {"dsm_password": "chosen: by 'me' #1 {{ no }}"})
    encrypted = vault.secrets_file(tmp_path)
    command = [str(Path(sys.executable).with_name("ansible-vault")), "view", str(encrypted)]
    options = ["--vault-password-file", str(vault.vault_password_file())]
    viewed = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert YAML(typ="safe").load(viewed.stdout) == {"tars_secrets": made}
    assert made["dsm_password"] == "chosen: by 'me' #1 {{ no }}"
    assert set(made) == set(vault.NAMES) and len(set(made.values())) == len(made)
    assert not any(value.encode() in encrypted.read_bytes() for value in made.values())


def test_existing_secrets_stay_and_missing_ones_are_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = vault.ensure(tmp_path)
    before = vault.secrets_file(tmp_path).read_bytes()
    assert vault.ensure(tmp_path, {"dsm_password": "other"}) == first
    assert vault.secrets_file(tmp_path).read_bytes() == before
    monkeypatch.setattr(vault, "NAMES", (*vault.NAMES, "later"))
    later = vault.ensure(tmp_path)
    assert {name: later[name] for name in first} == first and later["later"]


def test_only_the_owner_can_read_with_any_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        vault.ensure(tmp_path)
    finally:
        os.umask(before)
    assert mode(vault.secrets_file(tmp_path)) == mode(vault.vault_password_file()) == 0o600
    assert mode(vault.vault_password_file().parent) == 0o700


def test_a_wrong_password_is_reported_and_replaces_nothing(tmp_path: Path) -> None:
    vault.ensure(tmp_path)
    before = vault.secrets_file(tmp_path).read_bytes()
    vault.vault_password_file().write_text("another\n")
    with pytest.raises(vault.VaultError, match="does not open"):
        vault.ensure(tmp_path)
    assert vault.secrets_file(tmp_path).read_bytes() == before


def test_no_new_password_beside_an_existing_vault(tmp_path: Path) -> None:
    vault.ensure(tmp_path)
    path = vault.vault_password_file()
    path.unlink()
    for action in (vault.read, vault.ensure):
        with pytest.raises(vault.VaultError, match=f"{path}: found no such file; .*Copy the file .* to {path}"):
            action(tmp_path)
    assert not path.exists()


def test_no_new_password_beside_the_vault_of_another_site(tmp_path: Path) -> None:
    vault.ensure(project.home_inventory())
    vault.vault_password_file().unlink()
    with pytest.raises(vault.VaultError, match=r"Copy the file .*inventories/home/group_vars/all/secrets\.yml"):
        vault.ensure(project.lab_inventory())


@pytest.mark.parametrize(
    ("content", "report"),
    [(None, "found Is a directory"), (b"", "found an empty file"), (b"\xff\xfe", "found bytes that are not text")],
)
def test_a_password_file_that_is_not_one_is_reported(tmp_path: Path, content: bytes | None, report: str) -> None:
    path = vault.vault_password_file()
    path.parent.mkdir(parents=True)
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(vault.VaultError, match=report):
        vault.ensure(tmp_path)


def test_unencrypted_secrets_are_reported_with_a_command_that_encrypts_them(tmp_path: Path, root: Path) -> None:
    path = vault.secrets_file(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text("tars_secrets: {dsm_password: plain}\n")
    vault.ensure_vault_password()
    with pytest.raises(vault.VaultError, match="found a file that is not encrypted") as caught:
        vault.read(tmp_path)
    assert "plain" not in str(caught.value)
    command = str(caught.value).split("`")[1]
    # In the checkout ansible.cfg names the password as well.
    done = subprocess.run(["sh", "-c", command], cwd=root, env=tools(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert vault.read(tmp_path) == {"dsm_password": "plain"}


def tools() -> dict[str, str]:
    """Return an environment in which the programs beside Python are found."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.mark.parametrize("content", [b"other: 1", b"tars_secrets: [1]", b"tars_secrets: {", b"\xff", b""])
def test_a_vault_without_the_secrets_is_reported(tmp_path: Path, content: bytes) -> None:
    path = vault.secrets_file(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(vault._vault(vault.ensure_vault_password()).encrypt(content))
    with pytest.raises(vault.VaultError, match="found other content; expected an Ansible vault with the variable"):
        vault.read(tmp_path)


def test_simultaneous_first_uses_create_one_password() -> None:
    start = threading.Barrier(8)

    def use(_: int) -> str:
        start.wait()
        return vault.ensure_vault_password()

    with ThreadPoolExecutor(8) as pool:
        passwords = set(pool.map(use, range(8)))
    assert passwords == {vault.vault_password_file().read_text().strip()}
    assert [path.name for path in vault.vault_password_file().parent.iterdir()] == ["vault-password"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")
    with pytest.raises(TypeError):
        write_atomic(path, "not bytes")  # type: ignore[arg-type]  # the failure under test
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


WITHOUT_CAPABILITIES = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
"""Start of a command for which a folder without write permission is read-only, also for root."""


def test_a_home_that_is_read_only_is_one_sentence(tmp_path: Path, home: Path, root: Path) -> None:
    vault.ensure(tmp_path)
    (tmp_path / "tars.yml").write_bytes((root / "inventories/lab/tars.yml").read_bytes())
    program = [sys.executable, "-m", "tars_provision"]
    environment = {**os.environ, "PYTHONPATH": str(root / "library"), "TARS_INVENTORY": str(tmp_path)}
    home.chmod(0o555)
    try:
        for arguments in (["--help"], ["spec", "check"], ["plan"]):
            command = [*WITHOUT_CAPABILITIES, *program, *arguments]
            done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
            assert (done.returncode, done.stderr.count("\n")) == ((1, 1) if arguments == ["plan"] else (0, 0)), (
                done.stderr
            )
    finally:
        home.chmod(0o755)
    assert "Ansible: found Unable to create local directories" in done.stderr
