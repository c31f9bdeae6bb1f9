# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: documented exit codes, and one JSON object in every failure."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import signal
from pathlib import Path

import pytest

from tars_backup import cli, errors, output
from tars_backup.instants import UTC

VERBS = [
    ["run"],
    ["run", "--dry-run"],
    ["list"],
    ["show"],
    ["show", "latest"],
    ["verify", "--all", "--data"],
    ["prune", "--dry-run"],
    ["prune", "--accept-missing"],
    ["unlock", "--all"],
    ["drill"],
    ["drill", "--clean"],
    ["key"],
    ["key", "--sheet", "/dev/null"],
    ["site", "--output", "/dev/null"],
    ["init"],
    ["status"],
    ["watch", "--test"],
]


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_absent_configuration(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "backup.json"
    assert cli.main([*words, "--json", "--configuration", str(file)]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["command"], answer["ok"]) == (1, words[0], False)
    assert answer["error"]["subject"] == str(file)
    assert answer["error"]["next_step"].startswith("Run the site playbook")
    assert cli.main([*words, "--configuration", str(file)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"tars-backup: {file}: found ")


@pytest.mark.parametrize("words", [[], ["remove"], ["run", "--force"], ["show", "a", "b"], ["--json"]])
def test_invalid_command_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*words, "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert (answer["ok"], answer["error"]["kind"], answer["error"]["code"]) == (False, "UsageError", 2)


def test_exit_codes_are_documented() -> None:
    classes = [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.BackupError)
    ]
    codes = {value.code for value in classes}
    assert codes == {1, 2, 10, 11, 12, 20, 30, 31, 130}
    assert all(f"{code} " in cli.EXIT_CODES for code in codes)
    assert cli.EXIT_CODES in cli.parser().format_help()


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What an action could return."""

    path: Path
    at: datetime.datetime
    code = 3

    def lines(self) -> list[str]:
        """Return two lines."""
        return ["one", "two"]


def test_result(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Outcome(Path("/x"), datetime.datetime(2026, 1, 2, tzinfo=UTC))
    monkeypatch.setattr(cli, "_list", lambda options: outcome)
    assert cli.main(["list"]) == 3
    assert capsys.readouterr().out == "one\ntwo\n"
    assert cli.main(["list", "--json"]) == 3
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["command"], answer["ok"], answer["error"]) == (1, "list", True, None)
    assert (answer["path"], answer["at"]) == ("/x", "2026-01-02T00:00:00+00:00")
    with pytest.raises(TypeError, match="object has no form in JSON"):
        output.to_json({"x": object()})


def test_error_of_the_system_and_interruption(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(options: object) -> None:
        raise OSError(28, "No space left on device", "/var/lib/tars/backup/staging/x")

    monkeypatch.setattr(cli, "_list", fail)
    assert cli.main(["list", "--json"]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["subject"], error["found"]) == ("/var/lib/tars/backup/staging/x", "No space left on device")
    monkeypatch.setattr(cli, "_list", lambda options: options.absent)
    assert cli.main(["list", "--json"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["error"]["found"].startswith("AttributeError: ")
    assert "Traceback" in printed.err
    monkeypatch.setattr(cli, "_list", lambda options: os.kill(os.getpid(), signal.SIGTERM))
    assert cli.main(["list"]) == 130
    assert "signal SIGTERM" in capsys.readouterr().err


@pytest.fixture(autouse=True)
def signals() -> object:
    """Put the handlers of the tests' process back."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)
