# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker is killed at any statement of a pass; the next one ends as if nothing had happened.

`TARS_EXAMPLES=1000` kills it at every statement, before and after.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tars_app.adapters.postgres import migrate
from tars_app.settings import Settings

from .conftest import Server
from .databases import connect, empty_database
from .helpers import INVARIANTS
from .killed import folder_of, forget_lease, run

pytestmark = pytest.mark.integration

KILLS = int(os.environ.get("TARS_EXAMPLES", "3"))
SEED = time.time_ns() if "TARS_EXAMPLES" in os.environ else 1
"""Without more examples, the worker is killed at the same statements in every run: none fails by chance."""
MOMENTS = ["2024-01-15", "2024-06-02", "2025-01-02"]
SNAPSHOTS = ["GMT+00-2024.01.14-05.00.00", "GMT+00-2024.06.01-05.00.00", "GMT+00-2025.01.01-05.00.00"]

# What a person sees at a time: path and text of every document.
_SEEN = """
SELECT coalesce((SELECT h.path FROM document_paths h WHERE h.document_id = d.id AND h.seen_from <= %(at)s
                 ORDER BY h.seen_from DESC LIMIT 1), d.path) AS path,
       (SELECT string_agg(e.before || p.text || e.after, '' ORDER BY e.ordinal)
        FROM version_texts t, unnest(t.hashes, t.before, t.after) WITH ORDINALITY AS e (hash, before, after, ordinal)
        JOIN passages p ON p.hash = e.hash WHERE t.version_id = v.id) AS text
FROM versions v JOIN documents d ON d.id = v.document_id
WHERE v.seen_from <= %(at)s AND (v.seen_to > %(at)s OR v.seen_to IS NULL) ORDER BY path
"""
_HISTORY = """
SELECT d.path, v.sha256, v.state, v.snapshot, v.seen_to IS NULL AS current, d.answered_from = v.id AS answered
FROM versions v JOIN documents d ON d.id = v.document_id ORDER BY d.path, v.seen_from
"""


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    os.utime(file, (1_680_000_000 + len(text) * 1000, 1_680_000_000 + len(text) * 1000))


def fill(share: Path) -> None:
    """A share and three snapshots: a file that changes, one that is renamed, one that goes and comes back."""
    for number, name in enumerate(SNAPSHOTS):
        folder = share / "#snapshot" / name
        write(folder / "lease.txt", f"The rent is {800 + number * 50} euros.{'!' * number}")
        write(folder / ("old.txt" if number == 0 else "new.txt"), "The boiler is in the cellar.")
        if number != 1:
            write(folder / "gas.txt", "The gas costs 90 euros.")
    write(share / "lease.txt", "The rent is 1000 euros and includes the heating.")
    write(share / "new.txt", "The boiler is in the cellar.")


def change(share: Path) -> None:
    write(share / "lease.txt", "The rent is 1100 euros and includes the heating, which is new.")
    (share / "new.txt").rename(share / "newest.txt")
    write(share / "fresh.txt", "The bus leaves at noon.")


def rows(settings: Settings, query: str, at: datetime | None = None) -> list[tuple[Any, ...]]:
    with connect(settings) as connection:
        return connection.execute(query, {"at": at}).fetchall()


def views(settings: Settings) -> list[list[tuple[Any, ...]]]:
    """What is seen at the times of the snapshots and now."""
    moments = [datetime.fromisoformat(moment).replace(tzinfo=UTC) for moment in MOMENTS]
    return [rows(settings, _SEEN, at) for at in [*moments, datetime.now(UTC) + timedelta(minutes=1)]]


