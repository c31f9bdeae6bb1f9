# SPDX-License-Identifier: GPL-3.0-or-later
"""Sections of the spec about what runs on the desktop: models, Docker, container images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tars_provision.spec.model.base import Image, ModelName, Section, TimeZone, Url


class ChatModel(Section):
    """The model that writes the answers."""

    name: ModelName = Field(examples=["llama3.1:8b"])
    """Its name in Ollama's library."""
    context_tokens: int = Field(default=8192, ge=512, le=1_048_576)
    """Context window of the model in tokens (Ollama's `num_ctx`)."""
    answer_tokens: int = Field(default=768, ge=16)
    """Maximum length of an answer in tokens. The rest of the context holds the question and the passages."""


class EmbeddingModel(Section):
    """The model that turns passages into vectors. After a change, the former one answers until all vectors are made."""

    name: ModelName = Field(examples=["bge-m3"])
    """Its name in Ollama's library. A multilingual one without prefixes finds documents in other languages too."""


class Benchmark(Section):
    """Settings of the command `benchmark`."""

    floor_tokens_per_s: float = Field(default=20.0, ge=0)
    """Lowest mean decode rate that passes, in tokens per second."""
    memory_bandwidth_gb_s: float | None = Field(default=None, ge=1, examples=[360])
    """Memory bandwidth of the GPU in GB/s, which limits the decode rate. Default: looked up by the card's name."""
    epochs: int = Field(default=6, ge=6, le=100)
    """Number of measured answers; fewer than 6 cannot show a significant change."""
    prompt_tokens: int = Field(default=512, ge=1)
    """Approximate length of the prompts in tokens."""
    output_tokens: int = Field(default=128, ge=2)
    """Maximum length of the answers in tokens."""


class Models(Section):
    """The models the desktop serves."""

    chat: ChatModel
    """The model that writes the answers."""
    embedding: EmbeddingModel
    """The model that finds the passages."""
    benchmark: Benchmark = Benchmark()
    """Settings of the command `benchmark`."""


class Docker(Section):
    """Docker Engine on the desktop."""

    source: Literal["distribution", "docker"] = "distribution"
    """Package source of Docker: the distribution, or Docker itself. An installed Docker is kept."""
    registry_mirrors: tuple[Url, ...] = Field(default=(), examples=[["http://192.168.1.5:5000"]])
    """Mirrors of Docker Hub to try first."""


class Images(Section):
    """Container images by exact version. The digest is recorded at the first pull and enforced from then on."""

    postgres: Image = Field(examples=["postgres:17.6"])
    """PostgreSQL, the primary database."""
    redis: Image = Field(examples=["redis:8.0.2"])
    """Redis, the task queue."""
    caddy: Image = Field(examples=["caddy:2.10.2"])
    """Caddy, the HTTPS server."""
    chroma: Image = Field(examples=["chromadb/chroma:1.5.9"])
    """Chroma, the vector index."""
    python: Image = Field(examples=["python:3.13-slim"])
    """Base of the application's own image."""
    ollama: Image = Field(examples=["ollama/ollama:0.12.6"])
    """Ollama, the model server."""


class Stack(Section):
    """The services on the desktop."""

    images: Images
    """Container images by exact version."""
    scan_interval_s: int = Field(default=60, ge=1, le=86_400)
    """Seconds between two scans of the documents on the NAS."""
    zone: TimeZone | None = Field(default=None, examples=["Europe/Amsterdam"])
    """Time zone of the days in questions about the past. Default: the zone of `backup`, else UTC."""
