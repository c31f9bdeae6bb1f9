# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of a site: made once, kept in an Ansible vault beside the spec, never changed by accident.

The vault's password lies in the owner's home, outside the project. Both files are readable by their owner alone.
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

from tars_provision.errors import Failure
from tars_provision.files import write_atomic

NAMES = ("authority_passphrase", "dsm_password", "dsm_backup_password", "postgres_password", "redis_password")
"""Secrets every site has, under the variable `tars_secrets`."""


class SecretsError(Failure):
    """The vault of a site cannot be opened, or does not hold what it must."""


def vault_password_file() -> Path:
    """Return the file that holds the vault's password; ansible.cfg names the same one."""
    return Path("~/.config/tars/vault-password").expanduser()


def secrets_file(inventory_dir: Path) -> Path:
    """Return the vault of a site, which Ansible loads as variables of all hosts."""
    return inventory_dir / "group_vars" / "all" / "secrets.yml"


def device_file(nas: str) -> Path:
    """Return the file for the token by which the NAS at that address knows this computer, and what it last sent.

    Like the vault's password it opens nothing without the vault, so it lies beside that and not in the project.
    """
    return vault_password_file().parent / f"dsm-device-{nas}.json"


def ensure(inventory_dir: Path, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Make what is missing of a site's secrets and return all of them as plain values.

    A secret that exists is never replaced. `given` supplies values that a person chose (the password of an account that
    exists already); the others are made at random.
    """
    found = read(inventory_dir)
    missing = {name: (given or {}).get(name) or random.token_urlsafe(24) for name in NAMES if name not in found}
    if missing:
        found |= missing
        text = StringIO()
        YAML().dump({"tars_secrets": found}, text)
        write_atomic(secrets_file(inventory_dir), _vault().encrypt(text.getvalue().encode()), 0o600)
    return found


def read(inventory_dir: Path) -> dict[str, str]:
    """Return the secrets of a site; empty where none were made yet."""
    path = secrets_file(inventory_dir)
    try:
        encrypted = path.read_bytes()
    except FileNotFoundError:
        return {}
    from ansible.errors import AnsibleError  # importing ansible takes half a second, which most commands need not pay

    if not encrypted.startswith(b"$ANSIBLE_VAULT;"):
        step = f"`ansible-vault encrypt --vault-password-file {vault_password_file()} {path}` makes one of it"
        raise SecretsError(f"{path}: wanted an Ansible vault, found a file that is not encrypted; {step}.")
    try:
        data = YAML(typ="safe").load(bytes(_vault().decrypt(encrypted)).decode())
        return {str(name): str(value) for name, value in data["tars_secrets"].items()}
    except AnsibleError as error:
        raise SecretsError(
            f"{path}: wanted to open it with the password in {vault_password_file()}, found that it does not fit. "
            "Put back the password it was made with (it is in your backup), or restore the file."
        ) from error
    except (KeyError, TypeError, AttributeError) as error:
        wanted = f"the variable tars_secrets with {', '.join(NAMES)}"
        raise SecretsError(f"{path}: wanted {wanted}, found something else") from error


def ensure_vault_password() -> str:
    """Return the vault's password; make it on first use."""
    path = vault_password_file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=path.parent) as private:
            draft = Path(private) / path.name
            write_atomic(draft, (random.token_urlsafe(32) + "\n").encode(), 0o600)
            # A link, unlike a rename, fails when another process was first: its password must stay.
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
    return path.read_text().strip()


def _vault() -> Any:
    from ansible.parsing.vault import VaultLib, VaultSecret

    return VaultLib([("default", VaultSecret(ensure_vault_password().encode()))])
