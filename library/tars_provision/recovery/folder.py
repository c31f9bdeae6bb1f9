# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the site folder of a backup, and the vault's password, back to this computer."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import asdict, dataclass
from pathlib import Path

from tars_provision.errors import ProvisionError, message
from tars_provision.files import write_atomic
from tars_provision.project import SPEC

VAULT = Path("group_vars/all/secrets.yml")
NAME = ".recovery.json"
"""File of the site folder while a recovery is in progress."""


class FolderError(ProvisionError):
    """The site folder cannot be brought back without replacing what is there."""


@dataclass(frozen=True)
class Progress:
    """A recovery in progress.

    Attributes:
        backup: its id.
        step: the last one that is done: folder, desktop (whether it is bare was read) or site.
        bare: whether the desktop had no services before `site`; otherwise its data stay.
    """

    backup: str
    step: str
    bare: bool = True


def progress(inventory: Path) -> Progress | None:
    """Return the recovery that is in progress in a site folder. Raises FolderError."""
    path = inventory / NAME
    try:
        return Progress(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        step = f"Remove {path} to begin again"
        raise FolderError(message(path, found=error, expected="a recovery in progress", next_step=step)) from error


def record(inventory: Path, value: Progress | None) -> None:
    """Record the progress of a recovery; None: it is complete."""
    if value is None:
        (inventory / NAME).unlink()
    else:
        write_atomic(inventory / NAME, json.dumps(asdict(value)).encode(), 0o600)


def unpack(archive: bytes, inventory: Path) -> list[Path]:
    """Write the files of a site folder; return those that are new.

    The spec of a folder that was never initialised, as the sample in a checkout, is kept as SPEC.before-recovery.

    Raises:
        FolderError: a file exists with another content, or the archive has something else than files and folders.
    """
    with tarfile.open(fileobj=io.BytesIO(archive)) as content:
        members = content.getmembers()
        files: dict[Path, tuple[bytes, int]] = {}
        for member in members:
            target = (inventory / member.name).resolve()
            stream = content.extractfile(member) if member.isfile() else None
            if not target.is_relative_to(inventory.resolve()) or not (stream or member.isdir()):
                raise FolderError(
                    message("site folder", found=repr(member.name), expected="files and folders below it")
                )
            if stream:
                files[inventory / member.name] = (stream.read(), member.mode)
    spec, vault = inventory / SPEC, inventory / VAULT
    if spec.exists() and not vault.exists() and spec.read_bytes() != files.get(spec, (b"", 0))[0]:
        spec.replace(spec.with_name(f"{SPEC}.before-recovery"))
    differing = [path for path, (text, _mode) in files.items() if path.exists() and path.read_bytes() != text]
    if differing:
        step = f"Move {inventory} away, or name another folder with --inventory"
        expected = "the content of the backup, or no such file"
        raise FolderError(message(differing[0], found="another content", expected=expected, next_step=step))
    new = [path for path in files if not path.exists()]
    for path in new:
        text, mode = files[path]
        write_atomic(path, text, mode & 0o777)
    return new


def keep_vault_password(path: Path, password: str) -> bool:
    """Write the vault's password to its file; return whether it was new. Raises FolderError if another one is there."""
    if path.exists():
        if path.read_text().strip() == password:
            return False
        step = f"If no site on this computer uses it, move {path} away and run this command again"
        raise FolderError(message(path, found="another password", expected="that of the sheet", next_step=step))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomic(path, f"{password}\n".encode(), 0o600)
    return True
