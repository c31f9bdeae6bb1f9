# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.tars.home.plugins.module_utils.system import apt


@pytest.mark.parametrize(
    ("names", "output", "missing"),
    [
        (["a"], "", ["a"]),
        (["a"], "a\tinstalled\tinstall\n", []),
        (["a"], "a\tconfig-files\tdeinstall\n", ["a"]),
        (["a"], "a\thalf-installed\tinstall\n", ["a"]),
        (["b", "a", "b"], "c\tinstalled\thold\n", ["b", "a"]),
        (["libc6"], "libc6\tinstalled\tinstall\nlibc6\tnot-installed\tunknown\n", []),
    ],
)
def test_missing_packages_are_installed(names: list[str], output: str, missing: list[str]) -> None:
    packages = apt.resource(names, recommends=False)
    assert packages.probe is not None
    current = packages.probe.parse(0, output)
    assert current is not None
    changes = packages.plan(current)
    assert [str(change) for change in changes] == [f"install {name}" for name in missing]
    assert packages.plan(packages.predict(current, changes)) == []


def test_dpkg_reports_installed_packages() -> None:
    packages = apt.resource(["dpkg", "no-such-package"], recommends=False)
    assert [str(change) for change in packages.plan(packages.read())] == ["install no-such-package"]


def test_without_names_nothing_is_read() -> None:
    assert apt.resource([], recommends=False).read() == frozenset()


def test_held_packages_are_known_whether_installed_or_not() -> None:
    output = "a\tinstalled\thold\nb\tnot-installed\thold\nc\tinstalled\tinstall\n"
    assert set(apt.held(output)) == {"a", "b"}
    assert set(apt.installed(output)) == {"a", "c"}


def test_names_are_arguments_and_no_script() -> None:
    command = apt.install_command(["a; reboot"], recommends=False)
    assert command[-2:] == ["apt-get", "a; reboot"] and "reboot" not in command[2]
