# SPDX-License-Identifier: GPL-3.0-or-later
import subprocess

import pytest
from ansible_collections.tars.home.plugins.module_utils.system import apt


@pytest.mark.parametrize(
    ("names", "answer", "missing"),
    [
        (["a"], "", ["a"]),
        (["a"], "a\tinstalled\tinstall\n", []),
        (["a"], "a\tconfig-files\tdeinstall\n", ["a"]),
        (["a"], "a\thalf-installed\tinstall\n", ["a"]),
        (["b", "a", "b"], "c\tinstalled\thold\n", ["b", "a"]),
        (["libc6"], "libc6\tinstalled\tinstall\nlibc6\tnot-installed\tunknown\n", []),
    ],
)
def test_missing(names, answer, missing):
    assert apt.missing(names, answer) == missing


def test_dpkg_answers_as_expected():
    done = subprocess.run(apt.query_command(["dpkg", "no-such-package"]), capture_output=True, text=True)
    assert apt.missing(["dpkg", "no-such-package"], done.stdout) == ["no-such-package"]


def test_held_packages_are_known_whether_installed_or_not():
    answer = "a\tinstalled\thold\nb\tnot-installed\thold\nc\tinstalled\tinstall\n"
    assert (apt.held(answer), apt.installed(answer)) == ({"a", "b"}, {"a", "c"})


def test_names_are_arguments_and_no_script():
    command = apt.install_command(["a; reboot"], recommends=False)
    assert command[-2:] == ["apt-get", "a; reboot"] and "reboot" not in command[2]
