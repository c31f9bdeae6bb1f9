# SPDX-License-Identifier: GPL-3.0-or-later
"""List the snapshots of the shares, and count them for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter

from tars_app.dependencies import Dependencies
from tars_app.kit.metrics import Metrics
from tars_app.snapshots.metrics import SnapshotCollector
from tars_app.snapshots.repository import list_snapshots, progress_of_shares
from tars_app.snapshots.schemas import ShareHistory, ShareSnapshot, Snapshots


def make_router(dependencies: Dependencies, metrics: Metrics) -> APIRouter:
    """Return the routes under /api about snapshots."""
    metrics.registry.register(SnapshotCollector(dependencies.pool))
    router = APIRouter(prefix="/api", tags=["snapshots"])

    @router.get("/snapshots")
    def show_snapshots() -> Snapshots:
        """Every snapshot that the NAS has shown in a share, with its state, and how far the import has come."""
        return Snapshots(
            shares=[ShareHistory.model_validate(row) for row in progress_of_shares(dependencies.pool)],
            snapshots=[ShareSnapshot.model_validate(row) for row in list_snapshots(dependencies.pool)],
        )

    return router
