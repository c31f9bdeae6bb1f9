# SPDX-License-Identifier: GPL-3.0-or-later
"""`tars-app serve|worker|migrate|healthcheck`. Exit codes: 0 done, 1 failed, 2 wrong settings or usage."""

from __future__ import annotations

import argparse
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from pydantic import ValidationError

from tars_app.logs import configure_logging
from tars_app.settings import HEARTBEAT, Settings, load_settings

OLDEST_HEARTBEAT_S = 300.0


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="tars-app", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="answer over HTTP")
    commands.add_parser("worker", help="bring the schema up to date, then keep the index in line with the shares")
    commands.add_parser("migrate", help="bring the schema up to date, and end")
    check = commands.add_parser("healthcheck", help="exit 0 if the process of that kind in this container is alive")
    check.add_argument("kind", choices=["serve", "worker"])
    arguments = parser.parse_args()
    if arguments.command == "healthcheck":
        # Runs every few seconds: it imports nothing of what the service needs.
        sys.exit(_healthcheck_serve() if arguments.kind == "serve" else _healthcheck_worker())
    try:
        settings = load_settings()
    except ValidationError as error:
        for problem in error.errors():
            name = "TARS_" + "_".join(str(part) for part in problem["loc"]).upper()
            print(f"tars-app: {name.rstrip('_')}: {problem['msg']}", file=sys.stderr)
        sys.exit(2)
    configure_logging(settings.log_level)
    {"serve": _serve, "worker": _worker, "migrate": _migrate}[arguments.command](settings)


def _serve(settings: Settings) -> None:
    import uvicorn

    from tars_app.main import create_app

    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


def _worker(settings: Settings) -> None:
    from tars_app.worker import run_worker

    run_worker(settings)


def _migrate(settings: Settings) -> None:
    from sqlalchemy.exc import OperationalError

    from tars_app.adapters.postgres import migrate

    try:
        migrate(settings)
    except OperationalError as error:
        where = f"{settings.postgres_host}:{settings.postgres_port}"
        sys.exit(f"tars-app: the database {where} does not answer: {error.orig}")


def _healthcheck_serve() -> int:
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{os.environ.get('TARS_PORT', '8000')}/health", timeout=5
        ) as answer:
            return 0 if answer.status == 200 else 1
    except (urllib.error.URLError, OSError):
        return 1


def _healthcheck_worker() -> int:
    try:
        age_s = time.time() - Path(os.environ.get("TARS_HEARTBEAT", HEARTBEAT)).stat().st_mtime
    except OSError:
        return 1
    return 0 if age_s < OLDEST_HEARTBEAT_S else 1