@pytest.fixture(scope="module")
def template(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A database and a share after a first scan, without snapshots and before the change."""
    with empty_database(postgres) as made:
        root = tmp_path_factory.mktemp("kills")
        own = {
            "documents": [root / "documents"],
            "require_mount": False,
            "settle_s": 0.05,
            "history_shares": ["LLM_docs"],
            "history_days": 36500,
            "chroma_url": "http://127.0.0.1:9",
        }
        settings = made.model_copy(update=own)
        migrate(settings)
        fill(folder_of(settings))
        shutil.move(folder_of(settings) / "#snapshot", root / "snapshots")
        assert run(settings)
        shutil.move(root / "snapshots", folder_of(settings) / "#snapshot")
        change(folder_of(settings))
        yield settings


def check(settings: Settings, before: list[Any], after: list[Any]) -> None:
    """No version is lost, doubled or half visible: each view is empty, the one before the pass, or the one after it."""
    for wrong in INVARIANTS:
        assert rows(settings, wrong.replace("%", "%%")) == [], wrong
    for shown, old, new in zip(views(settings)[:-1], before[:-1], after[:-1], strict=True):
        known = dict(new)
        assert all(text in (None, known.get(path)) for path, text in shown), (shown, old, new)
    current = {path: text for path, text in views(settings)[-1]}
    texts = {text for view in (before[-1], after[-1]) for _, text in view} | {None}
    assert set(current.values()) <= texts


def test_a_worker_that_is_killed_at_any_statement_loses_and_doubles_nothing(
    postgres: Server, template: Settings
) -> None:
    with empty_database(postgres, template) as settings:
        before = views(settings)
        total = run(settings)
        after, history = views(settings), rows(settings, _HISTORY)
    assert total and total > 30 and [len(view) for view in after] == [3, 2, 3, 3]
    moments = [(number, late) for number in range(1, total + 1) for late in (False, True)]
    for number, late in sorted(random.Random(SEED).sample(moments, min(KILLS, len(moments)))):
        with empty_database(postgres, template) as settings:
            assert run(settings, number, late) is None, "it was killed"
            try:
                check(settings, before, after)
                assert run(settings)
                assert views(settings) == after and rows(settings, _HISTORY) == history
            except AssertionError as error:
                raise AssertionError(f"killed {'after' if late else 'before'} statement {number} of {total}") from error


def test_a_worker_that_is_killed_again_and_again_comes_to_an_end(postgres: Server, template: Settings) -> None:
    with empty_database(postgres, template) as settings:
        run(settings)
        after, history = views(settings), rows(settings, _HISTORY)
    generator = random.Random(SEED)
    with empty_database(postgres, template) as settings:
        for _ in range(3):
            run(settings, generator.randint(5, 60), generator.random() < 0.5)
        # What was tried so often is given up, which is another test's.
        with connect(settings) as connection:
            connection.execute("UPDATE versions SET attempts = 0")
        assert run(settings)
        assert views(settings) == after and rows(settings, _HISTORY) == history


@pytest.mark.steps
def test_forgetting_that_is_killed_at_any_statement_comes_to_an_end(postgres: Server, template: Settings) -> None:
    """The document is whole or gone after a kill, and gone and erased when the next worker has ended its pass."""
    paths = "SELECT path FROM documents ORDER BY path"
    unused = "SELECT hash FROM passages EXCEPT SELECT unnest(hashes) FROM version_texts"
    with empty_database(postgres, template) as settings:
        before = rows(settings, paths)
        total = run(settings, steps=forget_lease)
        after = rows(settings, paths)
    assert total and total > 30 and set(before) - set(after) == {("lease.txt",)}
    moments = [(number, late) for number in range(1, total + 1) for late in (False, True)]
    for number, late in sorted(random.Random(SEED).sample(moments, min(4 * KILLS, len(moments)))):
        with empty_database(postgres, template) as settings:
            assert run(settings, number, late, forget_lease) is None, "it was killed"
            assert rows(settings, paths) in (before, after), (number, late)
            for wrong in (*INVARIANTS, unused):
                assert rows(settings, wrong.replace("%", "%%")) == [], (number, late, wrong)
            assert run(settings, steps=forget_lease)
            assert rows(settings, paths) == after
            assert rows(settings, "SELECT id FROM forgotten WHERE erased_at IS NULL") == []
