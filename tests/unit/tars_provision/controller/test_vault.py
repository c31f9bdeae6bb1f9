# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets and recorded certificates: made once, kept, readable by their owner and by Ansible."""

import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tars_provision.controller import trust, vault
from tars_provision.files import write_atomic


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, so that no test meets the password of whoever runs it."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_ansible_vault_reads_what_was_made(tmp_path: Path) -> None:
    made = vault.ensure(tmp_path, {"dsm_password": "chosen: by 'me' #1 {{ no }}"})
    encrypted = vault.secrets_file(tmp_path)
    command = [Path(sys.executable).parent / "ansible-vault", "view", encrypted]
    options = ["--vault-password-file", vault.vault_password_file()]
    viewed = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert YAML(typ="safe").load(viewed.stdout) == {"tars_secrets": made}
    assert made["dsm_password"] == "chosen: by 'me' #1 {{ no }}"
    assert set(made) == set(vault.NAMES) and len(set(made.values())) == len(made)
    assert not any(value.encode() in encrypted.read_bytes() for value in made.values())


def test_nothing_is_made_twice_and_what_is_missing_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = vault.ensure(tmp_path)
    before = vault.secrets_file(tmp_path).read_bytes()
    assert vault.ensure(tmp_path, {"dsm_password": "other"}) == first
    assert vault.secrets_file(tmp_path).read_bytes() == before
    monkeypatch.setattr(vault, "NAMES", (*vault.NAMES, "later"))
    later = vault.ensure(tmp_path)
    assert {name: later[name] for name in first} == first and later["later"]


def test_only_the_owner_may_read_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        vault.ensure(tmp_path)
    finally:
        os.umask(before)
    assert mode(vault.secrets_file(tmp_path)) == mode(vault.vault_password_file()) == 0o600
    assert mode(vault.vault_password_file().parent) == 0o700


def test_a_password_that_does_not_fit_is_said_and_replaces_nothing(tmp_path: Path) -> None:
    vault.ensure(tmp_path)
    before = vault.secrets_file(tmp_path).read_bytes()
    vault.vault_password_file().write_text("another\n")
    with pytest.raises(vault.SecretsError, match="does not fit"):
        vault.ensure(tmp_path)
    assert vault.secrets_file(tmp_path).read_bytes() == before


def test_secrets_that_are_not_encrypted_are_said_and_not_shown(tmp_path: Path) -> None:
    path = vault.secrets_file(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text("tars_secrets: {dsm_password: plain}\n")
    with pytest.raises(vault.SecretsError, match="not encrypted; `ansible-vault encrypt") as caught:
        vault.read(tmp_path)
    assert "plain" not in str(caught.value)


def test_a_vault_without_the_secrets_is_said(tmp_path: Path) -> None:
    path = vault.secrets_file(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(vault._vault().encrypt(b"other: 1"))
    with pytest.raises(vault.SecretsError, match="wanted the variable tars_secrets"):
        vault.read(tmp_path)


def test_of_many_first_users_one_password_wins() -> None:
    start = threading.Barrier(8)

    def use(_: int) -> str:
        start.wait()
        return vault.ensure_vault_password()

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(use, range(8)))
    assert found == {vault.vault_password_file().read_text().strip()}
    assert [path.name for path in vault.vault_password_file().parent.iterdir()] == ["vault-password"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")
    with pytest.raises(TypeError):
        write_atomic(path, "not bytes")  # type: ignore[arg-type]  # the failure that is wanted
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_certificate_is_trusted_once(tmp_path: Path) -> None:
    trust.record(tmp_path, "nas", "ab" * 32)
    trust.record(tmp_path, "nas", "ab" * 32)
    with pytest.raises(trust.TrustError, match="found cdcdcd"):
        trust.record(tmp_path, "nas", "cd" * 32)
    assert trust.recorded(tmp_path) == {"nas": "ab" * 32}
    trust.record(tmp_path, "nas", "cd" * 32, replace=True)
    assert trust.recorded(tmp_path) == {"nas": "cd" * 32}


@pytest.mark.parametrize("text", ["nas: ab", "nas: {fingerprint: ab}", "[", "nas: {other: x}"])
def test_a_damaged_record_is_said(tmp_path: Path, text: str) -> None:
    path = trust.recorded_file(tmp_path)
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(trust.TrustError, match=r"dsm\.yml"):
        trust.recorded(tmp_path)


def test_no_https_at_the_address_is_said() -> None:
    with pytest.raises(trust.TrustError, match=r"127\.0\.0\.1:9: wanted the certificate of the NAS, found no HTTPS"):
        trust.fingerprint("127.0.0.1", 9, timeout_s=2)
