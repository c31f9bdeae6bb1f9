# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a large file takes little memory in the worker, which reads several at a time."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tars_app.documents import repository
from tars_app.documents.ingest import ingest
from tars_app.documents.reconcile import reconcile

from ..past import Store
from .household import Household, new_household

pytestmark = pytest.mark.integration


@pytest.fixture
def household(database: Store, tmp_path: Path) -> Iterator[Household]:
    yield new_household(database, tmp_path)


def test_reading_a_large_file_takes_a_few_times_the_memory_of_its_text(household: Household) -> None:
    household.write("small.txt", "The key of the cellar hangs on hook 4. " * 40)
    household.scan()  # what is loaded once, is now
    source = random.Random(5)
    words = ["".join(source.choices("aeinorstlmdgh", k=source.randint(2, 9))) for _ in range(3000)]
    text = "\n\n".join(" ".join(source.choices(words, k=60)).capitalize() + "." for _ in range(3000))
    household.write("large.txt", text)
    reconcile(household.store.pool, household.settings, lambda: None)
    [version] = repository.waiting(household.store.pool)
    tracemalloc.start()
    try:
        ingest(household.store.dependencies, version)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    with household.store.pool.connection() as connection:
        [row] = connection.execute("SELECT state, chunks FROM versions WHERE id = %s", (version,)).fetchall()
    assert row["state"] == "indexed" and row["chunks"] > 1000
    assert peak < 10 * len(text), f"{peak / 1e6:.1f} MB for a text of {len(text) / 1e6:.1f} MB"
