# SPDX-License-Identifier: GPL-3.0-or-later
"""Sections of the spec about what runs on the desktop: models, Docker, container images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tars_provision.spec.model.base import Image, ModelName, Section, Url


class ChatModel(Section):
    """The model that writes the answers."""

    name: ModelName = Field(examples=["llama3.1:8b"])
    """Its name in Ollama's library."""
    context_tokens: int = Field(default=8192, ge=512, le=1_048_576)
    """Size of the context sent to the model, in tokens (Ollama's `num_ctx`)."""
    answer_tokens: int = Field(default=768, ge=16)
    """Longest answer, in tokens. The rest of the context holds the question and the passages."""


class EmbeddingModel(Section):
    """The model that turns passages into vectors. Changing it makes the whole index anew."""

    name: ModelName = Field(examples=["nomic-embed-text"])
    """Its name in Ollama's library."""


class Benchmark(Section):
    """How `benchmark` measures the chat model, and what passes."""

    floor_tokens_per_s: float = Field(default=20.0, ge=0)
    """Slowest mean decode that passes, in tokens per second."""
    memory_bandwidth_gb_s: float | None = Field(default=None, ge=1, examples=[360])
    """Bandwidth of the GPU's memory in GB/s, which limits decode. Left out: looked up by the card's name."""
    epochs: int = Field(default=6, ge=6, le=100)
    """How many answers are measured; from fewer, no change could be told from chance."""
    prompt_tokens: int = Field(default=512, ge=1)
    """Length of the prompts, about."""
    output_tokens: int = Field(default=128, ge=2)
    """Longest answer."""


class Models(Section):
    """The models the desktop serves."""

    chat: ChatModel
    """The model that writes the answers."""
    embedding: EmbeddingModel
    """The model that finds the passages."""
    benchmark: Benchmark = Benchmark()
    """How the chat model is measured, and what passes."""


class Docker(Section):
    """Docker Engine on the desktop."""

    source: Literal["distribution", "docker"] = "distribution"
    """Whose packages where there is no Docker yet: the distribution's own, or Docker's. An installed one is adopted."""
    registry_mirrors: tuple[Url, ...] = Field(default=(), examples=[["http://192.168.1.5:5000"]])
    """Mirrors of Docker Hub to ask first."""


class Images(Section):
    """Container images by exact version. The digest met at the first pull is recorded and kept to from then on."""

    postgres: Image = Field(examples=["postgres:17.6"])
    """PostgreSQL, the source of truth."""
    redis: Image = Field(examples=["redis:8.0.2"])
    """Redis, the queue."""
    caddy: Image = Field(examples=["caddy:2.10.2"])
    """Caddy, which serves TLS."""
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
    """Seconds between two looks at the documents on the NAS."""
