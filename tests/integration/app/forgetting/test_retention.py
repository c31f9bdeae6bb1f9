# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions that ended longer ago than they are kept are removed; what is kept answers as before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rich.console import Console

from tars_app.documents.visible import NoHistoryError
from tars_app.forgetting import retention
from tars_app.forgetting.retention import NOTICE, preview, remove_old_versions
from tars_app.kit.instants import TimeRequest
from tars_app.maintenance import MaintenanceLoop
from tars_app.retrieval.service import search
from tars_app.settings import Settings
from tars_app.snapshots.repository import Period, kept_since
from tars_app.snapshots.service import classify
from tars_app.timeline.repository import days_of_changes, history_begins, read_history
from tars_app.timeline.service import difference
from tars_provision.commands import history as commands

from ..conftest import Stack
from ..helpers import INVARIANTS
from ..past import Store, remember
from ..test_as_of import EXAMPLES, OPERATIONS, play

pytestmark = pytest.mark.integration

BEGIN = datetime(2024, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ORPHANS = (
    "SELECT hash FROM passages EXCEPT SELECT unnest(hashes) FROM version_texts",
    "SELECT hash FROM vectors EXCEPT SELECT hash FROM passages",
    "SELECT id FROM documents d WHERE NOT EXISTS (SELECT FROM versions v WHERE v.document_id = d.id)",
)


def set_up(store: Store, before: datetime) -> datetime:
    """Let the rule of one year be on record for a week; return the time at which it removes what ended `before`."""
    now = before.replace(year=before.year + 1)
    assert remove_old_versions(store.pool, 1, lambda: None, now - NOTICE) == 0
    return now


class InterruptionError(Exception):
    """The worker is ended."""


def interrupt() -> None:
    raise InterruptionError


def check_kept(store: Store, known: dict[datetime | None, Any]) -> None:
    """Every time since the recorded one is as it was, every earlier one is refused, and nothing is left over."""
    begins = history_begins(store.pool)
    for moment, places in known.items():
        if moment is None or (begins.at and moment >= begins.at):
            assert store.places(moment) == places
        else:
            with pytest.raises(NoHistoryError, match="is no longer kept" if begins.removed else "There is no history"):
                store.places(moment)
    with store.pool.connection() as connection:
        for wrong in (*INVARIANTS, *ORPHANS):
            assert connection.execute(wrong).fetchall() == [], wrong


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(operations=OPERATIONS, at=st.floats(0, 1), batch=st.integers(1, 3))
def test_what_is_kept_is_as_it_was_also_where_the_worker_was_killed(
    store: Store, operations: list[Any], at: float, batch: int
) -> None:
    store.clear()
    moments = [moment for moment, _ in play(store, operations)]
    if not moments:
        return
    times = [*moments, *(moment - timedelta(microseconds=1) for moment in moments if moment > moments[0]), None]
    known = {moment: store.places(moment) for moment in times}
    before = moments[int(at * (len(moments) - 1))] + timedelta(microseconds=1)
    now = set_up(store, before)
    planned = preview(store.pool, 1, now)
    with store.pool.connection() as connection:
        [ended] = connection.execute(
            "SELECT count(*) AS number FROM versions v JOIN documents d ON d.id = v.document_id"
            " WHERE v.seen_to < %s AND d.answered_from IS DISTINCT FROM v.id",
            (before,),
        ).fetchall()
    assert (planned.before, planned.versions, planned.begins) == (before, ended["number"], now)
    retention.BATCH, usual = batch, retention.BATCH
    try:
        if planned.versions:
            with pytest.raises(InterruptionError):
                remove_old_versions(store.pool, 1, interrupt, now)
            check_kept(store, known)
        remove_old_versions(store.pool, 1, lambda: None, now)
        check_kept(store, known)
        assert remove_old_versions(store.pool, 1, lambda: None, now) == 0
    finally:
        retention.BATCH = usual
    assert preview(store.pool, 1, now).versions == 0
    assert bool(kept_since(store.pool)) == bool(planned.versions)


def lease(store: Store) -> None:
    """A lease with three rents under two names, a document that is gone, and one that never changed."""
    store.observe("rules.txt", remember("No shoes on the sofa."), BEGIN)
    store.observe("old lease.txt", remember("The rent is 800 euros."), BEGIN)
    store.observe("trial.txt", remember("The trial of the newspaper is free."), BEGIN)
    store.move("old lease.txt", "lease.txt", BEGIN + DAY)
    store.observe("lease.txt", remember("The rent is 900 euros."), BEGIN + 2 * DAY)
    store.delete("trial.txt", BEGIN + 3 * DAY)
    store.observe("lease.txt", remember("The rent is 950 euros."), BEGIN + 40 * DAY)


def test_the_rule_is_announced_a_week_before_it_removes_anything(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    lease(store)
    now = (BEGIN + 5 * DAY).replace(year=2025)
    assert preview(store.pool, 1, now).begins == now + NOTICE, "as long as the worker has not seen the rule"
    with caplog.at_level("INFO"):
        assert remove_old_versions(store.pool, 1, lambda: None, now) == 0
    [record] = [record for record in caplog.records if record.getMessage() == "Old versions will be removed"]
    fields = record.__dict__["fields"]
    assert (fields["versions"], fields["deleted_documents"]) == (2, 1)
    planned = preview(store.pool, 1, now + DAY)
    assert (planned.versions, planned.documents, planned.passages) == (2, 1, 2) and planned.begins == now + NOTICE
    assert remove_old_versions(store.pool, 1, lambda: None, now + NOTICE - timedelta(seconds=1)) == 0
    assert remove_old_versions(store.pool, 2, lambda: None, now + NOTICE) == 0, "another rule is announced again"
    assert remove_old_versions(store.pool, 1, lambda: None, now + NOTICE) == 0
    assert remove_old_versions(store.pool, 1, lambda: None, now + 2 * NOTICE) == 2
    with caplog.at_level("INFO"):
        assert remove_old_versions(store.pool, 0, lambda: None, now + 99 * NOTICE) == 0, "for ever again"
    assert "Every version is kept from now on" in caplog.text
    after = preview(store.pool, 0)
    assert (after.years, after.kept_since, after.begins, after.versions) == (None, BEGIN + 3 * DAY, None, 0)


def test_what_another_version_has_and_what_is_answered_from_stays(store: Store) -> None:
    rent = remember("The rent is 800 euros.")
    store.observe("copy.txt", rent, BEGIN)
    store.observe("lease.txt", rent, BEGIN)
    store.observe("lease.txt", remember("The rent is 900 euros."), BEGIN + DAY)
    store.observe("lease.txt", None, BEGIN + 2 * DAY)
    known: dict[datetime | None, Any] = {at: store.places(at) for at in (BEGIN, BEGIN + DAY, BEGIN + 2 * DAY, None)}
    assert {place.text for place in known[None]} == {"The rent is 800 euros.", "The rent is 900 euros."}
    now = set_up(store, BEGIN + 5 * DAY)
    assert preview(store.pool, 1, now).passages == 0, "the copy has the passage of the version that goes"
    assert remove_old_versions(store.pool, 1, lambda: None, now) == 1
    check_kept(store, known)
    assert history_begins(store.pool).at == BEGIN + DAY


def test_the_worker_removes_old_versions_in_each_pass(store: Store, tmp_path: Path) -> None:
    lease(store)
    long_ago = datetime.now(UTC) - 2 * NOTICE
    remove_old_versions(store.pool, 1, lambda: None, long_ago)
    limits = {"versions_years": 1, "heartbeat": tmp_path / "heartbeat", "documents": [tmp_path]}
    settings = store.dependencies.settings.model_copy(update=limits)
    changed = replace(store.dependencies, settings=settings)
    MaintenanceLoop(changed, lambda _: None, lambda _: None, lambda _: None).run_pass()
    assert kept_since(store.pool) == BEGIN + 40 * DAY, "the end of the last rent but one"
    with store.pool.connection() as connection:
        paths = connection.execute("SELECT path FROM documents ORDER BY path").fetchall()
    assert [row["path"] for row in paths] == ["lease.txt", "rules.txt"]


def test_without_a_rule_nothing_is_recorded(store: Store) -> None:
    lease(store)
    assert remove_old_versions(store.pool, 0, lambda: None) == 0
    assert preview(store.pool, 0).kept_since is None
    with store.pool.connection() as connection:
        assert connection.execute("SELECT FROM version_retention").fetchall() == []


def test_what_is_no_longer_kept_is_stated_everywhere(store: Store) -> None:
    lease(store)
    assert search(store.dependencies, "the free trial of the newspaper", 5, TimeRequest(BEGIN)).passages
    removed = remove_old_versions(store.pool, 1, lambda: None, set_up(store, BEGIN + 5 * DAY))
    assert removed == 2
    begins = BEGIN + 3 * DAY
    message = "The history before 2024-01-04 12:00 UTC is no longer kept."
    with pytest.raises(NoHistoryError, match=message) as caught:
        search(store.dependencies, "rent", 5, TimeRequest(BEGIN + 2 * DAY))
    assert caught.value.begins == begins
    [passage] = search(store.dependencies, "the rent in euros", 5, TimeRequest(begins)).passages[:1]
    assert passage.text == "The rent is 900 euros."
    with store.pool.connection() as connection:
        document = connection.execute("SELECT id FROM documents WHERE path = 'lease.txt'").fetchall()[0]["id"]
    history = read_history(store.pool, document)
    assert (history.kept_since, len(history.versions)) == (begins, 2)
    assert [entry.path for entry in history.paths] == ["lease.txt"], "the name that it had before is gone too"
    with pytest.raises(NoHistoryError, match=message):
        difference(store.pool, document, BEGIN + DAY, begins)
    days = days_of_changes(store.pool, "UTC")
    assert [(str(day.day), day.changes) for day in days] == [("2024-01-04", 0), ("2024-02-10", 1)]
    index = store.dependencies.passages
    index.remove_forgotten()
    texts = ("The trial of the newspaper is free.", "The rent is 800 euros.", "The rent is 900 euros.")
    assert [sha256(text.encode()).digest() in index._row_of for text in texts] == [False, False, True]
    output = StringIO()
    commands.History(Path("site"), history.model_dump(mode="json")).show(Console(file=output, width=100))
    assert "The history before 2024-01-04 12:00 is no longer kept." in output.getvalue()


def test_snapshots_of_times_that_are_not_kept_are_not_imported() -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    names = {f"GMT+00-{year}.05.31-12.00.00" for year in (2020, 2023, 2024, 2025)}
    unwatched = [Period(None, now)]

    def states(years: int, kept_since: datetime | None = None) -> list[str]:
        made = Settings(chat_model="a", embedding_model="b", versions_years=years, history_days=1826)
        return [snapshot.state for snapshot in classify(names, {}, unwatched, now, made, kept_since)]

    assert states(0) == ["waiting", "waiting", "waiting", "old"]
    assert states(2) == ["waiting", "old", "old", "old"]
    assert states(0, datetime(2024, 1, 1, tzinfo=UTC)) == ["waiting", "waiting", "old", "old"]
    assert states(4, datetime(2025, 1, 1, tzinfo=UTC)) == ["waiting", "old", "old", "old"]


def test_the_rule_over_http(stack: Stack) -> None:
    shown = stack.get("/api/retention")
    assert shown["years"] is None and shown["versions"] == 0
    output = StringIO()
    commands.Retention(shown).show(Console(file=output, width=100))
    assert output.getvalue() == "Every version is kept: the spec sets no versions.years.\n"
    rule = {"years": 10, "kept_since": "2016-01-02T03:04:05Z", "begins": "2026-12-07T08:09:10Z", "versions": 1}
    output = StringIO()
    commands.Retention({**shown, **rule}).show(Console(file=output, width=100))
    assert output.getvalue().splitlines() == [
        "Versions are kept for 10 years after they ended.",
        "The history before 2016-01-02 03:04 is no longer kept.",
        "To remove from 2026-12-07 08:09 on: 1 version, 0 passages, 0 deleted documents.",
    ]
