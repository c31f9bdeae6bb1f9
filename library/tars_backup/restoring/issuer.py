# SPDX-License-Identifier: GPL-3.0-or-later
"""The issuer of the page's certificates: the only part of the configuration that exists on the desktop alone.

Its key was made there. The other files of the configuration are written by the roles, from the spec and the vault. The
server of the page stores the certificates that it has issued in its data folder, which is therefore replaced by an
empty one: it issues them again with the restored key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import files, processes
from ..components import file_tree
from ..context import Context
from ..contract import Contract
from ..errors import BackupError
from ..restic import Restic
from . import folders, switch

COMPONENT = "configuration"

_OPENSSL_S = 60.0


@dataclass(frozen=True)
class Issuer:
    """Files of the issuer on this desktop, the service that uses them, and the root certificate above it."""

    key: Path
    certificate: Path
    service: str
    root: Path

    @property
    def files(self) -> tuple[Path, Path]:
        """Return the two files that a restore replaces."""
        return self.key, self.certificate


def of(contract: Contract) -> Issuer | None:
    """Return the issuer that a contract names, None if it names none."""
    page = contract.page
    if "issuer" not in page:
        return None
    paths = page["issuer"]
    return Issuer(Path(paths["key"]), Path(paths["certificate"]), str(page["service"]), Path(page["ca"]))


def replaceable(contract: Contract) -> list[Path]:
    """Return what a restore of the issuer replaces: its files, and the data folder of the service."""
    issuer = of(contract)
    return [*issuer.files, folders.data_folder(contract, issuer.service)] if issuer else []


def all_replaceable(contract: Contract) -> list[Path]:
    """Return all folders and files that a restore may replace."""
    return [*folders.replaceable(contract), *replaceable(contract)]


def services_of(contract: Contract, replaced: Sequence[Path]) -> list[str]:
    """Return the services that use some of these folders and files, in the order in which they are started."""
    files = replaceable(contract)
    services: list[str] = []
    if set(replaced) - set(files):
        image = contract.application["image"]
        services += [str(entry["service"]) for entry in (contract.database, contract.queue, contract.vectors)]
        services += sorted(
            (name for name, service in contract.services.items() if service.image == image), reverse=True
        )
    if set(replaced) & set(files):
        services.append(str(contract.page["service"]))
    return services


def differs(issuer: Issuer, restic: Restic, snapshot: str) -> bool:
    """Return whether a backup has other files of the issuer than this desktop.

    Raises:
        BackupError: the backup lacks one of them, or its certificate is not usable on this desktop; the message is the
            reason.
    """
    saved = {entry["path"]: entry["sha256"] for entry in json.loads(restic.dump(snapshot, f"{COMPONENT}/files.json"))}
    names = {path: path.relative_to("/").as_posix() for path in issuer.files}
    absent = [str(path) for path, name in names.items() if name not in saved]
    if absent:
        raise BackupError("backup", found=f"no {' and no '.join(absent)}", expected="the issuer of the certificates")
    if all(path.is_file() and _sha256(path.read_bytes()) == saved[name] for path, name in names.items()):
        return False
    certificate = restic.dump(snapshot, f"{COMPONENT}/{file_tree.TREE}/{names[issuer.certificate]}")
    _require_usable(issuer, certificate)
    return True


def build(context: Context, saved: Path) -> None:
    """Write the new files beside the living ones, and an empty data folder of the service.

    Args:
        context: of the command.
        saved: the restored folder of the component `configuration`.

    Raises:
        BackupError: the saved key is not that of the saved certificate.
    """
    issuer = of(context.contract)
    assert issuer is not None  # noqa: S101  for the type checker: without an issuer it is not a part
    key, certificate = ((saved / file_tree.TREE / path.relative_to("/")).read_bytes() for path in issuer.files)
    if _openssl("pkey", "-pubout", stdin=key) != _openssl("x509", "-noout", "-pubkey", stdin=certificate):
        raise BackupError(
            "saved issuer of the certificates",
            found=f"a key that is not the one of {issuer.certificate.name}",
            expected="the key of the certificate",
            next_step="Restore the database alone, with --component postgres",
        )
    folders.make(context.contract, issuer.service, switch.new_folder(replaceable(context.contract)[-1]))
    for path, content in zip(issuer.files, (key, certificate)):
        new = switch.new_folder(path)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        files.write(new, content, 0o400)
        folders.own(context.contract, issuer.service, new)
        new.chmod(0o400)


def _require_usable(issuer: Issuer, certificate: bytes) -> None:
    """Check that a saved certificate is valid today, by the authority of this desktop, for the same names.

    Raises:
        BackupError: it is not; the message is the reason.
    """
    subject = f"saved {issuer.certificate.name}"
    done = processes.attempt(
        ["openssl", "verify", "-CAfile", issuer.root, "-no-CApath", "-no-CAstore"],
        deadline_s=_OPENSSL_S,
        stdin=certificate,
    )
    if done.status:
        reason = " ".join(done.errors.split())
        raise BackupError(subject, found=f"openssl verify: {reason[-300:]}", expected=f"signed by {issuer.root}")
    if issuer.certificate.is_file():
        present = issuer.certificate.read_bytes()
        names, other = (
            _openssl("x509", "-noout", "-ext", "nameConstraints", stdin=pem) for pem in (certificate, present)
        )
        if names != other:
            raise BackupError(subject, found="other names or addresses", expected="those of the page now")


def _openssl(*words: str, stdin: bytes) -> bytes:
    return processes.run(["openssl", *words], deadline_s=_OPENSSL_S, stdin=stdin)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
