# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of the demonstration: the commands to go on with, as they work where it ran."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from tars_provision import next_step
from tars_provision.ansible.events import Result
from tars_provision.assistant.client import Endpoint
from tars_provision.commands.demo import Demonstration
from tars_provision.commands.demo_disaster import Disaster


@pytest.mark.parametrize(
    ("program", "inventory", "expected"),
    [
        ("./tars", "inventories/lab", "./tars ask -i inventories/lab"),
        ("tars-provision", "/x/the site", "ask -i '/x/the site'"),
    ],
)
def test_the_next_steps_name_program_and_site(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], program: str, inventory: str, expected: str
) -> None:
    monkeypatch.setattr(next_step, "program", lambda: program)
    endpoint = Endpoint(address="10.77.0.10", name="tars.home.arpa", authority=Path("root.pem"))
    Demonstration(Result(playbook="site.yml", check=False), 61, Path.cwd() / inventory, {}, endpoint).show(Console())
    printed = capsys.readouterr().out
    assert expected in printed and f"{program} lab down" in printed and f"{program} demo --disaster" in printed


def test_the_times_of_a_recovery_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    endpoint = Endpoint(address="10.77.0.10", name="tars.home.arpa", authority=Path("root.pem"))
    disaster = Disaster("20261130T010000Z-00000000", ["LLM_docs/a.md"], ["LLM_docs/a.md"], {"restore": 75.04})
    shown = Demonstration(Result(playbook="site.yml", check=False), 200, Path.cwd(), {}, endpoint, disaster)
    shown.show(Console())
    printed = capsys.readouterr().out
    assert "the same sources: LLM_docs/a.md" in printed and "--disaster" not in printed
    assert [line.split() for line in printed.splitlines() if "restore" in line] == [["restore", "1", "min", "15", "s"]]
    assert shown.as_data()["disaster"]["seconds"] == {"restore": 75.0}
