# SPDX-License-Identifier: GPL-3.0-or-later
"""The action of nvidia_driver calls no module on a machine without a card, and returns what the module would."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.tars.home.plugins.action.nvidia_driver import ActionModule
from ansible_collections.tars.home.plugins.module_utils.nvidia import cards
from ansible_collections.tars.home.plugins.module_utils.nvidia.driver import Driver, Goal


class Action(ActionModule):
    """The action on a machine where every command has this exit status and output."""

    def __init__(self, answer: tuple[int, str]) -> None:
        self.answer = answer
        self._task = SimpleNamespace(check_mode=False)

    def ask(self, command: Any, stdin: str = "") -> tuple[int, str]:
        return self.answer


def test_without_a_card_the_result_is_that_of_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "read", list)
    module = Driver(Goal(), check_mode=False, run=lambda command: (0, "", "")).ensure()
    assert Action((0, cards.ABSENT)).probe({}) == module
    assert module["changed"] is False
    assert module["finding"]["name"] == "no card"


@pytest.mark.parametrize(
    ("answer", "arguments"),
    [
        ((0, "/sys/bus/pci/devices/0000:01:00.0/vendor\n0\n"), {}),
        ((0, "2\n"), {}),
        ((1, ""), {}),
        ((0, cards.ABSENT), {"required": True}),
        ((0, cards.ABSENT), {"minimum": "new"}),
    ],
    ids=["card", "bus not readable", "no shell", "required", "wrong argument"],
)
def test_all_else_is_the_modules_work(answer: tuple[int, str], arguments: dict[str, Any]) -> None:
    assert Action(answer).probe(arguments) is None


@pytest.mark.parametrize(
    ("vendors", "output"),
    [
        (["0x8086", "0x1002"], cards.ABSENT),
        (["0x8086", "0x10de"], "{bus}/1/vendor\n0\n"),
        (["0x10DE"], "{bus}/0/vendor\n0\n"),
        ([], "2\n"),
    ],
    ids=["others", "card", "capitals", "no bus"],
)
def test_the_script_reads_the_bus(tmp_path: Path, vendors: list[str], output: str) -> None:
    for number, vendor in enumerate(vendors):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "vendor").write_text(f"{vendor}\n")
    answer = subprocess.run(["sh", "-c", cards.absence_script(str(tmp_path))], capture_output=True, text=True)
    assert answer.stdout == output.format(bus=tmp_path)
