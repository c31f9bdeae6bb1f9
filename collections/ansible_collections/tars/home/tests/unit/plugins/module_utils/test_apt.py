# SPDX-License-Identifier: GPL-3.0-or-later
import subprocess

import pytest
from ansible_collections.tars.home.plugins.module_utils import apt


@pytest.mark.parametrize(
    ("names", "answer", "missing"),
    [
        (["a"], "", ["a"]),
        (["a"], "a\tinstalled\n", []),
        (["a"], "a\tconfig-files\n", ["a"]),
        (["a"], "a\thalf-installed\n", ["a"]),
        (["b", "a", "b"], "c\tinstalled\n", ["b", "a"]),
        (["libc6"], "libc6\tinstalled\nlibc6\tnot-installed\n", []),
    ],
)
def test_missing(names, answer, missing):
    assert apt.missing(names, answer) == missing


def test_dpkg_answers_as_expected():
    done = subprocess.run(apt.query_command(["dpkg", "no-such-package"]), capture_output=True, text=True)
    assert apt.missing(["dpkg", "no-such-package"], done.stdout) == ["no-such-package"]


def test_names_are_arguments_and_no_script():
    command = apt.install_command(["a; reboot"], recommends=False)
    assert command[-2:] == ["apt-get", "a; reboot"] and "reboot" not in command[2]
