# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new machine of the lab means for the records of the site."""

from dataclasses import replace
from pathlib import Path

from tars_lab import layout, lifecycle


def test_a_new_nas_has_no_repository_of_an_earlier_one(root: Path, tmp_path: Path) -> None:
    lab = replace(layout.load(root / "inventories/lab", state=tmp_path), inventory=str(tmp_path))
    record = tmp_path / "recorded/backup.yml"
    record.parent.mkdir()
    record.write_text("repository_id: 0a1b\n")
    lines: list[str] = []
    lifecycle._forget_repository(lab, lines.append)
    lifecycle._forget_repository(lab, lines.append)
    assert not record.exists() and len(lines) == 1
