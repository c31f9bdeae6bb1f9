# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the import of snapshots has come, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tars_app.adapters.postgres import Pool
from tars_app.kit.errors import UnavailableError
from tars_app.snapshots.repository import progress_of_shares

_COUNTS = {
    "snapshots_imported": "Snapshots of a share that were imported",
    "snapshots_left": "Snapshots of a share that wait to be imported",
    "versions_left": "Versions in imported snapshots of a share that were not read yet",
}


class SnapshotCollector(Collector):
    """Counts of the snapshots, read at each scrape; left out where the database cannot be used."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def describe(self) -> list[Metric]:
        """Return nothing, so that registering reads nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the counts as they are now, and the time of the earliest snapshot."""
        try:
            shares = progress_of_shares(self._pool)
        except UnavailableError:
            return
        for name, help_text in _COUNTS.items():
            gauge = GaugeMetricFamily(f"tars_history_{name}", help_text, labels=["source"])
            for share in shares:
                gauge.add_metric([share["source"]], share[name])
            yield gauge
        begins = GaugeMetricFamily(
            "tars_history_imported_back_to_timestamp_seconds",
            "Time of the earliest snapshot of a share that was imported",
            labels=["source"],
        )
        for share in shares:
            if share["imported_back_to"]:
                begins.add_metric([share["source"]], share["imported_back_to"].timestamp())
        yield begins
