# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of a site: created once, kept in an Ansible vault beside the spec, never replaced by accident.

The vault's password is in the owner's home, outside the project. Only the owner can read the two files.
"""

from __future__ import annotations

import contextlib
import os
import secrets as random
import tempfile
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tars_provision import next_step
from tars_provision.errors import ProvisionError, message, unusable
from tars_provision.files import write_atomic
from tars_provision.project import home_inventory, lab_inventory

NAMES = (
    "authority_passphrase",
    "backup_key",
    "dsm_password",
    "dsm_backup_password",
    "postgres_password",
    "redis_password",
)
"""Secrets that every site has, in the variable `tars_secrets`."""


_OTHER_HOME = "Set HOME to a folder that this account can write to"


class VaultError(ProvisionError):
    """The vault of a site or its password cannot be read, or the vault does not contain all secrets."""


def vault_password_file() -> Path:
    """Return the file that holds the vault's password; ansible.cfg names the same one."""
    return Path("~/.config/tars/vault-password").expanduser()


def secrets_file(inventory_dir: Path) -> Path:
    """Return the vault of a site, which Ansible loads as variables of all hosts."""
    return inventory_dir / "group_vars" / "all" / "secrets.yml"


def device_file(nas: str) -> Path:
    """Return the file for the token by which the NAS at that address recognises this computer.

    Like the vault's password it is useless without the vault, so it is kept beside the password, outside the project.
    """
    return vault_password_file().parent / f"dsm-device-{nas}.json"


def ensure(inventory_dir: Path, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Create the missing secrets of a site and return all of them as plain values.

    An existing secret is never replaced. `given` supplies values that a person chose (the password of an existing
    account); the others are random. Raises VaultError.
    """
    known = read(inventory_dir)
    missing = {name: (given or {}).get(name) or random.token_urlsafe(24) for name in NAMES if name not in known}
    if missing:
        known |= missing
        write(inventory_dir, known)
    return known


def write(inventory_dir: Path, secrets: Mapping[str, str]) -> None:
    """Replace the secrets of a site, in one step. Raises VaultError."""
    text = StringIO()
    YAML().dump({"tars_secrets": dict(secrets)}, text)
    path = secrets_file(inventory_dir)
    # One password opens the vaults of all sites of this computer.
    vaults = [path, *(secrets_file(site) for site in (home_inventory(), lab_inventory()))]
    encrypted = _vault(ensure_vault_password(*vaults)).encrypt(text.getvalue().encode())
    write_atomic(path, encrypted, 0o600)


def read(inventory_dir: Path) -> dict[str, str]:
    """Return the secrets of a site; empty if none were created yet. Raises VaultError."""
    path = secrets_file(inventory_dir)
    expected = f"an Ansible vault with the variable tars_secrets: {', '.join(NAMES)}"
    try:
        encrypted = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise VaultError(unusable(path, error, expected=expected)) from error
    from ansible.errors import AnsibleError  # importing ansible takes half a second, which most commands need not pay

    password_file = vault_password_file()
    if not encrypted.startswith(b"$ANSIBLE_VAULT;"):
        # The id must be given: with the project's ansible.cfg there are two passwords of the same id.
        options = ("--vault-password-file", password_file, "--encrypt-vault-id", "default")
        step = f"{next_step.shell(next_step.tool('ansible-vault'), 'encrypt', *options, path)} encrypts it"
        raise VaultError(message(path, found="a file that is not encrypted", expected=expected, next_step=step))
    try:
        data = YAML(typ="safe").load(bytes(_vault(ensure_vault_password(path)).decrypt(encrypted)).decode())
        return {str(name): str(value) for name, value in data["tars_secrets"].items()}
    except AnsibleError as error:
        raise VaultError(
            message(
                path,
                found=f"a vault that the password in {password_file} does not open",
                expected="the password with which it was encrypted",
                next_step="Restore that password file or this vault from your backup",
            )
        ) from error
    except (KeyError, TypeError, AttributeError, ValueError, YAMLError) as error:
        raise VaultError(message(path, found="other content", expected=expected)) from error


def ensure_vault_password(*vaults: Path) -> str:
    """Return the vault's password, and create it on first use.

    A new password could not open `vaults`: if one of them exists, a missing password file is an error.
    Raises VaultError.
    """
    path = vault_password_file()
    expected = "a file with the vault's password"
    try:
        if not path.exists():
            existing = next((vault for vault in vaults if vault.exists()), None)
            if existing:
                step = f"Copy the file with which {existing} was encrypted to {path}"
                raise VaultError(message(path, found="no such file", expected=expected, next_step=step))
            try:
                _create_password(path)
            except OSError as error:
                raise VaultError(unusable(path, error, expected=expected, next_step=_OTHER_HOME)) from error
        password = path.read_text().strip()
    except OSError as error:
        raise VaultError(unusable(path, error, expected=expected)) from error
    except UnicodeDecodeError as error:
        raise VaultError(message(path, found="bytes that are not text", expected=expected)) from error
    if not password:
        step = "Restore it from your backup, or remove it if no vault was encrypted with it"
        raise VaultError(message(path, found="an empty file", expected=expected, next_step=step))
    return password


def _create_password(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=path.parent) as private:
        draft = Path(private) / path.name
        draft.touch(0o600)
        draft.write_text(random.token_urlsafe(32) + "\n")
        # A link, unlike a rename, fails when another process was first: its password must stay.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)


def _vault(password: str) -> Any:
    from ansible.errors import AnsibleError

    try:
        from ansible.parsing.vault import VaultLib, VaultSecret
    except AnsibleError as error:  # importing it creates ~/.ansible/tmp
        raise VaultError(message("Ansible", found=error, expected="a writable home", next_step=_OTHER_HOME)) from error
    return VaultLib([("default", VaultSecret(password.encode()))])
