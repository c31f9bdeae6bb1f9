# SPDX-License-Identifier: GPL-3.0-or-later
"""The actions for NVIDIA cards call no module where one command shows that nothing is to be done."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.tars.home.plugins.action import nvidia_cdi, nvidia_driver, nvidia_info
from ansible_collections.tars.home.plugins.module_utils.nvidia import apt_sources, plan, units
from ansible_collections.tars.home.plugins.module_utils.nvidia.driver import Driver, Goal
from ansible_collections.tars.home.plugins.module_utils.nvidia.offers import PIN
from ansible_collections.tars.home.plugins.plugin_utils.module_action import ModuleAction

Output = Sequence[tuple[int, str]]
KERNEL = (0, "6.12\n")
PACKAGES = (
    1,
    "nvidia-driver\tinstalled\t550.163.01-1\nnvidia-container-toolkit\tinstalled\t1.20.0-1\n",
)
NO_CARD: Output = [KERNEL, (0, ""), (1, ""), (127, ""), (1, ""), (0, "")]
WORKING: Output = [
    KERNEL,
    (0, "0x030000 0x2484 0000:01:00.0 nvidia\n"),
    PACKAGES,
    (0, "NVIDIA GeForce RTX 3070, 550.163.01, 220.00, 8192\n"),
    (0, "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.163.01  Fri May 31\n"),
    (0, "\x1d/var/run/cdi/nvidia.yaml\n"),
]
SILENT: Output = [*WORKING[:3], (9, "No devices were found\n"), *WORKING[4:]]
STALE: Output = [*WORKING[:5], (0, "\x1d/var/run/cdi/nvidia.yaml\n/usr/lib/libcuda.so.1\n")]

# apt's lists, its sources, the names of the lists, the keys, the initial RAM disk, the packages, and the own files.
LISTS: Output = [(0, ""), (0, ""), (0, ""), (0, ""), (0, "2.5\n1.5\n"), PACKAGES]
PINNED: Output = [(1, ""), (0, PIN.format(branch=550)), (0, plan.NOUVEAU)]
UNITS: Output = [
    (2, "/usr/lib/systemd/system/nvidia-cdi-refresh.service\n"),
    (0, "".join(f"\x1d{mode:o}\t{path}\n{text}" for path, (mode, text) in units.files(True).items() if text)),
    (0, "\n\n".join(f"Id={name}\nUnitFileState=enabled" for name in units.units(True)) + "\n"),
]


def probe(action: type[ModuleAction], output: Output, status: int = 0, **arguments: Any) -> dict[str, Any] | None:
    """Return what an action returns without its module, on a machine with these results of the probe's commands."""

    class Action(action):  # type: ignore[misc,valid-type]  # its base is a parameter
        def __init__(self) -> None:
            self._task = SimpleNamespace(check_mode=False)

        def ask(self, command: Any, stdin: str = "") -> tuple[int, str]:
            return status, "".join(f"{text}\x1e{number}\x1e" for number, text in output)

    result: dict[str, Any] | None = Action().probe(arguments)
    return result


def test_without_a_card_the_result_is_that_of_the_module() -> None:
    output = "".join(f"{text}\x1e{number}\x1e" for number, text in NO_CARD)
    module = Driver(Goal(), run=lambda command: (0, output, "")).ensure(check_mode=False)
    assert probe(nvidia_driver.ActionModule, NO_CARD) == module
    assert module["changed"] is False
    assert module["finding"]["name"] == "no card"
    assert (probe(nvidia_info.ActionModule, NO_CARD, working=True) or {})["usable"] is False


def test_with_a_card_that_works_no_module_is_called() -> None:
    driver = probe(nvidia_driver.ActionModule, [*WORKING, *LISTS, *PINNED])
    assert driver is not None
    assert (driver["changed"], driver["driver"], driver["finding"]) == (False, "550.163.01", {})
    containers = probe(nvidia_cdi.ActionModule, [*WORKING, *UNITS])
    assert containers is not None
    assert (containers["changed"], containers["usable"]) == (False, True)
    facts = probe(nvidia_info.ActionModule, WORKING, working=True)
    assert facts is not None
    assert (facts["changed"], facts["usable"], facts["gpus"][0]["driver"]) == (False, True, "550.163.01")


@pytest.mark.parametrize(
    ("action", "output", "status", "arguments"),
    [
        (nvidia_driver.ActionModule, NO_CARD, 0, {"required": True}),
        (nvidia_driver.ActionModule, NO_CARD, 0, {"minimum": "new"}),
        (nvidia_driver.ActionModule, NO_CARD, 1, {}),
        (nvidia_driver.ActionModule, [*SILENT, *LISTS, *PINNED], 0, {}),
        (nvidia_driver.ActionModule, [*WORKING, *LISTS, *PINNED], 0, {"branch": 580}),
        (nvidia_driver.ActionModule, [*WORKING, *LISTS, *PINNED], 0, {"minimum": 580}),
        (nvidia_driver.ActionModule, [*WORKING, *LISTS, *PINNED], 0, {"packages": ["another"]}),
        (nvidia_driver.ActionModule, [*WORKING, *LISTS, PINNED[0], (1, ""), PINNED[2]], 0, {}),
        (nvidia_driver.ActionModule, [*WORKING, (100, "E: Malformed entry"), *LISTS[1:], *PINNED], 0, {}),
        (nvidia_driver.ActionModule, [*WORKING, *LISTS[:4], (0, "1.5\n2.5\n"), PACKAGES, *PINNED], 0, {}),
        (nvidia_cdi.ActionModule, [*SILENT, *UNITS], 0, {}),
        (nvidia_cdi.ActionModule, [*STALE, *UNITS], 0, {}),
        (nvidia_cdi.ActionModule, [*WORKING, UNITS[0], (0, ""), UNITS[2]], 0, {}),
        (nvidia_cdi.ActionModule, [*WORKING, UNITS[0], UNITS[1], (0, "")], 0, {}),
        (nvidia_cdi.ActionModule, [], 1, {}),
        (nvidia_info.ActionModule, SILENT, 0, {}),
        (nvidia_info.ActionModule, STALE, 0, {"working": True}),
        (nvidia_info.ActionModule, NO_CARD, 0, {"working": True, "required": True}),
        (nvidia_info.ActionModule, NO_CARD, 0, {"minimum": "new"}),
    ],
)
def test_all_else_is_work_for_the_module(
    action: type[ModuleAction], output: Output, status: int, arguments: dict[str, Any]
) -> None:
    assert probe(action, output, status, **arguments) is None


def test_apts_error_is_reported_by_the_module() -> None:
    output = [*WORKING, (100, "E: Malformed entry 1"), *LISTS[1:], *PINNED]
    text = "".join(f"{text}\x1e{number}\x1e" for number, text in output)
    with pytest.raises(Exception, match="apt cannot read its sources: E: Malformed entry 1") as caught:
        Driver(Goal(), run=lambda command: (0, text, "")).ensure(check_mode=False)
    assert apt_sources.FILE in str(caught.value)
