# SPDX-License-Identifier: GPL-3.0-or-later
import hashlib
import json
from pathlib import Path

import pytest
from ansible_collections.tars.home.plugins.module_utils.ollama import store as ollama_store

Store = tuple[Path, Path, Path]
"""Folder of the models, manifest of the model, file of its weights."""


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("llama3.1:8b", "registry.ollama.ai/library/llama3.1/8b"),
        ("all-minilm", "registry.ollama.ai/library/all-minilm/latest"),
        ("me/tuned:v1", "registry.ollama.ai/me/tuned/v1"),
        ("hf.co/someone/model:Q4_K_M", "hf.co/someone/model/Q4_K_M"),
    ],
)
def test_where_a_manifest_lies(name: str, path: str) -> None:
    assert ollama_store.manifest_path("/models", name) == f"/models/manifests/{path}"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    contents = [b"config", b"weights"]
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    (tmp_path / "blobs").mkdir()
    for digest, content in zip(digests, contents, strict=True):
        (tmp_path / "blobs" / f"sha256-{digest}").write_bytes(content)
    manifest = tmp_path / "manifests/registry.ollama.ai/library/m/latest"
    manifest.parent.mkdir(parents=True)
    config, layer = ({"digest": f"sha256:{digest}"} for digest in digests)
    manifest.write_text(json.dumps({"config": config, "layers": [layer]}))
    return tmp_path, manifest, tmp_path / "blobs" / f"sha256-{digests[1]}"


def test_a_whole_model_has_no_damage(store: Store) -> None:
    assert ollama_store.damaged(str(store[0]), "m") == []


def test_a_flipped_bit_is_found_by_name(store: Store) -> None:
    folder, _, weights = store
    weights.write_bytes(b"weighty")
    (problems,) = ollama_store.damaged(str(folder), "m")
    assert str(weights) in problems and hashlib.sha256(b"weighty").hexdigest() in problems


def test_a_file_that_is_gone_is_found(store: Store) -> None:
    folder, _, weights = store
    weights.unlink()
    assert ollama_store.damaged(str(folder), "m") == [f"{weights} cannot be read (No such file or directory)"]


@pytest.mark.parametrize("content", ["", "{}", '{"config": {"digest": "sha256:../../etc/passwd"}, "layers": []}'])
def test_a_manifest_that_names_nothing_is_an_error(store: Store, content: str) -> None:
    folder, manifest, _ = store
    manifest.write_text(content)
    with pytest.raises(ollama_store.StoreError, match="m: its manifest"):
        ollama_store.damaged(str(folder), "m")
