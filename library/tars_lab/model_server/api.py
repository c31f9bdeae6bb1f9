# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP API: routes, JSON in and out, streams of newline-delimited JSON."""

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from . import gguf, requests, store
from .errors import ApiError, model_not_found, model_not_pulled
from .inference import Inference
from .names import ModelName
from .replies import Reply, merge_chat, merge_generate, merge_pull
from .runners import Runners
from .settings import Settings
from .store import Model, Store, blob_path
from .transfer import Transfers

_Body = TypeVar("_Body", bound=requests.Body)


def make_app(settings: Settings) -> Starlette:
    """Return the server as an ASGI application, which unloads its models when it stops."""
    runners = Runners(settings)
    models = Store(settings.models)
    api = _Api(settings.version, models, runners, Inference(settings, runners), Transfers(models))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await runners.close()

    def route(path: str, handler: Callable[[Request], Awaitable[Response]], *methods: str) -> Route:
        return Route(path, handler, methods=methods)

    return Starlette(
        routes=[
            route("/", api.root, "GET", "HEAD"),
            route("/api/version", api.version, "GET", "HEAD"),
            route("/api/tags", api.tags, "GET", "HEAD"),
            route("/api/ps", api.ps, "GET"),
            route("/api/show", api.show, "POST"),
            route("/api/pull", api.pull, "POST"),
            route("/api/copy", api.copy, "POST"),
            route("/api/delete", api.delete, "DELETE"),
            route("/api/generate", api.generate, "POST"),
            route("/api/chat", api.chat, "POST"),
            route("/api/embed", api.embed, "POST"),
            route("/api/embeddings", api.embeddings, "POST"),
            route("/api/blobs/{digest}", api.has_blob, "HEAD"),
            route("/api/blobs/{digest}", api.put_blob, "POST"),
        ],
        exception_handlers={ApiError: _report},
        lifespan=lifespan,
    )


async def _report(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ApiError):
        raise error
    return JSONResponse({"error": error.message}, error.status)


async def _read(request: Request, body: type[_Body]) -> _Body:
    raw = await request.body()
    if not raw:
        raise ApiError(400, "missing request body")
    return requests.validate(body, raw)


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


class _Api:
    def __init__(
        self, version: str, models: Store, runners: Runners, inference: Inference, transfers: Transfers
    ) -> None:
        self._version = version
        self._models = models
        self._runners = runners
        self._inference = inference
        self._transfers = transfers

    async def root(self, _: Request) -> Response:
        return PlainTextResponse("Ollama is running")

    async def version(self, _: Request) -> Response:
        return JSONResponse({"version": self._version})

    async def tags(self, _: Request) -> Response:
        return JSONResponse({"models": [self._listed(model) for model in self._models.models()]})

    async def ps(self, _: Request) -> Response:
        loaded = [
            {
                **_identity(runner.model),
                "size": runner.resident_bytes(),
                "size_vram": 0,
                "context_length": runner.context_tokens,
                "expires_at": _time(runner.expires_at),
            }
            for runner in self._runners.loaded()
        ]
        return JSONResponse({"models": loaded})

    def _listed(self, model: Model) -> dict[str, Any]:
        return {**_identity(model), "modified_at": _time(model.modified), "size": model.size}

    async def show(self, request: Request) -> Response:
        body = await _read(request, requests.Show)
        model = self._models.find(body.model_name)
        if not model:
            raise model_not_found(body.model or body.name)
        return JSONResponse(await asyncio.to_thread(_describe, model))

    async def pull(self, request: Request) -> Response:
        body = await _read(request, requests.Pull)
        return Reply(self._transfers.pull(body.model_name), body.stream, merge_pull)

    async def copy(self, request: Request) -> Response:
        body = await _read(request, requests.Copy)
        source, destination = ModelName.parse(body.source), ModelName.parse(body.destination)
        if not self._models.find(source):
            raise model_not_found(body.source)
        self._models.write(destination, self._models.path(source).read_bytes())
        return Response()

    async def delete(self, request: Request) -> Response:
        body = await _read(request, requests.Delete)
        self._models.delete(body.model_name)
        await self._runners.unload(str(body.model_name))
        return Response()

    async def generate(self, request: Request) -> Response:
        body = await _read(request, requests.Generate)
        return Reply(self._inference.generate(body, self._pulled(body)), body.stream, merge_generate)

    async def chat(self, request: Request) -> Response:
        body = await _read(request, requests.Chat)
        return Reply(self._inference.chat(body, self._pulled(body)), body.stream, merge_chat)

    async def embed(self, request: Request) -> Response:
        body = await _read(request, requests.Embed)
        return JSONResponse(await self._inference.embed(body, self._pulled(body)))

    async def embeddings(self, request: Request) -> Response:
        old = await _read(request, requests.Embeddings)
        body = requests.Embed.model_validate(old.model_dump() | {"input": old.prompt})
        answer = await self._inference.embed(body, self._pulled(body))
        return JSONResponse({"embedding": answer["embeddings"][0]})

    async def has_blob(self, request: Request) -> Response:
        exists = blob_path(self._models.blobs, request.path_params["digest"]).exists()
        return Response(status_code=200 if exists else 404)

    async def put_blob(self, request: Request) -> Response:
        target = blob_path(self._models.blobs, request.path_params["digest"])
        digest = hashlib.sha256()
        temporary = target.with_name(f".{target.name}-{os.urandom(4).hex()}")
        try:
            with temporary.open("wb") as file:
                async for chunk in request.stream():
                    digest.update(chunk)
                    file.write(chunk)
            actual = f"sha256-{digest.hexdigest()}"
            if actual != target.name:
                raise ApiError(400, f"digest mismatch: expected {target.name}, found {actual}")
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        return Response(status_code=201)

    def _pulled(self, body: requests.ForModel) -> Model:
        model = self._models.find(body.model_name)
        if not model:
            raise model_not_pulled(body.model or body.name)
        return model


def _identity(model: Model) -> dict[str, Any]:
    return {"name": str(model.name), "model": str(model.name), "digest": model.digest, "details": model.details}


def _describe(model: Model) -> dict[str, Any]:
    weights = model.layer(store.MODEL_LAYER)
    information = model.config.get("model_info", {})
    if model.config["model_format"] == "gguf" and weights:
        information = gguf.read_metadata(weights)
    template, license_text = model.text(store.TEMPLATE_LAYER), model.text(store.LICENSE_LAYER)
    return {
        "license": license_text,
        "modelfile": f'FROM {weights}\nTEMPLATE """{template}"""\n',
        "parameters": "\n".join(_parameter_lines(model.parameters)),
        "template": template,
        "details": model.details,
        "model_info": information,
        "capabilities": ["completion"] if model.config["model_format"] == "gguf" else ["embedding"],
        "modified_at": _time(model.modified),
    }


def _parameter_lines(parameters: dict[str, Any]) -> list[str]:
    lists = {key: value if isinstance(value, list) else [value] for key, value in parameters.items()}
    pairs = ((key, value) for key, values in lists.items() for value in values)
    return [f'{key:<30} "{value}"' if isinstance(value, str) else f"{key:<30} {value}" for key, value in pairs]
