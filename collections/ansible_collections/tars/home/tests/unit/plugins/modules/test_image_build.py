# SPDX-License-Identifier: GPL-3.0-or-later
from ansible_collections.tars.home.plugins.modules.image_build import build_command, superseded


def test_build_command():
    assert build_command("tars-app:1", {"B": "2", "A": "1"}, {"pip": "/etc/pip.conf"}) == [
        "docker",
        "build",
        "--progress=plain",
        "--tag=tars-app:1",
        "--build-arg=A=1",
        "--build-arg=B=2",
        "--secret=id=pip,src=/etc/pip.conf",
        "-",
    ]


def test_the_new_image_and_those_in_use_are_kept():
    assert superseded("app:3\napp:2\napp:1\n", "app:2\nredis:8\n", "app:3") == ["app:1"]
