# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the lab: wrong use ends with a message, never with a traceback."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tars_lab import cli, layout, lifecycle, machine
from tars_provision.next_step import command


@pytest.fixture
def lab(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Record a lab whose machines are off, in a state folder that the commands read; return the folder."""
    recorded = layout.load(root / "inventories/lab", state=tmp_path, bridge="tars-unit")
    recorded.record()
    for module in (cli, machine, layout):
        monkeypatch.setattr(module, "recorded", lambda: recorded)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["up", "--inventory", "nowhere"], 1, "nowhere"),
        (["up", "surplus"], 2, "unexpected extra argument"),
        (["start"], 2, "Missing argument 'NAME'"),
        (["start", "printer"], 1, "printer: not in the lab; use one of xps8950, ds1515plus, client"),
        (["stop", "printer"], 1, "printer: not in the lab"),
        (["start", "client"], 1, "no root file system"),
        (["shell"], 2, "Missing argument 'NAME'"),
        (["shell", "printer", "true"], 1, "printer: not in the lab"),
        (["shell", "client", "true"], 1, f"it is off; boot it with {command('lab', 'start', 'client')}"),
        (["logs", "printer"], 1, "log printer: not found; use one of client, ds1515plus, registry, xps8950"),
        (["logs", "../registry"], 1, "log ../registry: not found"),
        (["logs", "client", "--lines", "-1"], 2, "Invalid value for '-n' / '--lines'"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_wrong_use_is_reported(lab: Path, arguments: list[str], code: int, message: str) -> None:
    (lab / "log").mkdir()
    (lab / "log/registry.log").touch()
    result = CliRunner().invoke(cli.lab, arguments)
    assert isinstance(result.exception, SystemExit), result.exception
    assert (result.exit_code, message in result.output) == (code, True), result.output


def test_a_folder_that_cannot_be_written_is_reported(
    lab: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(lifecycle, "_LOCK", tmp_path / "file/lock")
    result = CliRunner().invoke(cli.lab, ["down"])
    assert result.exit_code == 1 and "Error: " in result.output and isinstance(result.exception, SystemExit)


def test_status_prints_text_or_one_json_object(lab: Path, root: Path) -> None:
    text = CliRunner().invoke(cli.lab, ["status"])
    assert text.exit_code == 1 and "client       10.77.0.30      off" in text.output
    assert (
        f"the lab is not complete; repair it with {command('lab', 'up', '-i', root / 'inventories/lab')}" in text.output
    )
    state = json.loads(CliRunner().invoke(cli.lab, ["status", "--json"]).output)
    assert not state["up"] and state["machines"]["client"]["state"] == "off"


def test_stopping_reports_progress_and_state(lab: Path) -> None:
    result = CliRunner().invoke(cli.lab, ["stop", "client", "--json"])
    assert json.loads(result.stdout) == {"machine": "client", "state": "off"}
    assert "shutting down client" in result.stderr
