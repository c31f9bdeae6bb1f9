# SPDX-License-Identifier: GPL-3.0-or-later
"""The desktop of tests.bench.backup: PostgreSQL, Redis, Chroma and the application as processes of this computer."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tars_backup.restoring import folders

from ..integration.backup.repository.stack import PASSWORD, SERVICES, Ports, create_cluster, document
from ..integration.servers import Server, free_port, start_model_server, wait_for
from .backup_desktop import ROOT, BenchDesktop

STORES = ("postgres", "redis", "chroma")

_CHAT_MODEL, _EMBEDDING_MODEL = "smollm2:135m", "all-minilm"


class Household(BenchDesktop):
    """Makes the desktop, and starts and stops its services."""

    def __init__(self, folder: Path) -> None:
        """Make a desktop below an empty folder."""
        super().__init__(folder)
        self.models: Server | None = None
        folder.chmod(0o755)
        self.share_of_documents.mkdir()
        self.cluster.mkdir(mode=0o700)
        create_cluster(self.cluster)
        for name, secret in (("postgres_password", "not-asked-for"), ("redis_password", PASSWORD)):
            (folder / name).write_text(f"{secret}\n")
            (folder / f"tars_{name}").write_text(secret)
        (folder / "opt").mkdir()
        (folder / "opt/compose.yaml").write_text("services: {}\n")
        self.write_settings(configuration=[str(folder / "opt")])
        self._write_contract()
        self.data.mkdir(mode=0o711)

    def _write_contract(self) -> None:
        ports, chroma, page = Ports(free_port(), free_port(), free_port()), free_port(), free_port()
        described = document(
            self.folder, ports, vectors={"service": "chroma", "port": chroma}, models={"service": "ollama"}
        )
        volume = {"source": str(self.data / "ollama"), "target": "/data"}
        described["services"]["ollama"] = {"container": "tars-ollama-1", "image": "", "user": 1, "volumes": [volume]}
        (self.folder / "contract.json").write_text(json.dumps(described))
        (self.folder / "ports.json").write_text(json.dumps(asdict(ports)))
        settings = {
            "PYTHONPATH": str(ROOT / "app"),
            "CHROMA_PORT": str(chroma),
            "TARS_SECRETS_DIR": str(self.folder),
            "TARS_POSTGRES_HOST": "127.0.0.1",
            "TARS_POSTGRES_PORT": str(ports.postgres),
            "TARS_REDIS_HOST": "127.0.0.1",
            "TARS_REDIS_PORT": str(ports.redis),
            "TARS_CHROMA_URL": f"http://127.0.0.1:{chroma}",
            "TARS_CHAT_MODEL": _CHAT_MODEL,
            "TARS_EMBEDDING_MODEL": _EMBEDDING_MODEL,
            "TARS_DOCUMENTS": str(self.documents),
            "TARS_REQUIRE_MOUNT": "false",
            "TARS_HEARTBEAT": str(self.folder / "heartbeat"),
            "TARS_HOST": "127.0.0.1",
            "TARS_PORT": str(page),
        }
        self.services.settings_file.write_text(json.dumps(settings))

    @property
    def share_of_documents(self) -> Path:
        """Return the folder of the share `docs`."""
        return self.documents / "docs"

    @property
    def database(self) -> str:
        """Return the connection string of the database."""
        return f"host=127.0.0.1 port={self.ports.postgres} user=tars dbname=tars"

    def empty(self) -> None:
        """Give the stores new, empty data folders, as the playbooks do on a bare desktop; they must not run."""
        for store in STORES:
            folders.make(self.contract, store, self.data / store)
        subprocess.run(["cp", "-a", f"{self.cluster}/.", self.data / "postgres"], check=True)

    def start(self, names: Sequence[str]) -> None:
        """Start services, and the model server before the application; wait until all are healthy."""
        services = self.services
        if "app" in names and self.models is None:
            self.models = start_model_server(self.folder, ROOT / "library", (_CHAT_MODEL, _EMBEDDING_MODEL))
            url = self.models.environment["OLLAMA_URL"]
            services.settings_file.write_text(json.dumps({**services.settings, "TARS_OLLAMA_URL": url}))
        services.start(names, deadline_s=60)
        for name in names:
            wait_for(partial(self._is_healthy, name), name)

    def _is_healthy(self, service: str) -> bool:
        return self.services.health(service).healthy

    def stop(self) -> None:
        """Stop all services."""
        self.services.stop(SERVICES, deadline_s=60)

    def close(self) -> None:
        """Stop everything."""
        self.stop()
        for service in STORES:
            self.services.remove_scratch(service)
        if self.models:
            self.models.stop()

    def forget_backups(self) -> None:
        """Remove the repository and all that the program knows of it, and create an empty one."""
        for folder in (self.folder / "backup", self.repository, self.configuration.good):
            if folder.exists():
                shutil.rmtree(folder)
        self.write_settings(repository_id=None)
        self.init()

    def get(self, path: str, **query: Any) -> httpx.Response:
        """Return the answer of the application."""
        url = f"http://127.0.0.1:{self.services.settings['TARS_PORT']}"
        return httpx.get(f"{url}{path}", params=query, timeout=60, trust_env=False)
