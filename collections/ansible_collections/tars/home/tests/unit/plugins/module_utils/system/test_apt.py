# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.tars.home.plugins.module_utils.system import apt


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
