# SPDX-License-Identifier: GPL-3.0-or-later
"""The model store on disk, laid out as Ollama's.

``blobs/sha256-<hex>`` holds layers by digest, ``manifests/<host>/<namespace>/<model>/<tag>`` names a model's layers.
A manifest is written last, so a model that is listed is whole.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from .errors import ApiError, model_not_found
from .names import ModelName

MODEL_LAYER = "application/vnd.ollama.image.model"
TOKENIZER_LAYER = "application/vnd.ollama.image.json"
TEMPLATE_LAYER = "application/vnd.ollama.image.template"
PARAMETERS_LAYER = "application/vnd.ollama.image.params"
LICENSE_LAYER = "application/vnd.ollama.image.license"
CONFIG = "application/vnd.docker.container.image.v1+json"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")


@dataclass(frozen=True)
class Model:
    """A model of the store. digest: SHA-256 of its manifest, hex. size: bytes of all its layers."""

    name: ModelName
    digest: str
    size: int
    modified: datetime
    manifest: dict[str, Any]
    config: dict[str, Any]
    blobs: Path

    def layer(self, media_type: str) -> Path | None:
        """The first layer's file, None where the model has no such layer."""
        found = (blob_path(self.blobs, e["digest"]) for e in self.manifest["layers"] if e["mediaType"] == media_type)
        return next(found, None)

    def text(self, media_type: str) -> str:
        """A layer's content; empty where there is none."""
        path = self.layer(media_type)
        return path.read_text() if path else ""

    @property
    def parameters(self) -> dict[str, Any]:
        """The options the model itself sets: beneath those of a request."""
        parameters: dict[str, Any] = json.loads(self.text(PARAMETERS_LAYER) or "{}")
        return parameters

    @property
    def details(self) -> dict[str, Any]:
        """The `details` object of tags, ps and show."""
        return {
            "parent_model": "",
            "format": self.config["model_format"],
            "family": self.config["model_family"],
            "families": self.config["model_families"],
            "parameter_size": self.config["model_type"],
            "quantization_level": self.config["file_type"],
        }


def blob_path(blobs: Path, digest: str) -> Path:
    """Raises ApiError(400) when digest is not ``sha256:<64 hex>`` (a digest becomes a file name)."""
    match = _DIGEST.fullmatch(digest)
    if not match:
        raise ApiError(400, "invalid digest format")
    return blobs / f"sha256-{match[1]}"


class Store:
    """Reads and writes the store below root."""

    def __init__(self, root: Path) -> None:
        self.blobs = root / "blobs"
        self.manifests = root / "manifests"
        self.blobs.mkdir(parents=True, exist_ok=True)
        self.manifests.mkdir(parents=True, exist_ok=True)

    def path(self, name: ModelName) -> Path:
        """Where the manifest of a model lies."""
        return self.manifests / name.host / name.namespace / name.model / name.tag

    def find(self, name: ModelName) -> Model | None:
        """None where the model was not pulled. Raises ApiError(500) when its manifest or config is damaged."""
        path = self.path(name)
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            manifest = json.loads(raw)
            config = json.loads(blob_path(self.blobs, manifest["config"]["digest"]).read_bytes())
            size = sum(entry["size"] for entry in (manifest["config"], *manifest["layers"]))
        except (ValueError, KeyError, TypeError, OSError) as error:
            damage = f"model '{name}': {path} is damaged ({error})"
            raise ApiError(500, f"{damage}; delete the model and pull it again") from error
        modified = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
        return Model(name, hashlib.sha256(raw).hexdigest(), size, modified, manifest, config, self.blobs)

    def models(self) -> list[Model]:
        """Newest first, as `ollama list` prints them."""
        names = (ModelName(p.parts[-2], p.parts[-1], p.parts[-3], p.parts[-4]) for p in self._manifest_files())
        found = (self.find(name) for name in names)
        return sorted((model for model in found if model), key=lambda model: model.modified, reverse=True)

    def write(self, name: ModelName, manifest: bytes) -> bool:
        """Name the layers of a model. Returns whether layers that no model names any more were removed."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        # The leading dot keeps a half-written manifest out of the list of models.
        temporary = path.with_name(f".{path.name}.partial")
        with temporary.open("wb") as file:
            file.write(manifest)
            file.flush()
            os.fsync(file.fileno())
        previous = path.read_bytes() if path.exists() else None
        temporary.replace(path)
        return self._prune(previous) if previous and previous != manifest else False

    def delete(self, name: ModelName) -> None:
        """Remove a model and the layers that no other model names. Raises ApiError(404)."""
        path = self.path(name)
        try:
            manifest = path.read_bytes()
        except FileNotFoundError:
            raise model_not_found(str(name)) from None
        path.unlink()
        self._prune(manifest)
        for folder in path.parents[:3]:
            if any(folder.iterdir()):
                break
            folder.rmdir()

    def _manifest_files(self) -> Iterator[Path]:
        return (p for p in self.manifests.glob("*/*/*/*") if p.is_file() and not p.name.startswith("."))

    def _prune(self, manifest: bytes) -> bool:
        in_use = set[str]().union(*(_digests(path.read_bytes()) for path in self._manifest_files()))
        unused = _digests(manifest) - in_use
        for digest in unused:
            blob_path(self.blobs, digest).unlink(missing_ok=True)
        return bool(unused)


def _digests(manifest: bytes) -> set[str]:
    try:
        content = json.loads(manifest)
        return {entry["digest"] for entry in (content["config"], *content["layers"])}
    except (ValueError, KeyError, TypeError):
        # A damaged manifest names nothing that could be looked up; find() reports it.
        return set()
