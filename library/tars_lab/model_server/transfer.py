# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulling a model: its layers are copied from the catalogue into the store, with progress, resumable and shared.

A blob is written as ``sha256-<hex>-partial`` and renamed after its digest was verified. Concurrent pulls of the same
layer share one copy; when the last of them is cancelled, it stops, and the next pull continues it.
"""

import asyncio
import hashlib
import io
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from . import catalogue
from .errors import ApiError
from .names import ModelName
from .store import Store, blob_path

_CHUNK = 1 << 20
_REPORT_INTERVAL_S = 0.06


class Transfers:
    """The running copies, by digest."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._running: dict[str, _Copy] = {}

    async def pull(self, name: ModelName) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the events of /api/pull. Raises ApiError(500) for an unknown model and for a failed write."""
        yield {"status": "pulling manifest"}
        model = await asyncio.to_thread(catalogue.find, name)
        if not model:
            raise ApiError(500, "pull model manifest: file does not exist")
        for layer in (*model.layers, model.config):
            progress = {"status": f"pulling {layer.digest[7:19]}", "digest": layer.digest, "total": layer.size}
            async for completed in self._fetch(layer):
                # Ollama omits a zero.
                yield progress | ({"completed": completed} if completed else {})
        yield {"status": "verifying sha256 digest"}
        yield {"status": "writing manifest"}
        if self._store.write(name, model.manifest()):
            yield {"status": "removing unused layers"}
        yield {"status": "success"}

    async def _fetch(self, layer: catalogue.Layer) -> AsyncGenerator[int, None]:
        """Yield the number of bytes that have been copied, at the end the size of the layer."""
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
                raise ApiError(500, f"write {target}: {error.strerror}; fix this, then pull again") from error
            finally:
                copy.watchers -= 1
                if not copy.watchers:
                    copy.stop.set()
        yield layer.size

    async def _join(self, layer: catalogue.Layer, target: Path) -> "_Copy":
        while (copy := self._running.get(layer.digest)) and copy.stop.is_set():
            # It was cancelled, but its thread may still write.
            await asyncio.wait({copy.task})
        if not copy:
            copy = self._running[layer.digest] = _Copy(layer, target)
            copy.task.add_done_callback(lambda _: self._running.pop(layer.digest))
        return copy


class _Copy:
    def __init__(self, layer: catalogue.Layer, target: Path) -> None:
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
        actual = f"sha256:{digest.hexdigest()}"
        if actual != self._layer.digest:
            partial.unlink()
            raise ApiError(
                500, f"digest mismatch, file must be downloaded again: want {self._layer.digest}, got {actual}"
            )
        partial.replace(self._target)
