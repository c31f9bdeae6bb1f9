# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulling a model: its layers are copied from the shelf into the store, with progress, resumable and shared.

A blob grows as ``sha256-<hex>-partial`` and gets its name only when its digest is right. Whoever pulls the same layer
at the same time watches the same copy; when the last of them leaves, it stops and the next pull goes on where it ended.
"""

import asyncio
import hashlib
import io
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from . import shelf
from .errors import ApiError
from .names import ModelName
from .store import Store, blob_path

_CHUNK = 1 << 20
_REPORT_INTERVAL_S = 0.06


class Transfers:
    """The copies now running, by digest."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._running: dict[str, _Copy] = {}

    async def pull(self, name: ModelName) -> AsyncGenerator[dict[str, Any], None]:
        """The events of /api/pull. Raises ApiError(500) for a model the shelf has not got, and for a failed write."""
        yield {"status": "pulling manifest"}
        offer = await asyncio.to_thread(shelf.find, name)
        if not offer:
            raise ApiError(500, "pull model manifest: file does not exist")
        for layer in (*offer.layers, offer.config):
            progress = {"status": f"pulling {layer.digest[7:19]}", "digest": layer.digest, "total": layer.size}
            async for completed in self._fetch(layer):
                # Ollama leaves out a zero.
                yield progress | ({"completed": completed} if completed else {})
        yield {"status": "verifying sha256 digest"}
        yield {"status": "writing manifest"}
        if self._store.write(name, offer.manifest()):
            yield {"status": "removing unused layers"}
        yield {"status": "success"}

    async def _fetch(self, layer: shelf.Layer) -> AsyncGenerator[int, None]:
        """Yields the bytes that are there, the last time all of them."""
        target = blob_path(self._store.blobs, layer.digest)
        if not target.exists():
            copy = await self._join(layer, target)
            copy.watchers += 1
            try:
                while not copy.task.done():
                    yield copy.completed
                    await asyncio.wait({copy.task}, timeout=_REPORT_INTERVAL_S)
                copy.task.result()
            except OSError as error:
                raise ApiError(500, f"write {target}: {error.strerror}; mend that, then pull again") from error
            finally:
                copy.watchers -= 1
                if not copy.watchers:
                    copy.stop.set()
        yield layer.size

    async def _join(self, layer: shelf.Layer, target: Path) -> "_Copy":
        while (copy := self._running.get(layer.digest)) and copy.stop.is_set():
            # Its last watcher left, but its thread may still write.
            await asyncio.wait({copy.task})
        if not copy:
            copy = self._running[layer.digest] = _Copy(layer, target)
            copy.task.add_done_callback(lambda _: self._running.pop(layer.digest))
        return copy


class _Copy:
    def __init__(self, layer: shelf.Layer, target: Path) -> None:
        self.completed = 0
        self.watchers = 0
        self.stop = threading.Event()
        self._layer = layer
        self._target = target
        self.task = asyncio.create_task(asyncio.to_thread(self._run))

    def _run(self) -> None:
        partial = self._target.with_name(f"{self._target.name}-partial")
        layer_source = self._layer.source
        source = io.BytesIO(layer_source) if isinstance(layer_source, bytes) else layer_source.open("rb")
        digest = hashlib.sha256()
        with source, partial.open("a+b") as sink:
            sink.seek(0)
            while chunk := sink.read(_CHUNK):
                digest.update(chunk)
            source.seek(sink.tell())
            self.completed = sink.tell()
            while not self.stop.is_set() and (chunk := source.read(_CHUNK)):
                sink.write(chunk)
                digest.update(chunk)
                self.completed += len(chunk)
        if self.stop.is_set():
            return
        found = f"sha256:{digest.hexdigest()}"
        if found != self._layer.digest:
            partial.unlink()
            raise ApiError(
                500, f"digest mismatch, file must be downloaded again: want {self._layer.digest}, got {found}"
            )
        partial.replace(self._target)
