# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the web application together."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from tars_app import __version__
from tars_app.answers.routes import make_router as answers_router
from tars_app.backups.routes import make_router as backups_router
from tars_app.dependencies import make_dependencies
from tars_app.documents.routes import make_router as documents_router
from tars_app.forgetting.routes import make_router as forgetting_router
from tars_app.health.routes import make_router as health_router
from tars_app.kit.errors import RefusedError, UnavailableError
from tars_app.kit.instants import WrongTimeError
from tars_app.kit.metrics import Metrics
from tars_app.kit.middleware import RequestGuard
from tars_app.library.routes import make_router as library_router
from tars_app.originals.routes import make_router as originals_router
from tars_app.retrieval.routes import make_router as retrieval_router
from tars_app.retrieval.service import load_current
from tars_app.settings import Settings
from tars_app.snapshots.routes import make_router as snapshots_router
from tars_app.timeline.routes import make_router as timeline_router
from tars_app.trust.routes import make_router as trust_router
from tars_app.uploads.routes import PATH as UPLOADS
from tars_app.uploads.routes import make_router as uploads_router

UNEXPECTED = {
    "message": "The request failed because of an unexpected error.",
    "next_step": "Try again. If it fails again, check the log of the app container.",
}
WEB = Path(__file__).parent / "web"


def refused(_: Request, error: RefusedError) -> JSONResponse:
    """Return the answer to a request that was refused."""
    body = {"code": error.code, "message": str(error), "next_step": error.next_step, **error.details}
    return JSONResponse(body, error.status)


def create_app(settings: Settings) -> FastAPI:
    """Return the application for these settings. No dependency needs to be reachable yet; /ready reports them."""
    dependencies = make_dependencies(settings)
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        dependencies.pool.open(wait=False)
        stopped = threading.Event()
        threading.Thread(target=load_current, args=(dependencies, stopped), daemon=True).start()
        try:
            yield
        finally:
            stopped.set()
            dependencies.pool.close()

    app = FastAPI(
        title="T.A.R.S.",
        version=__version__,
        description="A private assistant that answers from the household's documents and cites them.",
        lifespan=lifespan,
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
    )
    app.exception_handler(RefusedError)(refused)
    app.add_middleware(RequestGuard, unlimited=frozenset({UPLOADS}))

    @app.exception_handler(UnavailableError)
    def unavailable(_: Request, error: UnavailableError) -> JSONResponse:
        return JSONResponse({"message": str(error), "next_step": error.next_step}, 503)

    @app.exception_handler(WrongTimeError)
    def wrong_time(_: Request, error: WrongTimeError) -> JSONResponse:
        return JSONResponse({"message": str(error), "next_step": "Ask with another time."}, 422)

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        # FastAPI's own handler repeats the input, which JSON cannot always express (lone surrogates, infinity).
        return JSONResponse({"detail": [{key: e[key] for key in ("type", "loc", "msg")} for e in error.errors()]}, 422)

    @app.exception_handler(Exception)
    def unexpected(_: Request, __: Exception) -> JSONResponse:  # starlette raises it again, and uvicorn logs it
        return JSONResponse(UNEXPECTED, 500)

    app.include_router(answers_router(dependencies, metrics))
    app.include_router(retrieval_router(dependencies))
    app.include_router(documents_router(dependencies))
    app.include_router(originals_router(dependencies))
    app.include_router(library_router(dependencies))
    app.include_router(uploads_router(dependencies))
    app.include_router(timeline_router(dependencies))
    app.include_router(snapshots_router(dependencies, metrics))
    app.include_router(forgetting_router(dependencies))
    app.include_router(health_router(dependencies, metrics))
    app.include_router(backups_router(settings, metrics))
    app.include_router(trust_router(settings))
    if WEB.is_dir():
        app.mount("/", StaticFiles(directory=WEB, html=True), name="web")
    return app
