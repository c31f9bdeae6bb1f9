# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the backups for the page, and for Prometheus."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter

from tars_app.backups import service
from tars_app.backups.metrics import BackupCollector
from tars_app.backups.schemas import Backups
from tars_app.kit.metrics import Metrics
from tars_app.settings import Settings


def make_router(settings: Settings, metrics: Metrics) -> APIRouter:
    """Return the route under /api about backups, and add their values to the metrics."""
    metrics.registry.register(BackupCollector(settings.backup_status))
    router = APIRouter(prefix="/api", tags=["backups"])

    @router.get("/backups")
    def backups() -> Backups:
        """When the household's data was last saved and proven, and what needs attention."""
        return service.backups(settings.backup_status, datetime.now(UTC))

    return router
