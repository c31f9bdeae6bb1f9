# SPDX-License-Identifier: GPL-3.0-or-later
"""The component `models`: names and digests of Ollama's models. Their bytes can be pulled again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..context import Context
from ..errors import BackupError
from ..state import State
from .staging import Staging

_FILE = "models.json"
_SUBJECT = "models"
_DEFAULTS = ("registry.ollama.ai", "library")
_BLOCK = 1 << 22


class Models:
    """The models in the store of the service `models`, read from its data folder.

    For Ollama a damaged file counts as present, until the model is run. Every file is therefore compared with the
    SHA-256 in its name: once, and again when its size or times have changed.
    """

    name = "models"
    derived = False

    def stage(self, context: Context, staging: Staging) -> dict[str, int]:
        """Write models.json; return the numbers of models and of damaged files.

        A damaged file does not fail the backup: it is reported, its digest is saved, and its bytes can be pulled again.

        Raises:
            BackupError: the store cannot be read, or the configuration asks for the models' bytes.
        """
        if context.configuration.models != "digests":
            raise BackupError("models", found=repr(context.configuration.models), expected="'digests'")
        context.progress("models")
        store = context.contract.services[context.contract.models["service"]].volumes[0][0]
        verified = _Verified(State(context.configuration.state))
        try:
            models = list(_models(store))
            damaged = [problem for model in models for problem in _damaged(store, model, verified, context)]
        except OSError as error:
            raise BackupError(error.filename, found=error.strerror, expected="a readable store of models") from error
        verified.save()
        for problem in damaged:
            context.progress(f"{problem}. Run the site playbook, whose role `models` pulls it again.")
        staging.write_json(_FILE, models)
        return {"models": len(models), "damaged": len(damaged)}

    def check(self, folder: Path, counts: Mapping[str, int]) -> list[str]:
        """Return what is wrong with models.json."""
        try:
            models = json.loads((folder / _FILE).read_bytes())
            digests = [blob["sha256"] for model in models for blob in model["files"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            return [f"{folder / _FILE}: {error!r}"]
        problems = [f"{_FILE}: {digest!r} is not a SHA-256" for digest in digests if not _is_sha256(digest)]
        if len(models) != counts.get("models"):
            problems.append(f"{_FILE} lists {len(models)} models, the manifest {dict(counts)}")
        return problems


class _Verified:
    """The files that had the right bytes, with the size and times they had then."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._before = state.read(_SUBJECT)
        self._now: dict[str, list[int]] = {}

    def is_whole(self, path: Path, sha256: str, context: Context) -> bool:
        """Return whether a file has a SHA-256. Raises OSError."""
        with path.open("rb") as file:
            status = path.stat()
            state = [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
            if self._before.get(sha256) != state:
                context.progress(f"models: reading {path.name}, {status.st_size >> 20} MiB")
                digest = hashlib.sha256()
                while block := file.read(_BLOCK):
                    context.deadline.remaining_s(f"verification of {path}")
                    digest.update(block)
                if digest.hexdigest() != sha256:
                    return False
        self._now[sha256] = state
        return True

    def save(self) -> None:
        """Keep the state for the next run. Raises OSError."""
        self._state.write(_SUBJECT, self._now)


def _models(store: Path) -> Iterator[dict[str, Any]]:
    """Yield the models of a store. Raises OSError, and BackupError for a manifest that cannot be read."""
    manifests = store / "manifests"
    for path in sorted(path for path in manifests.rglob("*") if path.is_file()):
        content = path.read_bytes()
        try:
            manifest = json.loads(content)
            layers = [manifest["config"], *manifest["layers"]]
            blobs = [{"sha256": layer["digest"].split(":", 1)[1], "size": layer["size"]} for layer in layers]
            if not all(_is_sha256(blob["sha256"]) for blob in blobs):
                raise ValueError("a digest is not a SHA-256")
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise BackupError(
                path,
                found=repr(error),
                expected="the manifest of a model",
                next_step="Remove the file, then run the site playbook, which pulls the model",
            ) from error
        *parts, tag = path.relative_to(manifests).parts
        while len(parts) > 1 and parts[0] in _DEFAULTS:
            del parts[0]
        yield {"name": f"{'/'.join(parts)}:{tag}", "manifest": hashlib.sha256(content).hexdigest(), "files": blobs}


def _damaged(store: Path, model: Mapping[str, Any], verified: _Verified, context: Context) -> Iterator[str]:
    for blob in model["files"]:
        path = _blob(store, blob["sha256"])
        if path is None:
            yield f"model {model['name']}: the file sha256-{blob['sha256']} is absent"
        elif not verified.is_whole(path, blob["sha256"], context):
            yield f"model {model['name']}: {path} is damaged"


def _blob(store: Path, sha256: str) -> Path | None:
    """Return the path of a file in the store; older releases of Ollama wrote a colon in its name."""
    paths = [store / "blobs" / f"sha256{separator}{sha256}" for separator in "-:"]
    return next((path for path in paths if path.is_file()), None)


def _is_sha256(text: object) -> bool:
    return isinstance(text, str) and len(text) == 64 and all(digit in "0123456789abcdef" for digit in text)
