# SPDX-License-Identifier: GPL-3.0-or-later
"""Log one JSON object per line to stderr. Questions, answers and the content of documents are never logged."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

_QUIETER = ("httpx", "httpx2", "httpcore", "chromadb", "alembic", "dramatiq", "urllib3", "psycopg.pool")


class JsonFormatter(logging.Formatter):
    """Format a record as a JSON object; fields passed as `extra={"fields": {...}}` become part of it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        line = json.dumps(entry, default=str, ensure_ascii=False)
        return line.encode(errors="backslashreplace").decode()  # lone surrogates in file names


def configure_logging(level: str) -> None:
    """Send the log of the whole process to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _QUIETER:
        logging.getLogger(name).setLevel(logging.WARNING)
    # It logs a traceback for every attempt at a failed job; the job has logged the reason already.
    logging.getLogger("dramatiq.worker.WorkerThread").setLevel(logging.CRITICAL)
