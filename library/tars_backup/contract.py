# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of the desktop, from the contract file that the role `stack` writes (docs/reference/contract.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import BackupError

SCHEMA = 1


@dataclass(frozen=True)
class Service:
    """A service of the Compose project; `volumes` are pairs of the folder on the machine and in the container."""

    container: str
    image: str
    user: int
    volumes: tuple[tuple[Path, str], ...]


@dataclass(frozen=True)
class Contract:
    """What the contract states about the services; see docs/reference/contract.md for the keys of the objects."""

    version: str
    project: str
    folder: Path
    compose_file: Path
    data_folder: Path
    documents_folder: Path
    application: Mapping[str, Any]
    images: Mapping[str, str]
    services: Mapping[str, Service]
    database: Mapping[str, Any]
    queue: Mapping[str, Any]
    vectors: Mapping[str, Any]
    models: Mapping[str, Any]
    page: Mapping[str, Any]


def load(path: Path) -> Contract:
    """Return the contract of a file.

    Raises:
        BackupError: the file cannot be read, has an unknown schema, or lacks a key.
    """
    next_step = "Run the site playbook, whose role `stack` writes this file"
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BackupError(path, found=error, expected="a readable JSON file", next_step=next_step) from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        schema = document.get("schema") if isinstance(document, dict) else document
        raise BackupError(path, found=f"schema {schema!r}", expected=f"schema {SCHEMA}", next_step=next_step)
    try:
        return Contract(
            version=document["version"],
            project=document["project"],
            folder=Path(document["folder"]),
            compose_file=Path(document["compose_file"]),
            data_folder=Path(document["data_folder"]),
            documents_folder=Path(document["documents_folder"]),
            application=document["application"],
            images=document["images"],
            services={name: _service(service) for name, service in document["services"].items()},
            database=document["database"],
            queue=document["queue"],
            vectors=document["vectors"],
            models=document["models"],
            page=document["page"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise BackupError(
            path, found=f"{type(error).__name__} {error}", expected="the keys of its schema", next_step=next_step
        ) from error


def _service(service: Mapping[str, Any]) -> Service:
    volumes = tuple((Path(volume["source"]), str(volume["target"])) for volume in service["volumes"])
    return Service(service["container"], service["image"], service["user"], volumes)
