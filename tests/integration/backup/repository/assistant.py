# SPDX-License-Identifier: GPL-3.0-or-later
"""A household with the database of the application and a backup of two documents, and its drills."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import ollama

from tars_app.adapters import postgres as application
from tars_app.documents.vectors import pack
from tars_app.settings import Settings
from tars_backup.actions.drill import Drilled, drill
from tars_backup.contract import Contract
from tars_backup.drilling.fence import Fence

from .household import Household
from .process_fence import EMBEDDING_MODEL, ProcessFence

TEXTS = {
    "LLM_docs/boiler.txt": "The boiler was serviced by the plumber in March. Its pressure should be 1.5 bar in winter.",
    "LLM_docs/roof.txt": "Two tiles of the northern roof were replaced after the storm. The invoice is paid already.",
}


class Assistant(Household):
    """A household with the application's database, and what drills of it need."""

    fences: list[ProcessFence]

    def prepare(self, models_url: str, template: Path, app: Path) -> None:
        """Add the documents, and make a backup."""
        self.models_url, self.template, self.app = models_url, template, app
        settings = Settings(
            postgres_host="127.0.0.1",
            postgres_port=self.ports.postgres,
            chat_model="chat",
            embedding_model=EMBEDDING_MODEL,
        )
        application.migrate(settings)
        self.execute("INSERT INTO sources (name, root, available) VALUES ('LLM_docs', '/documents/LLM_docs', true)")
        vectors = ollama.Client(models_url, trust_env=False).embed(EMBEDDING_MODEL, list(TEXTS.values())).embeddings
        for (name, text), vector in zip(TEXTS.items(), vectors, strict=True):
            self._add(name.partition("/")[2], text, pack(vector))
        self.run()

    def _add(self, path: str, text: str, vector: bytes) -> None:
        key = f"'\\x{hashlib.sha256(text.encode()).hexdigest()}'::bytea"
        self.execute(
            f"""
            INSERT INTO documents (source, path, size, mtime_ns) VALUES ('LLM_docs', '{path}', 3, 1);
            INSERT INTO versions (document_id, sha256, size, modified, state)
                SELECT id, 'ab', 3, now(), 'indexed' FROM documents WHERE path = '{path}';
            UPDATE documents SET answered_from = versions.id FROM versions WHERE document_id = documents.id;
            INSERT INTO passages (hash, text, language, searchable) VALUES ({key}, '{text}', 'english', true);
            INSERT INTO version_texts SELECT answered_from, ARRAY[{key}], ARRAY[0], ARRAY[''], ARRAY[''], ARRAY['']
                FROM documents WHERE path = '{path}';
            INSERT INTO vectors VALUES ({key}, '{EMBEDDING_MODEL}', '\\x{vector.hex()}');
            INSERT INTO document_passages SELECT id, {key} FROM documents WHERE path = '{path}';
            """  # noqa: S608  constants of this test
        )

    def open_fence(self, _living: Contract, contract: Contract) -> Fence:
        self.fences.append(ProcessFence(contract, self.folder / "fence", self.template, self.models_url, self.app))
        return self.fences[-1]

    def drill(self) -> Drilled:
        return drill(self.configuration, self.components, self.context, self.open_fence)

    @property
    def documents_of_application(self) -> set[str]:
        """Return the paths of the documents in the database."""
        return {str(path) for (path,) in self.execute("SELECT path FROM documents")}

    def reports(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.configuration.reports.glob("*.json"))]

    def left(self) -> list[str]:
        """Return what is left of drills: processes and folders."""
        left = [path.name for path in (self.folder / "fence").glob("*.pid")]
        return left + [str(path) for path in (self.configuration.drill, self.configuration.work) if path.exists()]
