# SPDX-License-Identifier: GPL-3.0-or-later
"""`ollama serve` and `ollama list`, as a container's entry point and its health check use them."""

import http.client
import json
import os
import sys
from datetime import UTC, datetime
from typing import Any

from .settings import Settings

_USAGE = "Usage: ollama serve | list | --version"


def main(arguments: list[str]) -> int:
    """Run a command; return the exit code: 0 done, 1 failed, 2 wrong usage."""
    try:
        settings = Settings.from_environment(os.environ)
    except ValueError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    match arguments:
        case ["serve"]:
            return _serve(settings)
        case ["list" | "ls"]:
            return _list(settings)
        case ["--version" | "-v"]:
            print(f"ollama version is {settings.version}")
            return 0
        case _:
            print(_USAGE, file=sys.stderr)
            return 2


def _serve(settings: Settings) -> int:
    # Imported late: the health check runs every few seconds and needs none of it.
    import logging

    import uvicorn

    from .api import make_app

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    uvicorn.run(
        make_app(settings), host=settings.host, port=settings.port, log_config=None, access_log=False,
        timeout_graceful_shutdown=3,
    )  # fmt: skip
    return 0


def _list(settings: Settings) -> int:
    any_address = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # compared with the setting, not bound
    host = any_address.get(settings.host, settings.host)
    connection = http.client.HTTPConnection(host, settings.port, timeout=10)
    try:
        connection.request("GET", "/api/tags")
        models = json.load(connection.getresponse())["models"]
    except (OSError, http.client.HTTPException) as error:
        server = f"{host}:{settings.port}"
        print(f"Error: could not connect to ollama at {server}, is it running? ({error})", file=sys.stderr)
        return 1
    rows = [("NAME", "ID", "SIZE", "MODIFIED"), *map(_row, models)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("    ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _row(model: dict[str, Any]) -> tuple[str, str, str, str]:
    age = datetime.now(UTC) - datetime.fromisoformat(model["modified_at"])
    seconds = max(int(age.total_seconds()), 1)
    amount, unit = next((seconds // size, unit) for size, unit in _AGES if seconds >= size)
    modified = f"{amount} {unit}{'' if amount == 1 else 's'} ago"
    return model["name"], model["digest"][:12], f"{model['size'] / 1e6:.0f} MB", modified


_AGES = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
