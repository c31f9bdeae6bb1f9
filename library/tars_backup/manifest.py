# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest: what a backup contains, with digests that prove it when it is read back."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from . import instants
from .errors import BackupError

SCHEMA = 1
NAME = "manifest.json"


@dataclass(frozen=True)
class Part:
    """One component of a backup: digest of its folder, number and bytes of its files, and its own counts."""

    digest: str
    files: int
    bytes: int
    counts: Mapping[str, int]
    facts: Mapping[str, str]
    derived: bool


@dataclass(frozen=True)
class Mark:
    """What proves that a backup is good: it was read back after it was made. `manifest` is the SHA-256 of the file."""

    id: str
    made_at: datetime
    content: str
    manifest: str


@dataclass(frozen=True)
class Manifest:
    """The content of manifest.json."""

    id: str
    made_at: datetime
    host: str
    versions: Mapping[str, str]
    components: Mapping[str, Part]
    content: str
    living: tuple[Mark, ...]

    def encoded(self) -> bytes:
        """Return the file's bytes: equal for equal manifests."""
        document = {"schema": SCHEMA, **dataclasses.asdict(self), "made_at": instants.to_text(self.made_at)}
        document["living"] = [mark_document(mark) for mark in self.living]
        return (json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()


def new_id(made_at: datetime) -> str:
    """Return a new backup id: its instant and 8 random hex digits."""
    return f"{made_at.astimezone(instants.UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def mark_document(mark: Mark) -> dict[str, str]:
    """Return a mark as a JSON object."""
    return {**dataclasses.asdict(mark), "made_at": instants.to_text(mark.made_at)}


def mark_of(document: Mapping[str, Any]) -> Mark:
    """Return the mark of a JSON object.

    Raises:
        KeyError, TypeError, ValueError: it is not a mark.
    """
    made_at = instants.from_text(document["made_at"])
    return Mark(str(document["id"]), made_at, str(document["content"]), str(document["manifest"]))


def decoded(content: bytes, subject: object) -> Manifest:
    """Return the manifest of a file's bytes.

    Raises:
        BackupError: it is not a manifest, or one of a newer version of this program.
    """
    try:
        document = json.loads(content)
        if document["schema"] != SCHEMA:
            raise BackupError(
                subject,
                found=f"manifest schema {document['schema']!r}",
                expected=f"schema {SCHEMA}",
                next_step="Use the version of T.A.R.S. that made this backup, or a newer one",
            )
        return Manifest(
            id=document["id"],
            made_at=instants.from_text(document["made_at"]),
            host=document["host"],
            versions=document["versions"],
            components={name: Part(**part) for name, part in document["components"].items()},
            content=document["content"],
            living=tuple(mark_of(entry) for entry in document["living"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError(subject, found=f"{type(error).__name__}: {error}", expected="a valid manifest") from error


def sha256(content: bytes) -> str:
    """Return the SHA-256 of bytes as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def digest_of(sums: Iterable[tuple[str, str]]) -> str:
    """Return the digest of a folder from the relative path and the SHA-256 of each of its files."""
    lines = sorted(f"{digest}  {path}\n" for path, digest in sums)
    return sha256("".join(lines).encode())


def content_of(components: Mapping[str, Part]) -> str:
    """Return the digest of a whole backup: of its components' digests, without derived components."""
    return digest_of((name, part.digest) for name, part in components.items() if not part.derived)


def part_of(folder: Path, digests: Mapping[str, str], size: int, counts: Mapping[str, int], *, derived: bool) -> Part:
    """Return the entry of a component from the SHA-256 of each of its files by path, and the bytes of all.

    Its file facts.json, if there is one, is an object of texts that the manifest repeats.
    """
    path = folder / "facts.json"
    facts: dict[str, str] = json.loads(path.read_bytes()) if path.exists() else {}
    return Part(digest_of(digests.items()), len(digests), size, dict(counts), facts, derived)


def read_part(folder: Path, counts: Mapping[str, int], *, derived: bool) -> Part:
    """Return the entry of a component whose files are read from a folder.

    Raises:
        BackupError: the folder contains something else than files and folders.
    """
    digests = {}
    total = 0
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        if path.is_symlink() or not path.is_file():
            raise BackupError(path, found="neither a file nor a folder", expected="files and folders")
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
                total += len(block)
        digests[path.relative_to(folder).as_posix()] = digest.hexdigest()
    return part_of(folder, digests, total, counts, derived=derived)
