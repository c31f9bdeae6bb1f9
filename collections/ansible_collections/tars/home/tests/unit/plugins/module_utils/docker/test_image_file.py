# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of an image: its probe on this machine, and the return values."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from ansible_collections.tars.home.plugins.module_utils.docker import image_file
from ansible_collections.tars.home.plugins.module_utils.resource.converge import Outcome, converge
from ansible_collections.tars.home.plugins.module_utils.resource.errors import ResourceError

IMAGE = "restic/restic:1@sha256:aa"


def goal(path: Path, recorded: str = "") -> image_file.Goal:
    return image_file.Goal(IMAGE, "/usr/bin/restic", str(path), 0o755, {IMAGE: recorded} if recorded else {})


def probed(path: Path) -> image_file.State | None:
    probe = image_file.probe(str(path))
    done = subprocess.run(probe.command, capture_output=True, text=True)
    return probe.parse(done.returncode, done.stdout)


def test_the_probe_reads_content_and_mode(tmp_path: Path) -> None:
    file = tmp_path / "a file"
    assert probed(file) == image_file.State()
    file.write_bytes(b"program")
    file.chmod(0o750)
    assert probed(file) == image_file.State(hashlib.sha256(b"program").hexdigest(), 0o750)
    file.unlink()
    file.mkdir()
    assert probed(file) is None


def test_a_recorded_file_is_not_copied_again(tmp_path: Path) -> None:
    file = tmp_path / "restic"
    file.write_bytes(b"program")
    file.chmod(0o755)
    digest = hashlib.sha256(b"program").hexdigest()
    outcome: Outcome[image_file.State, image_file.Change] = converge(
        image_file.resource(goal(file, digest)), check_mode=False
    )
    assert outcome.changes == [] and outcome.result()["digests"] == {IMAGE: digest}


def test_check_mode_knows_no_digest_before_the_first_copy(tmp_path: Path) -> None:
    result = converge(image_file.resource(goal(tmp_path / "restic")), check_mode=True).result()
    assert result["changed"] and result["digests"] == {} and result["diff"] == {"before": "\n", "after": "unknown\n"}


def test_a_failure_of_docker_names_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # without docker
    with pytest.raises(ResourceError, match="Next: check the image's name and version"):
        image_file.write([image_file.Change(goal(tmp_path / "restic"))])
