# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the application, from TARS_* environment variables and files in /run/secrets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

HEARTBEAT = "/tmp/tars-worker"  # noqa: S108  the only writable folder of the container
SMALLEST_PROMPT_TOKENS = 768
"""Tokens that the rules, a question of ordinary length and two passages need, about."""


class Settings(BaseSettings):
    """The names are those of the environment variables without the prefix; passwords are files `tars_<name>`."""

    model_config = SettingsConfigDict(env_prefix="TARS_", frozen=True)

    postgres_host: str = "postgres"
    postgres_port: int = 5432
    postgres_db: str = "tars"
    postgres_user: str = "tars"
    postgres_password: SecretStr = SecretStr("")
    redis_host: str = "redis"
    redis_port: int = 6379
    redis_password: SecretStr = SecretStr("")
    chroma_url: str = "http://chroma:8000"
    ollama_url: str = "http://ollama:11434"

    chat_model: str
    embedding_model: str
    context_tokens: int = Field(4096, ge=1024, description="Sent as num_ctx; the model keeps no more than this")
    answer_tokens: int = Field(512, ge=16, description="Sent as num_predict")
    temperature: float = Field(0, ge=0, le=2)
    seed: int = 0

    documents: Annotated[list[Path], NoDecode] = [Path("/documents")]
    require_mount: bool = Field(True, description="A folder of documents is read only while it is a mount point")
    scan_interval_s: float = Field(60, gt=0)
    settle_s: float = Field(
        2, ge=0, description="A file that was changed just now is read if it stays the same for so long"
    )
    max_file_bytes: int = Field(50 * 1024 * 1024, gt=0)
    history_shares: Annotated[list[str], NoDecode] = Field(
        [], description="Shares whose earlier versions are imported from the snapshots that the NAS shows in them"
    )
    history_days: int = Field(1826, ge=1, description="Older snapshots are not imported")
    versions_years: int = Field(
        0, ge=0, description="Versions that were replaced or deleted longer ago are removed; 0: none ever"
    )
    uploads: Path | None = Field(
        None, description="Mount in which documents are added on the page; none: they cannot be added"
    )
    uploads_place: str = Field("", description="That folder as a path of the library: its share, and the folder in it")
    worker_threads: int = Field(2, ge=1, le=32)
    heartbeat: Path = Field(Path(HEARTBEAT), description="Touched by the worker; read by its health check")

    authority: Path = Field(
        Path("/authority/root.pem"), description="Root certificate that devices are offered to trust"
    )

    backup_status: Path | None = Field(
        None, description="State of the backups that tars-backup writes, if there are any"
    )

    chunk_words: int = Field(
        180, ge=20, description="Most words of a chunk; all-minilm reads 256 tokens and ignores the rest"
    )
    chunk_characters: int = Field(1000, ge=200)
    sources_per_answer: int = Field(5, ge=1, le=20)
    relevant_share: float = Field(
        0.5, ge=0, le=1, description="Share of the best passage's score below which one would only distract the model"
    )
    min_similarity: float = Field(
        0.25, ge=0, le=1, description="Cosine similarity below which a passage is not evidence"
    )
    min_coverage: float = Field(
        0.34, ge=0, le=1, description="Share of the question's words below which it is not evidence"
    )
    min_score: float = Field(
        0.4, ge=0, le=1, description="Score of the best passage below which a question is not answered"
    )
    sure_score: float = Field(
        0.7,
        ge=0,
        le=1,
        description="Score from which the best passage need not have the noun that the question asks for",
    )

    time_zone: str = Field("UTC", description="Of the days in questions about the past, by its IANA name")

    host: str = "0.0.0.0"  # noqa: S104  in a container without published ports, behind caddy
    port: int = 8000
    log_level: str = "INFO"

    @field_validator("documents", mode="before")
    @classmethod
    def _split_paths(cls, value: Any) -> Any:
        return [Path(part) for part in value.split(":") if part] if isinstance(value, str) else value

    @field_validator("history_shares", mode="before")
    @classmethod
    def _split_names(cls, value: Any) -> Any:
        return [part for part in value.split(":") if part] if isinstance(value, str) else value

    @field_validator("time_zone")
    @classmethod
    def _require_time_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"found {value!r}, expected a time zone of the IANA database, such as Europe/Amsterdam"
            ) from None
        return value

    @model_validator(mode="after")
    def _leave_context_for_passages(self) -> Self:
        if self.context_tokens - self.answer_tokens < SMALLEST_PROMPT_TOKENS:
            raise ValueError(
                f"context_tokens ({self.context_tokens}) leaves {self.context_tokens - self.answer_tokens} tokens "
                f"beside answer_tokens ({self.answer_tokens}); passages need {SMALLEST_PROMPT_TOKENS}: "
                "raise context_tokens or lower answer_tokens"
            )
        return self


def load_settings() -> Settings:
    """Read the environment and, where it exists, the secrets folder (TARS_SECRETS_DIR, default /run/secrets).

    Raises:
        pydantic.ValidationError: naming every setting that is missing or wrong.
    """
    folder = Path(os.environ.get("TARS_SECRETS_DIR", "/run/secrets"))
    return Settings(_secrets_dir=folder if folder.is_dir() else None)
