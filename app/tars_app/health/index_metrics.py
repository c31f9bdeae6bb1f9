# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts of the index for Prometheus.

They are read from the database, so that one endpoint reports the work of the worker too.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from tars_app.adapters.passage_index import PassageIndex
from tars_app.adapters.postgres import Pool
from tars_app.kit.errors import UnavailableError

_GAUGES = {
    "passages": "Passages that can be found",
    "vectors_expected": "Passages that have a vector, which Chroma has to hold, when the worker last counted",
    "vectors_present": "Vectors that Chroma held, when the worker last counted",
    "vector_recall": "Share of the nearest passages of a sample that Chroma returned, when the worker last compared it",
    "vector_changes_noted": "Passages whose change Chroma has not followed yet",
}


class IndexCollector(Collector):
    """Counts of the index, read at each scrape; those of the database are left out where it cannot be used."""

    def __init__(self, pool: Pool, index: PassageIndex) -> None:
        self._pool, self._index = pool, index

    def describe(self) -> list[Metric]:
        """Return nothing, so that registering reads nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the counts as they are now."""
        loading = self._index.loading
        yield GaugeMetricFamily("tars_words_loaded", "1 once questions need not wait for words", value=loading.complete)
        yield GaugeMetricFamily("tars_words_passages", "Passages whose words are in memory", value=loading.words)
        try:
            with self._pool.connection(timeout=2) as connection:
                states = connection.execute(
                    """SELECT v.state, count(*) AS count FROM documents d
                       JOIN versions v ON v.document_id = d.id AND v.seen_to IS NULL
                       WHERE d.deleted_at IS NULL GROUP BY v.state"""
                ).fetchall()
                sources = connection.execute("SELECT name, available FROM sources").fetchall()
                row = connection.execute(
                    """SELECT (SELECT count(*) FROM passages WHERE searchable) AS passages,
                              (SELECT coalesce(sum(expected), 0) FROM volatile.vector_index) AS expected,
                              (SELECT coalesce(sum(present), 0) FROM volatile.vector_index) AS present,
                              (SELECT max(recall) FROM volatile.vector_index) AS recall,
                              (SELECT count(*) FROM volatile.vector_changes) AS noted,
                              (SELECT count(ingest_s) FROM versions) AS ingests,
                              (SELECT coalesce(sum(ingest_s), 0) FROM versions) AS ingest_s"""
                ).fetchone()
        except UnavailableError:
            return
        documents = GaugeMetricFamily("tars_documents", "Documents by state", labels=["state"])
        counts = {row["state"]: row["count"] for row in states}
        for state in ("indexed", "pending", "failed"):
            documents.add_metric([state], counts.get(state, 0))
        yield documents
        available = GaugeMetricFamily("tars_source_available", "1 while the share is there", labels=["source"])
        for source in sources:
            available.add_metric([source["name"]], int(source["available"]))
        yield available
        if row:
            for name, help_text in _GAUGES.items():
                if (value := row[name.rsplit("_", 1)[-1]]) is not None:
                    yield GaugeMetricFamily(f"tars_{name}", help_text, value=value)
            yield SummaryMetricFamily(
                "tars_ingest_seconds",
                "Reading one version of a document",
                count_value=row["ingests"],
                sum_value=row["ingest_s"],
            )
