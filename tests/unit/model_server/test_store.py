# SPDX-License-Identifier: GPL-3.0-or-later
"""The store on disk: listed models are complete, deleted ones are removed, shared layers stay."""

import hashlib
import json
from pathlib import Path

import pytest

from tars_lab.model_server.errors import ApiError
from tars_lab.model_server.names import ModelName
from tars_lab.model_server.store import MODEL_LAYER, PARAMETERS_LAYER, Store, blob_path

CONFIG = {
    "model_format": "gguf",
    "model_family": "llama",
    "model_families": ["llama"],
    "model_type": "1M",
    "file_type": "F16",
}


def put_blob(store: Store, content: bytes) -> dict[str, object]:
    digest = hashlib.sha256(content).hexdigest()
    (store.blobs / f"sha256-{digest}").write_bytes(content)
    return {"digest": f"sha256:{digest}", "size": len(content)}


def put_model(store: Store, name: str, weights: bytes) -> bytes:
    layers = [
        {"mediaType": MODEL_LAYER, **put_blob(store, weights)},
        {"mediaType": PARAMETERS_LAYER, **put_blob(store, b'{"stop": ["x"]}')},
    ]
    config = put_blob(store, json.dumps(CONFIG).encode())
    manifest = json.dumps({"config": config, "layers": layers}).encode()
    store.write(ModelName.parse(name), manifest)
    return manifest


def blobs(store: Store) -> int:
    return len(list(store.blobs.iterdir()))


def test_model_of_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path)
    manifest = put_model(store, "a:1", b"weights")
    assert (tmp_path / "manifests/registry.ollama.ai/library/a/1").read_bytes() == manifest
    (model,) = Store(tmp_path).models()
    assert str(model.name) == "a:1"
    assert model.digest == hashlib.sha256(manifest).hexdigest()
    assert model.size == len(b"weights") + len(b'{"stop": ["x"]}') + len(json.dumps(CONFIG))
    weights = model.layer(MODEL_LAYER)
    assert weights and weights.read_bytes() == b"weights"
    assert model.parameters == {"stop": ["x"]}
    assert model.details["quantization_level"] == "F16"


def test_delete_keeps_layers_that_another_model_uses(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put_model(store, "a:1", b"one")
    put_model(store, "b:1", b"two")
    assert blobs(store) == 4
    store.delete(ModelName.parse("a:1"))
    assert blobs(store) == 3
    assert store.find(ModelName.parse("b:1"))
    assert not (store.manifests / "registry.ollama.ai/library/a").exists()
    store.delete(ModelName.parse("b:1"))
    assert (blobs(store), store.models()) == (0, [])


def test_replacing_a_model_removes_its_unused_layers(tmp_path: Path) -> None:
    store = Store(tmp_path)
    old = put_model(store, "a:1", b"old")
    assert store.write(ModelName.parse("a:1"), old) is False
    put_model(store, "a:1", b"new")
    assert not blob_path(store.blobs, f"sha256:{hashlib.sha256(b'old').hexdigest()}").exists()
    assert store.find(ModelName.parse("a:1"))


def test_a_partial_manifest_is_not_listed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put_model(store, "a:1", b"x")
    (store.manifests / "registry.ollama.ai/library/a/.2.partial").write_text("{")
    assert [str(model.name) for model in store.models()] == ["a:1"]


def test_a_damaged_manifest_is_reported_with_the_next_step(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put_model(store, "a:1", b"x")
    store.path(ModelName.parse("a:1")).write_text("{}")
    with pytest.raises(ApiError, match=r"library/a/1 is damaged.*pull it again"):
        store.find(ModelName.parse("a:1"))


def test_unknown_model(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.find(ModelName.parse("a")) is None
    with pytest.raises(ApiError) as caught:
        store.delete(ModelName.parse("a"))
    assert (caught.value.status, caught.value.message) == (404, "model 'a:latest' not found")


@pytest.mark.parametrize("digest", ["", "sha256:", "md5:00", "sha256:" + "0" * 63, "sha256:../" + "0" * 61])
def test_a_digest_cannot_be_a_path(tmp_path: Path, digest: str) -> None:
    with pytest.raises(ApiError, match="invalid digest"):
        blob_path(tmp_path, digest)
