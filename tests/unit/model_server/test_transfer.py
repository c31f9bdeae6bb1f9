# SPDX-License-Identifier: GPL-3.0-or-later
"""A pull resumes, is shared, and renames a blob only after its digest was verified."""

import asyncio
import hashlib
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from tars_lab.model_server import catalogue, store
from tars_lab.model_server.errors import ApiError
from tars_lab.model_server.names import ModelName
from tars_lab.model_server.transfer import Transfers

NAME = ModelName("m")


def layer(media_type: str, content: bytes, source: Path | bytes) -> catalogue.Layer:
    return catalogue.Layer(media_type, f"sha256:{hashlib.sha256(content).hexdigest()}", len(content), source)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights"
    path.write_bytes(b"0123456789" * 300_000)
    return path


@pytest.fixture
def models(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> store.Store:
    """Return the transfers of a store, with a catalogue of one model with two layers."""
    config = b'{"model_format": "gguf"}'
    model = catalogue.CatalogueModel(
        layer(store.CONFIG, config, config), (layer(store.MODEL_LAYER, weights.read_bytes(), weights),)
    )
    monkeypatch.setattr(catalogue, "find", {NAME: model}.get)
    return store.Store(tmp_path / "models")


async def pull(transfers: Transfers, name: ModelName = NAME) -> list[dict[str, Any]]:
    return [event async for event in transfers.pull(name)]


async def test_events_in_ollamas_order(models: store.Store) -> None:
    events = await pull(Transfers(models))
    statuses = [event["status"] for event in events]
    assert statuses[0] == "pulling manifest"
    assert statuses[-3:] == ["verifying sha256 digest", "writing manifest", "success"]
    for event in events:
        if "digest" in event:
            assert event["status"] == f"pulling {event['digest'].removeprefix('sha256:')[:12]}"
    last = {event["digest"]: event for event in events if "digest" in event}
    assert len(last) == 2
    assert all(event["completed"] == event["total"] for event in last.values())
    assert models.find(NAME)


async def test_a_partial_blob_is_resumed(models: store.Store, weights: Path) -> None:
    content = weights.read_bytes()
    target = models.blobs / f"sha256-{hashlib.sha256(content).hexdigest()}"
    partial = target.with_name(f"{target.name}-partial")
    partial.write_bytes(content[:1_000_000])
    inode = partial.stat().st_ino
    await pull(Transfers(models))
    assert target.read_bytes() == content
    assert target.stat().st_ino == inode
    assert not partial.exists()


async def test_wrong_bytes_are_never_stored(models: store.Store, weights: Path) -> None:
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    (models.blobs / f"sha256-{digest}-partial").write_bytes(b"bad")
    with pytest.raises(ApiError, match="digest mismatch"):
        await pull(Transfers(models))
    assert list(models.blobs.iterdir()) == []
    assert models.find(NAME) is None
    await pull(Transfers(models))
    assert models.find(NAME)


async def test_two_pulls_share_one_copy(models: store.Store) -> None:
    transfers = Transfers(models)
    first, second = await asyncio.gather(pull(transfers), pull(transfers))
    assert first[-1] == second[-1] == {"status": "success"}
    assert len(list(models.blobs.iterdir())) == 2


async def test_a_cancelled_pull_can_be_repeated(models: store.Store) -> None:
    transfers = Transfers(models)
    events = transfers.pull(NAME)
    async with aclosing(events):
        async for event in events:
            if "digest" in event:
                break
    assert models.find(NAME) is None
    assert (await pull(transfers))[-1] == {"status": "success"}
    assert models.find(NAME)


async def test_a_failed_write_is_reported(models: store.Store) -> None:
    models.blobs.rmdir()
    with pytest.raises(ApiError, match=r"write .*/blobs/sha256-.*: No such file or directory; fix this"):
        await pull(Transfers(models))


async def test_unknown_model(models: store.Store) -> None:
    with pytest.raises(ApiError, match="pull model manifest: file does not exist"):
        await pull(Transfers(models), ModelName("nobody"))
