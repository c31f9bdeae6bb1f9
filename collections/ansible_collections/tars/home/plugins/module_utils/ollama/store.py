# SPDX-License-Identifier: GPL-3.0-or-later
"""An Ollama server's store on disk: `manifests/HOST/NAMESPACE/MODEL/TAG` names the files in `blobs/` that make a model.

Every file is named by its SHA-256, which the server only compares at the pull.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator

from ..resource.errors import ResourceError
from .api import full_name

_HOST, _NAMESPACE = "registry.ollama.ai", "library"
_CHUNK = 1 << 20


class StoreError(ResourceError):
    """A model's files are absent or damaged. The message names the file."""


def manifest_path(folder: str, name: str) -> str:
    """Return the path of a model's manifest; host and namespace default to those of Ollama's library."""
    path, tag = full_name(name).rsplit(":", 1)
    parts = path.split("/")
    return os.path.join(folder, "manifests", *[_HOST, _NAMESPACE][: 3 - len(parts)], *parts, tag)


def blobs(folder: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield the SHA-256 and the path of each file of a model."""
    path = manifest_path(folder, name)
    try:
        with open(path, "rb") as file:
            manifest = json.load(file)
        digests = [layer["digest"] for layer in [manifest["config"], *manifest["layers"]]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{name}: its manifest {path} cannot be read ({error})") from None
    for digest in digests:
        algorithm, _, value = digest.partition(":")
        if algorithm != "sha256" or len(value) != 64:
            raise StoreError(f"{name}: its manifest {path} has the digest {digest!r}, expected a SHA-256")
        yield value, os.path.join(folder, "blobs", f"sha256-{value}")


def damaged(folder: str, name: str) -> list[str]:
    """Return a sentence for each file of a model that is absent, or whose content does not have the SHA-256 in its
    name."""
    problems = []
    for wanted, path in blobs(folder, name):
        try:
            has = sha256(path)
        except OSError as error:
            problems.append(f"{path} cannot be read ({error.strerror})")
            continue
        if has != wanted:
            problems.append(f"{path} is damaged: its content has the SHA-256 {has}")
    return problems


def sha256(path: str) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
