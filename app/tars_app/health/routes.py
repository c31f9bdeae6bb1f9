# SPDX-License-Identifier: GPL-3.0-or-later
"""Liveness, readiness, and metrics."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from tars_app import __version__
from tars_app.dependencies import Dependencies
from tars_app.health.checks import Readiness, check_all
from tars_app.health.index_metrics import IndexCollector
from tars_app.kit.metrics import Metrics


def make_router(dependencies: Dependencies, metrics: Metrics) -> APIRouter:
    """Return the routes for monitoring the service."""
    metrics.registry.register(IndexCollector(dependencies.pool, dependencies.passages))
    router = APIRouter(tags=["health"])

    @router.get("/health")
    def health() -> dict[str, str]:
        """Whether this process is alive; its dependencies may not be."""
        return {"status": "ok", "version": __version__}

    @router.get("/ready", responses={503: {"model": Readiness, "description": "Something it depends on is missing"}})
    async def ready(response: Response) -> Readiness:
        """The state of every dependency, checked now."""
        result = await check_all(dependencies)
        response.status_code = 200 if result.ready else 503
        return result

    @router.get("/metrics", response_class=Response)
    def prometheus() -> Response:
        """The metrics in Prometheus' text format."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router
