# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a private certificate authority on the controller, and both as resources.

`root.pem` and `root.key` (encrypted) are the authority. What it issued is below `issued/` and may be lost: the next run
issues it again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..resource.converge import Resource
from ..system import files as file_set
from . import certificates as authority
from .certificates import AuthorityError, Desired


@dataclass(frozen=True)
class Root:
    """An opened authority: its certificate as PEM and as an object, and its key."""

    pem: bytes
    certificate: Any
    key: Any

    @property
    def facts(self) -> authority.Certificate:
        """The certificate as a value."""
        return authority.read(self.pem)


def root_path(folder: str) -> str:
    """Return the path of the authority's certificate."""
    return os.path.join(folder, "root.pem")


def open_root(folder: str, passphrase: str, now: datetime) -> Root | None:
    """Return the authority in a folder, None if there is none.

    Raises:
        AuthorityError: a part is missing, the passphrase does not fit, the key is not encrypted, or it has expired.
    """
    paths = root_path(folder), os.path.join(folder, "root.key")
    pem, key_pem = map(content, paths)
    if not pem and not key_pem:
        return None
    if not pem or not key_pem:
        missing, present = paths if key_pem else paths[::-1]
        raise AuthorityError(
            f"{missing}: expected both parts of the authority, found only {present}. Put the file back from your "
            f"backup, or move {folder} away to get a new authority, which every device has to trust again."
        )
    try:
        certificate = authority.load(pem)
        key = authority.load_key(key_pem, passphrase)
    except TypeError:
        raise AuthorityError(
            f"{paths[1]}: expected an encrypted key, found an unencrypted one. Encrypt it with the passphrase in the "
            "vault (openssl pkcs8 -topk8 -v2 aes-256-cbc)."
        ) from None
    except ValueError as error:
        raise AuthorityError(
            f"{folder}: expected root.pem, and a root.key that the passphrase opens ({error}). Put back the files and "
            "the passphrase that belong together."
        ) from None
    if authority.key_name(certificate.public_key()) != authority.key_name(key.public_key()):
        raise AuthorityError(f"{folder}: root.key is not the key of root.pem. Put back the files that belong together.")
    if now > certificate.not_valid_after_utc:
        raise AuthorityError(
            f"{paths[0]}: expected a valid authority, found one that ended on "
            f"{certificate.not_valid_after_utc:%Y-%m-%d}. Move {folder} away to get a new one, which every device has "
            "to trust again."
        )
    return Root(pem, certificate, key)


def make_root(folder: str, passphrase: str, name: str, desired: Desired, now: datetime) -> None:
    """Create an authority. Its encrypted key is on the disk before its certificate is."""
    key = authority.make_key("root")
    file_set.make_folder(folder, 0o700)
    file_set.write_file(os.path.join(folder, "root.key"), authority.key_pem(key, passphrase), 0o600)
    file_set.write_file(root_path(folder), authority.make_root(key, name, desired, now), 0o644)


def root_resource(
    folder: str, passphrase: str, name: str, desired: Desired, now: datetime
) -> Resource[Root | None, str]:
    """Return the authority in a folder as a resource. It is created if missing, and never replaced."""

    def plan(root: Root | None) -> list[str]:
        if root is None:
            return [f"create the certificate authority {root_path(folder)} for {desired.scope}"]
        if root.facts.scope != desired.scope:
            raise AuthorityError(
                f"{root_path(folder)}: found an authority for {root.facts.scope}, expected {desired.scope}; this "
                f"cannot be changed. Move {folder} away to get a new one, which every device has to trust again."
            )
        return []

    def diff(before: Root | None, after: Root | None) -> dict[str, str]:
        return {
            "before": _text(before.pem if before else b""),
            "after": _text(after.pem) if after else "a new authority\n",
        }

    return Resource(
        read=lambda: open_root(folder, passphrase, now),
        plan=plan,
        predict=lambda root, changes: root,
        write=lambda changes: make_root(folder, passphrase, name, desired, now),
        show=lambda root: {"path": root_path(folder), "fingerprint": authority.fingerprint(root.pem) if root else ""},
        diff=diff,
    )


