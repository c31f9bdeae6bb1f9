# SPDX-License-Identifier: GPL-3.0-or-later
"""The renewal timer: systemd itself reads its units."""

import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from tars_provision.cli import main
from tars_provision.controller import renewal_timer, trust, vault


@pytest.mark.parametrize("folder", ["home", "our house, 100%", 'our "house" \\ $HOME'])
def test_systemd_accepts_the_units(tmp_path: Path, folder: str) -> None:
    # systemd accepts no quotes and backslashes in the path of a program.
    program = tmp_path / re.sub(r'["\\]', "", folder) / "tars"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name, text in renewal_timer.units(tmp_path / folder, program).items():
        (tmp_path / name).write_text(text)
    names = [tmp_path / f"{renewal_timer.NAME}.{kind}" for kind in ("timer", "service")]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *map(str, names)], capture_output=True, text=True)
    assert (done.returncode, [line for line in done.stderr.splitlines() if renewal_timer.NAME in line]) == (0, []), (
        done.stderr
    )


def test_a_computer_without_systemd_gets_the_alternative(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home/.config/tars").mkdir(parents=True)
    (tmp_path / "home/.config/tars/vault-password").write_text("x\n")
    monkeypatch.setattr(renewal_timer, "_SYSTEMD", tmp_path / "run")
    (tmp_path / "tars.yml").write_bytes((root / "inventories/lab/tars.yml").read_bytes())
    vault.ensure(tmp_path)
    trust.record(tmp_path, "ds1515plus", "ab" * 32)
    done = CliRunner().invoke(main, ["certificate", "timer", "on", "-i", str(tmp_path)])
    assert done.exit_code == 1
    assert "expected systemd" in done.stderr and f"certificate renew -i {tmp_path}` once a month" in done.stderr


def test_the_timer_is_removed_without_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "units"
    monkeypatch.setattr(renewal_timer, "_SYSTEMD", tmp_path / "run")
    monkeypatch.setattr(renewal_timer, "_folder", lambda: folder)
    done = CliRunner().invoke(main, ["certificate", "timer", "off"])
    assert (done.exit_code, done.output) == (0, "tars-renew: was not installed\n")
    (folder / "timers.target.wants").mkdir(parents=True)
    for name in ("tars-renew.timer", "tars-renew.service"):
        (folder / name).touch()
    (folder / "timers.target.wants/tars-renew.timer").symlink_to("../tars-renew.timer")
    done = CliRunner().invoke(main, ["certificate", "timer", "off"])
    assert (done.exit_code, done.output) == (0, "tars-renew: removed\n")
    assert not [path for path in folder.rglob("*") if not path.is_dir()]
