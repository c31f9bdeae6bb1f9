# SPDX-License-Identifier: GPL-3.0-or-later
"""An exporter that fails in a way that other programs take for success: every output of the program reports it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence

import pytest
from prometheus_client import CollectorRegistry

from tars_app.backups.metrics import BackupCollector
from tars_app.backups.service import backups
from tars_backup import instants
from tars_backup.actions.status import status
from tars_backup.actions.watch import watch
from tars_backup.errors import BackupError
from tars_backup.watching import condition

from ..household import Household
from ..stack import ProcessServices
from .receivers import HttpReceiver

pytestmark = pytest.mark.integration

DATABASE_FAULTS: dict[str, dict[str, object]] = {
    "another host": {"port": 1},
    "a dropped role": {"user": "dropped"},
    "a wrong password": {"user": "guarded"},
    "a dropped database": {"name": "dropped"},
}

# The first word by which each exporter is called, and its service. The tests of the components have more faults.
EXPORTERS = {"psql": "postgres", "pg_dump": "postgres", "sh": "redis"}

CUT = 'pipe=$(mktemp -u); mkfifo $pipe; stdbuf -o0 head -c 60 <$pipe & exec >$pipe; rm $pipe; "$@"; exit 0'

EXPORTER_FAULTS = {
    "exits 1 after plausible bytes": '"$@"; exit 1',
    "loses the end of its output to a pipe": CUT,
}


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    receiver = HttpReceiver()
    yield receiver
    receiver.stop()


def test_every_failure_is_a_failure_everywhere(
    home: Household, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No backup is made or removed; the error, the exit code, the metric, the page and the hook agree."""
    home.write_settings(
        retention={"last": 9}, alarms={"hooks": [{"kind": "webhook", "url": f"{receiver.url}/backups"}]}
    )
    for number in range(3):
        home.execute(f"INSERT INTO documents (name) VALUES ('{number}')")  # noqa: S608  a number
        home.run()
    home.execute("CREATE ROLE guarded LOGIN PASSWORD 'another'")
    access = home.data / "postgres/pg_hba.conf"
    access.write_text(f"host all guarded 127.0.0.1/32 scram-sha-256\n{access.read_text()}")
    home.execute("SELECT pg_reload_conf()")
    # Each failure could be paid for with the oldest backup.
    home.write_settings(retention={"last": 3})
    whole = json.loads((home.folder / "contract.json").read_text())
    for name, changes in DATABASE_FAULTS.items():
        home.write_contract(database={**whole["database"], **changes})
        assert_fails_everywhere(home, receiver, name)
    home.write_contract()
    original = ProcessServices.command
    for (program, broken), (fault, action) in itertools.product(EXPORTERS.items(), EXPORTER_FAULTS.items()):
        script = f'case $1 in {program}) {action};; *) exec "$@";; esac'

        def command(
            self: ProcessServices,
            service: str,
            words: Sequence[str],
            environment: Mapping[str, str],
            deadline_s: float,
            broken: str = broken,
            script: str = script,
        ) -> list[str]:
            prefix = ["sh", "-c", script, "sh"] if service == broken else []
            return original(self, service, [*prefix, *words], environment, deadline_s)

        with monkeypatch.context() as patch:
            patch.setattr(ProcessServices, "command", command)
            assert_fails_everywhere(home, receiver, f"{program} {fault}")
    assert len(receiver.requests) == 1, "the alarm was repeated"
    home.execute("INSERT INTO documents (name) VALUES ('saved at last')")
    made = home.run()
    assert made.changed and len(made.removed) == 2
    assert f"removed {made.removed[0]} by the retention rules" in list(made.lines())
    watch(home.configuration)
    assert [document["event"] for document in receiver.documents()] == ["problem", "resolved"]


def assert_fails_everywhere(home: Household, receiver: HttpReceiver, name: str) -> None:
    """Check that a run fails with an alarm, and that all backups are still there."""
    before = [mark.id for mark in home.listing().backups]
    assert len(before) == 4
    with pytest.raises(BackupError) as failure:
        home.run()
    assert failure.value.code == 1, name
    listing = home.listing()
    assert [mark.id for mark in listing.backups] == before and not listing.unfinished, name
    assert (listing.last_run["ok"], listing.last_run["message"]) == (False, str(failure.value)), name
    watch(home.configuration)
    shown = status(home.configuration)
    assert (shown.code, shown.last_error) == (4, str(failure.value)), name
    condition.publish(home.configuration)
    file = home.configuration.status / condition.NAME
    assert "run" in {problem.kind for problem in backups(file, instants.now()).problems if problem.urgent}, name
    registry = CollectorRegistry()
    registry.register(BackupCollector(file))
    assert registry.get_sample_value("tars_backup_last_run_success") == 0, name
    assert [problem["kind"] for problem in receiver.documents()[0]["problems"]] == ["run"], name
