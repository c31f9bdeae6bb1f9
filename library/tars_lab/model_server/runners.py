# SPDX-License-Identifier: GPL-3.0-or-later
"""Loaded models: one child process each, loaded on demand, one request at a time, unloaded when idle.

A separate process returns all memory of a model when it is unloaded, and a crash in native code ends one request, not
the server.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from . import store
from .errors import ApiError
from .settings import FOREVER_S, Settings

_LOG = logging.getLogger(__package__)

_RUNNER_ENVIRONMENT = {
    # Threads that wait by spinning occupy the cores of the threads that they wait for: a tenth of the speed under load.
    "OMP_WAIT_POLICY": "passive",
    # Memory that is used only while loading is returned to the system: 90 MB less with the sentence encoder.
    "MALLOC_MMAP_THRESHOLD_": "1000000",
    # ONNX Runtime reports its use to its maker otherwise (from release 1.29 on).
    "ORT_DISABLE_TELEMETRY": "1",
}

# "For ever" as Ollama writes it in expires_at: the largest duration its language has, 292 years.
_FOREVER = timedelta(microseconds=(2**63 - 1) // 1000)


@dataclass
class Runner:
    """A loaded model. client: the connection to its process. load_s: duration of loading, 0 if it was loaded before.

    lost: the process has broken off a connection. It is ending or hangs, which the system may report only later.
    """

    model: store.Model
    context_tokens: int
    folder: Path
    process: asyncio.subprocess.Process
    client: httpx.AsyncClient
    load_s: float
    expires_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    expiry: asyncio.TimerHandle | None = None
    uses: int = 0
    lost: bool = False

    def serves(self, model: store.Model, context_tokens: int) -> bool:
        """Return whether a request for this model and context size can be answered without loading again."""
        same = self.model.digest == model.digest and self.context_tokens == context_tokens
        return same and not self.lost and self.process.returncode is None

    def resident_bytes(self) -> int:
        """Return the memory of the process in bytes, including the mapped weights."""
        resident_pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return resident_pages * os.sysconf("SC_PAGE_SIZE")


class Runners:
    """The loaded models, by name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._runners: dict[str, Runner] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._unloads: set[asyncio.Task[None]] = set()
        self._pending = 0

    def loaded(self) -> list[Runner]:
        """Return the models in memory."""
        return [runner for runner in self._runners.values() if runner.process.returncode is None]

    @contextlib.asynccontextmanager
    async def use(self, model: store.Model, context_tokens: int, keep_alive_s: float | None) -> AsyncIterator[Runner]:
        """Wait until no other request uses the model, load it if necessary, and yield it.

        Raises ApiError(503) if the queue is full, ApiError(500) if the model cannot be loaded.
        """
        if self._pending >= self._settings.queue_limit:
            raise ApiError(503, "server busy, please try again.  maximum pending requests exceeded")
        name = str(model.name)
        self._pending += 1
        try:
            async with self._turns.setdefault(name, asyncio.Lock()):
                runner = await self._load(model, context_tokens)
                try:
                    yield runner
                finally:
                    self._idle(runner, self._settings.keep_alive_s if keep_alive_s is None else keep_alive_s)
        finally:
            self._pending -= 1

    async def unload(self, name: str) -> None:
        """Unload a model, after the end of a request that uses it."""
        async with self._turns.setdefault(name, asyncio.Lock()):
            runner = self._runners.pop(name, None)
            if runner:
                await _stop(runner)

    async def close(self) -> None:
        """Kill every process, also those with a running request."""
        runners, self._runners = list(self._runners.values()), {}
        for runner in runners:
            await _stop(runner)

    async def _load(self, model: store.Model, context_tokens: int) -> Runner:
        name = str(model.name)
        runner = self._runners.get(name)
        if runner and runner.serves(model, context_tokens):
            runner.load_s = 0.0
            runner.uses += 1
            return runner
        if runner:
            del self._runners[name]
            await _stop(runner)
        self._runners[name] = await _start(model, context_tokens)
        return self._runners[name]

    def _idle(self, runner: Runner, keep_alive_s: float) -> None:
        if runner.expiry:
            runner.expiry.cancel()
        lifetime = _FOREVER if keep_alive_s == FOREVER_S else timedelta(seconds=keep_alive_s)
        runner.expires_at = datetime.now(UTC) + lifetime
        if lifetime != _FOREVER:
            runner.expiry = asyncio.get_running_loop().call_later(keep_alive_s, self._expire, runner, runner.uses)

    def _expire(self, runner: Runner, uses: int) -> None:
        async def unload() -> None:
            async with self._turns[str(runner.model.name)]:
                # Not if an earlier request in the queue has used or reloaded it.
                if self._runners.get(str(runner.model.name)) is runner and runner.uses == uses:
                    del self._runners[str(runner.model.name)]
                    await _stop(runner)

        task = asyncio.create_task(unload())
        self._unloads.add(task)
        task.add_done_callback(self._unloads.discard)


async def _start(model: store.Model, context_tokens: int) -> Runner:
    started = time.monotonic()
    weights, tokenizer = model.layer(store.MODEL_LAYER), model.layer(store.TOKENIZER_LAYER)
    if not weights:
        raise ApiError(500, f"model '{model.name}': no model layer in its manifest; delete it and pull it again")
    module = "llama_runner" if model.config["model_format"] == "gguf" else "onnx_runner"
    files = [str(path) for path in (weights, tokenizer) if path]
    folder = Path(tempfile.mkdtemp(prefix="model-runner-"))
    socket = str(folder / "runner.sock")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"{__package__}.{module}", socket, *files, str(context_tokens), str(os.cpu_count() or 1),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env=os.environ | _RUNNER_ENVIRONMENT,
    )  # fmt: skip
    # A reused connection might be one that the other side is closing; on a Unix socket a new one costs nothing.
    transport = httpx.AsyncHTTPTransport(uds=socket, limits=httpx.Limits(max_keepalive_connections=0))
    # No time limit: an answer may take minutes, and the process ends with this one.
    client = httpx.AsyncClient(transport=transport, base_url="http://runner", timeout=None)  # noqa: S113
    runner = Runner(model, context_tokens, folder, process, client, 0.0)
    try:
        if process.stdout is None or await process.stdout.readline() != b"ready\n":
            status = await process.wait()
            raise ApiError(
                500, f"model '{model.name}': runner process has terminated: exit status {status}; see the log"
            )
    except BaseException:  # A cancelled request must not leave a process either.
        await _stop(runner)
        raise
    runner.load_s = time.monotonic() - started
    _LOG.info("%s loaded in %.2f s, %d tokens of context", model.name, runner.load_s, context_tokens)
    return runner


async def _stop(runner: Runner) -> None:
    if runner.expiry:
        runner.expiry.cancel()
    if runner.process.returncode is None:
        runner.process.kill()
    await runner.process.wait()
    await runner.client.aclose()
    shutil.rmtree(runner.folder)
    _LOG.info("%s unloaded", runner.model.name)
