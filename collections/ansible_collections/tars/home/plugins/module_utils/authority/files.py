# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a household's authority on the controller.

`root.pem` and `root.key` (encrypted) are the authority. What it issued lies below `issued/` and can be lost: the next
run issues it anew.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from typing import Any, List, Optional, Tuple

from ..system import files as file_set
from . import certificates as authority
from .certificates import AuthorityError, Wish


@dataclass(frozen=True)
class Root:
    """An authority that was opened: its certificate as PEM and as an object, and its key."""

    pem: bytes
    certificate: Any
    key: Any

    @property
    def facts(self) -> authority.Certificate:
        return authority.read(self.pem)


def root_path(folder: str) -> str:
    """Where the authority's certificate lies."""
    return os.path.join(folder, "root.pem")


def open_root(folder: str, passphrase: str, now: datetime) -> Optional[Root]:
    """The authority in a folder, None where there is none.

    Raises:
        AuthorityError: a part is missing, the passphrase does not fit, the key is not encrypted, or its time is over.
    """
    paths = root_path(folder), os.path.join(folder, "root.key")
    pem, key_pem = map(content, paths)
    if not pem and not key_pem:
        return None
    if not pem or not key_pem:
        raise AuthorityError(
            f"{paths[1 if pem else 0]}: wanted both parts of the authority, found only the other one. Put it back "
            f"from your backup, or move {folder} away to have a new authority, which every device has to trust anew."
        )
    try:
        certificate = authority.load(pem)
        key = authority.load_key(key_pem, passphrase)
    except TypeError:
        raise AuthorityError(
            f"{paths[1]}: wanted a key that is encrypted, found one that is not. Encrypt it with the passphrase in the "
            "vault (openssl pkcs8 -topk8 -v2 aes-256-cbc)."
        ) from None
    except ValueError as error:
        raise AuthorityError(
            f"{folder}: wanted root.pem, and a root.key that the passphrase opens, found something else ({error}). Put "
            "back the files and the passphrase that belong together."
        ) from None
    if authority.key_name(certificate.public_key()) != authority.key_name(key.public_key()):
        raise AuthorityError(f"{folder}: root.key is not the key of root.pem. Put back the files that belong together.")
    if now > certificate.not_valid_after_utc:
        raise AuthorityError(
            f"{paths[0]}: wanted an authority whose time is not over, found that it ended on "
            f"{certificate.not_valid_after_utc:%Y-%m-%d}. Move {folder} away to have a new one, which every "
            "device has to trust anew."
        )
    return Root(pem, certificate, key)


def make_root(folder: str, passphrase: str, name: str, wish: Wish, now: datetime) -> None:
    """Make an authority. Its key is on the disk, encrypted, before its certificate is."""
    key = authority.make_key("root")
    file_set.make_folder(folder, 0o700)
    _write(os.path.join(folder, "root.key"), authority.key_pem(key, passphrase), 0o600)
    _write(root_path(folder), authority.make_root(key, name, wish, now), 0o644)


@dataclass(frozen=True)
class Issued:
    """A certificate that an authority issued, or shall issue. Its key lies beside it, unless a request came with it."""

    folder: str
    name: str
    wish: Wish
    request: Optional[str] = None

    @property
    def path(self) -> str:
        return os.path.join(self.folder, "issued", f"{self.name}.pem")

    @property
    def key_path(self) -> str:
        return os.path.join(self.folder, "issued", f"{self.name}.key")

    @property
    def pem(self) -> bytes:
        """The certificate; empty where there is none."""
        return content(self.path)

    def reasons(self, root: Root, now: datetime) -> Tuple[str, ...]:
        """Why it has to be issued anew; empty where it does not. Raises AuthorityError where it must not be."""
        if not root.facts.scope.holds(self.wish.scope):
            raise AuthorityError(
                f"{self.name}: wanted a certificate for {self.wish.scope}, found that the authority vouches for "
                f"{root.facts.scope} alone. Correct names and addresses."
            )
        try:
            found = authority.read(self.pem, root.certificate) if self.pem else None
            key = self._public_key()
        except (ValueError, TypeError) as error:
            return (f"it cannot be read ({error})",)
        missing = ("its key is not there",) if key is None and self.request is None else ()
        name = None if key is None else authority.key_name(key)
        return missing + authority.reasons(found, self.wish, name, root.certificate.not_valid_after_utc, now)

    def issue(self, root: Root, now: datetime) -> None:
        """Issue it, for the key that is there; make that first where there is none."""
        try:
            key = self._public_key()
        except (ValueError, TypeError):
            key = None
        file_set.make_folder(os.path.dirname(self.path), 0o700)
        if key is None:
            private = authority.make_key(self.wish.kind)
            _write(self.key_path, authority.key_pem(private), 0o600)
            key = private.public_key()
        _write(self.path, authority.issue(root.certificate, root.key, key, self.name, self.wish, now), 0o644)

    def _public_key(self) -> Any:
        """The key it is wanted for; None where there is none yet. An empty request stands for one that comes later."""
        if self.request is not None:
            return authority.requested_key(self.request) if self.request else None
        pem = content(self.key_path)
        return authority.load_key(pem).public_key() if pem else None


def described(pem: bytes) -> List[str]:
    """A certificate in lines for people; nothing where there is none."""
    if not pem:
        return []
    facts = authority.read(pem)
    return [
        f"{facts.kind} for {facts.scope}",
        f"from {facts.start:%Y-%m-%d} to {facts.end:%Y-%m-%d}",
        f"SHA-256 {authority.fingerprint(pem)}",
    ]


def content(path: str) -> bytes:
    """What a file holds; empty where there is none."""
    entry = file_set.read(path)
    return (entry and entry.content) or b""


def _write(path: str, content: bytes, mode: int) -> None:
    file_set.write_file(path, content, mode)
