# SPDX-License-Identifier: GPL-3.0-or-later
"""Drills with the real application: what passes, what fails with its reason, and that nothing is left of either."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tars_backup import program_lock
from tars_backup.actions.drill import clean, drill
from tars_backup.components.postgres import Identity
from tars_backup.drilling import scratch
from tars_backup.drilling.fence import contract_of
from tars_backup.errors import BackupError, LockedError, NotConnectedError, VerificationError
from tars_backup.repository import packs
from tars_backup.state import State

from ...servers import Server, start_model_server
from .assistant import TEXTS, Assistant
from .desktop import mount_of
from .process_fence import EMBEDDING_MODEL, ProcessFence
from .stack import SERVICES, create_cluster

pytestmark = pytest.mark.integration


@pytest.fixture(scope="session")
def other_cluster(workspace: Path) -> Path:
    """Return the data folder of an empty database of another identity, as the image creates one in each drill."""
    folder = workspace / "other-cluster"
    folder.mkdir(mode=0o700)
    create_cluster(folder)
    return folder


@pytest.fixture(scope="module")
def models(workspace: Path, root: Path) -> Iterator[Server]:
    server = start_model_server(workspace, root / "library", [EMBEDDING_MODEL])
    yield server
    server.stop()


@pytest.fixture(scope="module")
def prepared(
    workspace: Path, restic: Path, template: Path, cluster: Path, other_cluster: Path, models: Server, root: Path
) -> Iterator[Assistant]:
    """Return a household with a backup of two documents."""
    folder = Path(tempfile.mkdtemp(prefix="home-", dir=workspace))
    folder.chmod(0o755)
    assistant = Assistant(folder, restic, template, cluster)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "sync", lambda: None)  # it waits for every disk of this computer
        assistant.prepare(models.environment["OLLAMA_URL"], other_cluster, root / "app")
        yield assistant
    assistant.services.stop(SERVICES, deadline_s=60)
    shutil.rmtree(folder)


@pytest.fixture
def assistant(prepared: Assistant) -> Iterator[Assistant]:
    """Return the household without drills of earlier tests."""
    settings, template = dict(prepared.settings), prepared.template
    State(prepared.configuration.state).write("drill", {})
    if prepared.configuration.reports.exists():
        shutil.rmtree(prepared.configuration.reports)
    prepared.fences = []
    yield prepared
    for fence in prepared.fences:
        fence.close()
    prepared.settings = {}
    prepared.write_settings(**settings)
    prepared.template = template


def test_a_drill_restores_and_asks_and_leaves_nothing(assistant: Assistant) -> None:
    asked = {"question": "What is the pressure of the boiler?", "path": "boiler.txt"}
    assistant.write_settings(questions=[asked])
    rows, running = assistant.execute("SELECT * FROM vectors"), assistant.running()

    passed = assistant.drill()

    assert assistant.left() == []
    assert (assistant.execute("SELECT * FROM vectors"), assistant.running()) == (rows, running)
    assert assistant.extra() == [], "beside the living data folders"
    assert passed.backup == assistant.listing().backups[-1].id and passed.recovery_s > 0
    (report,) = assistant.reports()
    assert report["ok"] and len(report["steps"]) == 4 and all(check["ok"] for check in report["checks"])
    assert {(entry["path"], entry["problem"]) for entry in report["questions"]} == {
        ("boiler.txt", ""),
        *((name, "") for name in TEXTS),
    }
    assert all(entry["sources"][0].endswith(entry["path"]) for entry in report["questions"])
    state = State(assistant.configuration.state).read("drill")
    assert state["ok"] and state["number"] == 1 and state["backup"] == passed.backup
    assert passed.report and state["report"] == str(passed.report) and "passed" in passed.report.read_text()
    assert assistant.fences[0].launched == ["postgres", "redis", "chroma", "relay", "worker", "app"]
    lines = list(assistant.listing().lines())
    assert any(line.startswith(f"last drill: {state['at']}") and "recovery in" in line for line in lines), lines


def test_a_question_without_its_document_fails_the_third_drill_which_reads_a_copy(assistant: Assistant) -> None:
    attic = assistant.folder / "attic"
    shutil.copytree(assistant.share, attic)
    copy = {"mount": mount_of(attic), "repository": str(attic / "repository"), "retention": {"last": 9}}
    assistant.write_settings(copies={"attic": copy}, copy_ids={"attic": assistant.settings["repository_id"]})
    State(assistant.configuration.state).write("drill", {"number": 2})
    assistant.write_settings(questions=[{"question": "Where is the <canoe>?", "path": "canoe.txt"}])
    # The household's database is stopped: there is nothing that the drill could be taken for.
    assistant.services.stop(["postgres"], deadline_s=60)
    try:
        with pytest.raises(VerificationError, match="'Where is the <canoe>\\?': the expected document is not among"):
            assistant.drill()
    finally:
        assistant.services.start(["postgres"], deadline_s=60)
        assistant.wait()
    assert assistant.left() == []
    (report,) = assistant.reports()
    assert not report["ok"] and report["recovery_s"] > 0
    assert (report["source"], report["note"]) == ("copy attic", "")
    state = State(assistant.configuration.state).read("drill")
    assert not state["ok"] and "canoe" in state["message"] and state["number"] == 3
    page = Path(state["report"]).read_text()
    assert "failed" in page and "&lt;canoe&gt;" in page and "<canoe>" not in page


def test_a_database_with_the_identifier_of_the_living_one_is_refused(assistant: Assistant) -> None:
    assistant.template = assistant.cluster
    State(assistant.configuration.state).write("drill", {"number": 2})
    disk = {"disk": "0badcafe-0000-4000-8000-000000000000", "retention": {"last": 9}}
    assistant.write_settings(copies={"usb": disk})
    with pytest.raises(BackupError, match=r"empty database: found the household's, with the identifier \d+"):
        assistant.drill()
    assert assistant.left() == [] and assistant.fences[0].launched == []
    (report,) = assistant.reports()
    assert (report["source"], report["note"]) == ("NAS", "The copy usb was due, but is not connected.")
    with pytest.raises(NotConnectedError):
        drill(assistant.configuration, assistant.components, assistant.context, assistant.open_fence, copy="usb")


def test_what_a_killed_drill_has_left_is_removed(assistant: Assistant) -> None:
    assistant.configuration.drill.mkdir(parents=True)
    contract = contract_of(assistant.context().contract, assistant.configuration.drill)
    killed = ProcessFence(contract, assistant.folder / "fence", assistant.template, "", assistant.app)
    (assistant.configuration.drill / "data").mkdir()
    killed._run("chroma", ["sleep", "600"])
    assert killed.running(["chroma"]) == ["chroma"]
    with program_lock.held(assistant.configuration.state / "drill", "drill"), pytest.raises(LockedError):
        clean(assistant.configuration, assistant.context, assistant.open_fence)
    assert clean(assistant.configuration, assistant.context, assistant.open_fence).cleaned
    assert killed.running(["chroma"]) == [] and assistant.left() == []


def test_without_the_share_a_drill_fails_and_is_recorded(assistant: Assistant) -> None:
    assistant.write_settings(mount={**assistant.settings["mount"], "source": "another:/share"})
    with pytest.raises(BackupError, match="expected another:/share"):
        assistant.drill()
    assert not State(assistant.configuration.state).read("drill")["ok"] and assistant.left() == []
    assert assistant.reports() == [], "a report was written below another mount"


def test_a_damaged_file_of_the_repository_fails(assistant: Assistant) -> None:
    name = max(packs.sizes(assistant.repository).items(), key=lambda entry: entry[1])[0]
    path = assistant.repository / name
    path.chmod(0o600)
    content = path.read_bytes()
    path.write_bytes(bytes([*content[:100], content[100] ^ 1, *content[101:]]))
    try:
        # The first bytes are those of the manifest or of another file: the order in a pack is not fixed.
        with pytest.raises(BackupError, match=r"restic (dump|restore): found exit status 1"):
            assistant.drill()
    finally:
        path.write_bytes(content)
    assert assistant.left() == [] and not State(assistant.configuration.state).read("drill")["ok"]


def test_a_drill_that_can_neither_go_on_nor_write_its_report(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first reason counts. What lies in the place of its folders is removed."""
    state = State(assistant.configuration.state)
    last_good = state.read("last_good")
    state.write("last_good", {})
    assistant.configuration.reports.write_text("a file")
    (assistant.configuration.drill / "litter").mkdir(parents=True)
    same = Identity("15.1", 150001, "7", None)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(scratch, "identity", lambda *_, **__: same)
            with pytest.raises(BackupError, match="database of the drill: found the household's"):
                assistant.drill()
        with monkeypatch.context() as patch:
            patch.setattr(ProcessFence, "open", lambda _self: shutil.rmtree(assistant.configuration.drill))
            with pytest.raises(BackupError, match="drill: found No such file or directory"):
                assistant.drill()
        assistant.configuration.drill.write_text("a file")
        with pytest.raises(BackupError, match="drill: found Not a directory"):
            assistant.drill()
    finally:
        assistant.configuration.drill.unlink(missing_ok=True)
        assistant.configuration.reports.unlink()
        state.write("last_good", last_good)
    assert assistant.left() == []
    assert state.read("drill")["report"] == "" and not state.read("drill")["ok"]


def test_a_drill_of_altered_rows_fails(assistant: Assistant) -> None:
    """Someone with the key has put other rows into the snapshot, and left its manifest; no later test has a backup."""
    (snapshot,) = json.loads(assistant.stock_restic("snapshots", "--json").stdout)
    files = assistant.folder / "altered"
    assistant.stock_restic("restore", snapshot["id"], "--target", files)
    (altered,) = files.glob("postgres/tables/passages*")
    altered.write_text(altered.read_text().replace("1.5 bar", "9.9 bar"))
    tags = [word for tag in snapshot["tags"] for word in ("--tag", tag)]
    line = assistant.stock("backup", "--host", "tars", *tags, ".")
    subprocess.run(line, cwd=files, check=True, capture_output=True, timeout=120)
    assistant.stock_restic("forget", snapshot["id"])
    with pytest.raises(VerificationError, match="postgres: files that differ from the manifest"):
        assistant.drill()
    assert assistant.left() == [] and assistant.fences[0].launched == []
    assert any("last drill" in line and "failed: " in line for line in assistant.listing().lines())
    (report,) = assistant.reports()
    assert not report["ok"] and "postgres: files that differ" in report["message"]
