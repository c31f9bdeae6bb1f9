# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the backups for Prometheus. What never happened, or is not known, has no sample."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tars_app.backups.schemas import Status
from tars_app.backups.service import read

_MIB = 1 << 20


class BackupCollector(Collector):
    """Times and counts of the backups, read from their file at each scrape."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def describe(self) -> list[Metric]:
        """Return nothing, so that registering reads nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the values of the file; without one, only that the state is not known."""
        if self._path is None:
            return
        status = read(self._path)
        yield _gauge("status_known", "1 if the state of the backups can be read", status is not None)
        if status is None:
            return
        for name, text, instant in _times(status):
            if instant is not None:
                yield _gauge(f"{name}_timestamp_seconds", text, instant.timestamp())
        for name, text, proof in (
            ("last_run", "run", status.last_run),
            ("last_verification", "verification", status.verified),
            ("last_drill", "drill", status.drill),
        ):
            if proof:
                yield _gauge(f"{name}_success", f"1 if the last {text} succeeded", proof.ok)
        yield from _amounts(status)
        problems = GaugeMetricFamily(
            "tars_backup_problem", "1 for each problem of the backups", labels=["kind", "urgent"]
        )
        for problem in status.problems:
            problems.add_metric([problem.kind, str(problem.urgent).lower()], 1)
        yield problems


def _amounts(status: Status) -> Iterator[Metric]:
    """Yield what is kept, the disk space, and the age of the copies."""
    if status.kept:
        yield _gauge("kept", "Backups that are kept", status.kept.count)
        yield _gauge("missing", "Backups that someone else has deleted", status.kept.missing)
    if status.space:
        yield _gauge("share_free_bytes", "Free disk space of the share at the last run", status.space.free_mib * _MIB)
        yield _gauge("share_size_bytes", "Size or quota of the share", status.space.total_mib * _MIB)
    copies = GaugeMetricFamily(
        "tars_backup_copy_last_good_timestamp_seconds", "When a copy was last up to date", labels=["copy"]
    )
    for name, copy in status.copies.items():
        if copy and copy.last_ok:
            copies.add_metric([name], copy.last_ok.timestamp())
    yield copies


def _times(status: Status) -> Iterator[tuple[str, str, datetime | None]]:
    """Yield name, help and instant of each time."""
    run, good, kept, sheet = status.last_run, status.last_good, status.kept, status.sheet
    read_back, verified, drill = status.read_back, status.verified, status.drill
    yield "status_written", "When the desktop last wrote this state", status.written_at
    yield "last_run", "End of the last run", run.at if run else None
    yield "last_good", "When a good backup was last made or confirmed", good.confirmed_at if good else None
    yield "last_read_back", "Last daily reading of a part of the repository", read_back.at if read_back else None
    yield "last_verified", "Last verification", verified.at if verified else None
    yield "last_drill", "Last drill", drill.at if drill else None
    yield "last_sheet_check", "Last check of the recovery sheet", sheet.checked_at if sheet else None
    yield "oldest", "Oldest backup that is kept", kept.oldest if kept else None


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tars_backup_{name}", text, value=float(value))
