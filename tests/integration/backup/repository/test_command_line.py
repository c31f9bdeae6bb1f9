# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs by the command line, on a repository: exit codes, and the same outcome as text and as JSON."""

from __future__ import annotations

import json
import runpy
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from tars_backup import cli, program_lock

from .desktop import PASSWORD, Desktop
from .stack import Ports, document

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Put the handlers of the tests' process back."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


class Command:
    """The program with the configuration of a desktop."""

    def __init__(self, desktop: Desktop, capsys: pytest.CaptureFixture[str]) -> None:
        self.file = str(desktop.file)
        self.capsys = capsys

    def __call__(self, *words: str, code: int = 0) -> dict[str, Any]:
        """Run a verb as text and with --json; return the object."""
        assert cli.main([*words, "--configuration", self.file]) == code
        text = self.capsys.readouterr().out
        assert cli.main([*words, "--json", "--configuration", self.file]) == code
        answer: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        assert (answer["command"], answer["ok"], bool(text)) == (words[0], code in (0, 3), code in (0, 3))
        return answer


@pytest.fixture
def command(desktop: Desktop, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(desktop, capsys)


def test_verbs_that_read(command: Command, desktop: Desktop, tmp_path: Path) -> None:
    assert command("list")["backups"] == []
    made = desktop.run()
    assert [mark["id"] for mark in command("list")["backups"]] == [made.id]
    assert made.id in command("show")["text"]
    assert command("show", made.id, "--json")["id"] == made.id
    assert command("verify")["backups"] == [made.id]
    assert command("verify", "--all", "--data")["files"] > 3
    assert command("show", "20200101T000000Z", code=31)["error"]["next_step"] == "Run tars-backup list"
    archive = tmp_path / "archive.tar.gz"
    assert cli.main(["export", "--output", str(archive), "--configuration", command.file]) == 0
    assert str(archive) in command.capsys.readouterr().out
    assert command("export", "--output", str(archive), code=1)["error"]["expected"] == "a new name"
    refused = command("export", "--output", str(tmp_path / "archive.tar.zst"), code=2)["error"]
    assert refused["expected"] == "a folder, or a name that ends in .tar.gz"


def test_verbs_that_change_the_repository(command: Command, desktop: Desktop) -> None:
    assert command("init")["changed"] is False
    desktop.write_settings(retention={"last": 99})
    for number in range(4):
        (desktop.documents / "new").write_text(str(number))
        desktop.run()
    desktop.write_settings(retention={"last": 3})
    assert len(command("prune", "--dry-run", code=3)["removed"]) == 1
    assert "keep" in command("prune")["text"]
    assert len(desktop.listing().backups) == 3
    assert command("unlock")["changed"] is False
    assert command("unlock", "--all")["changed"] is False


def test_verbs_that_need_the_services(command: Command, desktop: Desktop) -> None:
    """Without them, each verb ends with an error in the form of all errors."""
    desktop.run()
    for name in ("postgres_password", "redis_password"):
        (desktop.folder / name).write_text("unknown\n")
    (desktop.folder / "contract.json").write_text(json.dumps(document(desktop.folder, Ports(1, 2, 3))))
    with ExitStack() as other:
        other.enter_context(program_lock.held(desktop.configuration.state, "run"))
        Timer(0.5, other.close).start()
        # It waits for the run of the timer; then the services are missing.
        assert command("run", code=1)["error"]["expected"]
    for words in (("run",), ("run", "--dry-run"), ("restore", "--rollback")):
        assert command(*words, code=1)["error"]["expected"]
    for words in (("restore",), ("restore", "--preview")):
        assert "expected parts of" in command(*words, code=2)["error"]["message"]
    assert command("restore", "--rollback", "--with-redis", code=2)["error"]["subject"] == "--rollback"


def test_verbs_of_copies_keys_and_drills(command: Command, desktop: Desktop, tmp_path: Path) -> None:
    desktop.run()
    (desktop.folder / "contract.json").write_text(json.dumps(document(desktop.folder, Ports(1, 2, 3))))
    assert command("copy")["copies"] == []
    assert command("copy", "attic", code=2)["error"]["found"]
    assert command("copy", "--from", "attic", code=2)["error"]["found"]
    assert command("copy", "attic", "--from", "cellar", code=2)["error"]["subject"] == "--from"
    assert command("drill", code=1)["error"]["expected"]
    assert command("drill", "--clean", code=1)["error"]["expected"]
    key = command("key")
    sheet = tmp_path / "sheet"
    sheet.write_text(json.dumps({"password": PASSWORD, "config": key["config"], "key": key["key"]}))
    assert command("key", "--sheet", str(sheet))["whole"]
    assert command("list", "--sheet", str(sheet))["backups"]
    new = tmp_path / "new"
    new.write_text(json.dumps({"password": PASSWORD}))
    assert command("key", "--new", str(new))["places"] == ["NAS"]
    for words in (("--repair",), ("--alone",), ("--new", str(new), "--sheet", str(sheet))):
        assert command("key", *words, code=2)["error"]["subject"] == words[0]


def test_module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_module("tars_backup.__main__")  # as another module would import it
    monkeypatch.setattr(sys, "argv", ["tars-backup", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("tars_backup", run_name="__main__")
    assert ended.value.code == 0
    assert "usage: tars-backup" in capsys.readouterr().out
