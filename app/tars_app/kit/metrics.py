# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters and histograms of this process for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """Counters of this process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.ask_seconds = Histogram(
            "tars_ask_seconds",
            "From question to last event of an answer",
            ["outcome"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.first_token_seconds = Histogram(
            "tars_first_token_seconds",
            "From question to first piece of the answer",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.answers = Counter(
            "tars_answers",
            "Answers by how far the passages support them",
            ["support"],
            registry=self.registry,
        )
        self.truncations_suspected = Counter(
            "tars_prompt_truncations_suspected",
            "Answers whose model may not have seen the whole prompt",
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
