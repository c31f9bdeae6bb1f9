# SPDX-License-Identifier: GPL-3.0-or-later
"""The model store on disk, with the layout of Ollama's.

``blobs/sha256-<hex>`` are layers by digest, ``manifests/<host>/<namespace>/<model>/<tag>`` lists the layers of a model.
A manifest is written last, so a listed model is complete.
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
        """Return the file of the first layer of this type, None if there is none."""
        files = (blob_path(self.blobs, e["digest"]) for e in self.manifest["layers"] if e["mediaType"] == media_type)
        return next(files, None)

    def text(self, media_type: str) -> str:
        """Return the content of the first layer of this type, "" if there is none."""
        path = self.layer(media_type)
        return path.read_text() if path else ""

    @property
    def parameters(self) -> dict[str, Any]:
        """The options of the model, which those of a request override."""
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
    """Return the file of a digest. Raises ApiError(400) unless it is ``sha256:<64 hex>``: it becomes a file name."""
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
        """Return the path of a model's manifest."""
        return self.manifests / name.host / name.namespace / name.model / name.tag

    def find(self, name: ModelName) -> Model | None:
        """Return a pulled model, None if there is none. Raises ApiError(500) if its manifest or config is damaged."""
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
        """Return all models, the newest first, as `ollama list` prints them."""
        names = (ModelName(p.parts[-2], p.parts[-1], p.parts[-3], p.parts[-4]) for p in self._manifest_files())
        pulled = (self.find(name) for name in names)
        return sorted((model for model in pulled if model), key=lambda model: model.modified, reverse=True)

    def write(self, name: ModelName, manifest: bytes) -> bool:
        """Write the manifest of a model; return whether layers were removed that no model uses any longer."""
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
        """Remove a model and the layers that no other model uses. Raises ApiError(404)."""
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
        # A damaged manifest lists no layers; find() reports it.
        return set()
