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
    assert expected in printed and f"{program} lab down" in printed
