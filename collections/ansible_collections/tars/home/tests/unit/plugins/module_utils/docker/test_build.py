# SPDX-License-Identifier: GPL-3.0-or-later
from pathlib import Path

from ansible_collections.tars.home.plugins.module_utils.docker.build import Build, superseded


def test_build_command(tmp_path: Path) -> None:
    secret = tmp_path / "pip.conf"
    secret.touch()
    build = Build("tars-app", "1", {"B": "2", "A": "1"}, {"pip": str(secret), "ca": str(tmp_path / "absent")})
    assert build.command == [
        "docker",
        "build",
        "--progress=plain",
        "--tag=tars-app:1",
        "--build-arg=A=1",
        "--build-arg=B=2",
        f"--secret=id=pip,src={secret}",
        "-",
    ]


def test_the_new_image_and_those_in_use_are_kept() -> None:
    assert superseded("app:3\napp:2\napp:1\n", "app:2\nredis:8\n", "app:3") == ["app:1"]


def test_the_image_is_present_or_the_module_builds_it() -> None:
    resource = Build("tars-app", "1").resource()
    assert resource.probe is not None
    state = resource.probe.parse(0, "sha256:0\n")
    assert state is not None and resource.plan(state) == []
    assert resource.probe.parse(1, "") is None
    assert [str(change) for change in resource.plan(frozenset())] == ["build tars-app:1"]


def test_sources_are_asked_for_once_a_build_needs_them() -> None:
    build = Build("tars-app", "1", run=lambda command: (0, "ActiveState=inactive\n", ""))
    pending = build.write([])
    assert pending is not None and pending.result == {"needs_archive": True}