@dataclass(frozen=True)
class Issued:
    """A certificate to issue. Its key is beside it, unless a request came with it.

    `present` is the certificate (PEM) that the machine of the request has, empty if it has none.
    """

    folder: str
    name: str
    desired: Desired
    request: str | None = None
    present: str = ""

    @property
    def path(self) -> str:
        """Path of the certificate."""
        return os.path.join(self.folder, "issued", f"{self.name}.pem")

    @property
    def key_path(self) -> str:
        """Path of the key."""
        return os.path.join(self.folder, "issued", f"{self.name}.key")

    @property
    def pem(self) -> bytes:
        """The certificate; empty if there is none."""
        return content(self.path)

    @property
    def machine_pem(self) -> bytes:
        """The certificate of the machine in the form of a file; empty if it has none."""
        return f"{self.present.strip()}\n".encode() if self.present.strip() else b""

    def reasons(self, root: Root, now: datetime) -> tuple[str, ...]:
        """Return why it has to be issued, nothing if it does not. Raises AuthorityError if it must not be issued."""
        return self._reasons(self.pem, root, now)

    def is_on_machine(self, root: Root, now: datetime) -> bool:
        """Return whether the machine has a certificate that there is no reason to issue again."""
        return bool(self.machine_pem) and not self._reasons(self.machine_pem, root, now)

    def _reasons(self, pem: bytes, root: Root, now: datetime) -> tuple[str, ...]:
        if not root.facts.scope.contains(self.desired.scope):
            raise AuthorityError(
                f"certificate {self.name}: found {self.desired.scope}, expected names and addresses inside those of "
                f"the authority, {root.facts.scope}. Use names and addresses inside them."
            )
        try:
            current = authority.read(pem, root.certificate) if pem else None
            key = self._public_key()
        except (ValueError, TypeError) as error:
            return (f"it cannot be read ({error})",)
        missing = ("its key does not exist",) if key is None and self.request is None else ()
        name = None if key is None else authority.key_name(key)
        return missing + authority.reasons(current, self.desired, name, root.certificate.not_valid_after_utc, now)

    def issue(self, root: Root, now: datetime) -> None:
        """Take it over from the machine, or issue it for its key, which is created first if there is none."""
        if self.is_on_machine(root, now):
            file_set.make_folder(os.path.dirname(self.path), 0o700)
            file_set.write_file(self.path, self.machine_pem, 0o644)
            return
        try:
            key = self._public_key()
        except (ValueError, TypeError):
            key = None
        file_set.make_folder(os.path.dirname(self.path), 0o700)
        if key is None:
            private = authority.make_key(self.desired.kind)
            file_set.write_file(self.key_path, authority.key_pem(private), 0o600)
            key = private.public_key()
        pem = authority.issue(root.certificate, root.key, key, self.name, self.desired, now)
        file_set.write_file(self.path, pem, 0o644)

    def _public_key(self) -> Any:
        """Return the key that it is for, None if there is none yet, as with the empty request of check mode."""
        if self.request is not None:
            return authority.requested_key(self.request) if self.request else None
        pem = content(self.key_path)
        return authority.load_key(pem).public_key() if pem else None


@dataclass(frozen=True)
class Issue:
    """A certificate that has to be issued, or taken over from its machine, and why."""

    certificate: Issued
    reasons: tuple[str, ...]
    on_machine: bool = False

    def __str__(self) -> str:
        verb = "take over from the machine" if self.on_machine else "issue"
        return f"{verb} the certificate {self.certificate.name}: {'; '.join(self.reasons)}"


@dataclass(frozen=True)
class Stored:
    """The authority, None if there is none, and the certificates (PEM) by name."""

    root: Root | None
    certificates: Mapping[str, bytes]


def issued_resource(
    folder: str, passphrase: str, certificates: Sequence[Issued], now: datetime, check_mode: bool
) -> Resource[Stored, Issue]:
    """Return certificates of an authority as a resource. In check mode the authority need not exist yet."""

    def read() -> Stored:
        root = open_root(folder, passphrase, now)
        return Stored(root, {certificate.name: certificate.pem for certificate in certificates})

    def opened(root: Root | None) -> Root:
        if root is None:
            raise AuthorityError(
                f"{folder}: expected an authority, found none. Run the role tars.home.authority first."
            )
        return root

    def plan(stored: Stored) -> list[Issue]:
        if stored.root is None and check_mode:
            return [Issue(certificate, ("the authority does not exist yet",)) for certificate in certificates]
        root = opened(stored.root)
        changes = [
            Issue(certificate, certificate.reasons(root, now), certificate.is_on_machine(root, now))
            for certificate in certificates
        ]
        return [change for change in changes if change.reasons]

    def write(changes: Sequence[Issue]) -> None:
        root = opened(open_root(folder, passphrase, now))
        for change in changes:
            change.certificate.issue(root, now)

    return Resource(
        read=read,
        plan=plan,
        predict=lambda stored, changes: stored,
        write=write,
        show=lambda stored: {
            "certificates": {name: pem.decode() for name, pem in stored.certificates.items()},
            "root": stored.root.pem.decode() if stored.root else "",
        },
    )


def issue_diff(stored: Stored, change: Issue) -> dict[str, str]:
    """Return Ansible's diff of a certificate: the one before, and the reasons to issue it."""
    certificate = change.certificate
    return {
        "before_header": certificate.path,
        "after_header": certificate.path,
        "before": _text(stored.certificates[certificate.name]),
        "after": f"{certificate.desired.kind} for {certificate.desired.scope}: {'; '.join(change.reasons)}\n",
    }


def content(path: str) -> bytes:
    """Return the content of a file; empty if there is none."""
    entry = file_set.read(path)
    return (entry and entry.content) or b""


def _text(pem: bytes) -> str:
    """Return a certificate in lines for people; nothing if there is none."""
    if not pem:
        return ""
    facts = authority.read(pem)
    lines = [
        f"{facts.kind} for {facts.scope}",
        f"from {facts.start:%Y-%m-%d} to {facts.end:%Y-%m-%d}",
        f"SHA-256 {authority.fingerprint(pem)}",
    ]
    return "".join(f"{line}\n" for line in lines)
