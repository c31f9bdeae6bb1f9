# SPDX-License-Identifier: GPL-3.0-or-later
"""The recovery sheet opens the repository by itself, and puts its damaged files right."""

from __future__ import annotations

import base64
import json
import tarfile
from pathlib import Path

import pytest

from tars_backup.actions.key import Proven, read_key, try_sheet
from tars_backup.actions.site_folder import write_site
from tars_backup.components.configuration import Site
from tars_backup.errors import (
    BackupError,
    BackupNotFoundError,
    RepositoryAbsentError,
    VerificationError,
    WrongKeyError,
)
from tars_backup.repository.sheet import Sheet, parse
from tars_backup.state import State

from ..desktop import PASSWORD, Desktop
from ..test_proof import wrap


def sheet_of(desktop: Desktop, *, password: str = PASSWORD, files: bool = True) -> Sheet:
    """Return a sheet of the repository as the controller sends it."""
    key = read_key(desktop.configuration)
    texts = {"config": key.config, "key": key.key} if files else {}
    return parse(json.dumps({"password": password, **texts}))


def attempt(desktop: Desktop, sheet: Sheet, *, repair: bool = False) -> Proven:
    return try_sheet(desktop.configuration, sheet, repair=repair)


def damage(path: Path) -> bytes:
    """Flip one bit in the middle of a file; return its content of before."""
    content = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    return content


def test_a_sheet_alone_opens_a_repository_with_damaged_files_and_repairs_it(desktop: Desktop) -> None:
    made = desktop.run()
    sheet = sheet_of(desktop)
    whole = attempt(desktop, sheet)
    assert (whole.backup, whole.whole, whole.differing, whole.repaired) == (made.id, True, (), False)
    assert State(desktop.configuration.state).read("sheet")["checked_at"]

    (key,) = (desktop.repository / "keys").iterdir()
    good = {path: damage(path) for path in (desktop.repository / "config", key)}
    with pytest.raises(BackupError):
        desktop.listing()
    proven = attempt(desktop, sheet)
    assert proven.backup == made.id and proven.differing == ("config", f"keys/{key.name}") and not proven.repaired
    assert "--repair" in "\n".join(proven.lines())

    damaged = {path: path.read_bytes() for path in good}
    repaired = attempt(desktop, sheet, repair=True)
    assert repaired.repaired and {path: path.read_bytes() for path in good} == good
    assert [path.read_bytes() for path in repaired.kept] == list(damaged.values())
    assert [backup.id for backup in desktop.listing().backups] == [made.id]
    assert "no errors were found" in desktop.stock_restic("check", "--read-data").stdout
    assert not attempt(desktop, sheet, repair=True).repaired

    key.unlink()
    assert attempt(desktop, sheet, repair=True).kept == () and key.read_bytes() == good[key]


def test_the_password_alone_is_tried_on_the_repositorys_own_files(desktop: Desktop) -> None:
    proven = attempt(desktop, sheet_of(desktop, files=False))
    assert not proven.whole and proven.backup is None and "no backup yet" in "\n".join(proven.lines())
    (desktop.folder / "key").unlink()
    assert attempt(desktop, Sheet(PASSWORD, {})).password_differs
    with pytest.raises(WrongKeyError):
        attempt(desktop, Sheet("another", {}))


def test_a_sheet_of_another_repository_is_refused(desktop: Desktop, tmp_path: Path, restic: Path) -> None:
    other = Desktop(tmp_path / "other", restic)
    other.init()
    sheet = sheet_of(other)
    with pytest.raises(RepositoryAbsentError, match="expected one of the recorded repository"):
        attempt(desktop, sheet)
    (desktop.repository / "config").unlink()
    with pytest.raises(VerificationError, match="no backup that the sheet can read"):
        desktop.write_settings(repository_id=None)
        attempt(desktop, sheet, repair=True)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"password": 1}', '{"password": "a", "config": "b64!"}'])
def test_what_is_no_sheet_is_refused(text: str) -> None:
    with pytest.raises(BackupError, match="sheet: found"):
        parse(text)
    with pytest.raises(BackupError, match="not complete"):
        parse(json.dumps({"password": "a", "config": base64.b64encode(b"c").decode()}))


def test_the_site_folder_is_read_out_of_a_backup(desktop: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Desktop, "components", (Site(),))
    output = desktop.folder / "written.tar"
    desktop.run()
    with pytest.raises(BackupNotFoundError, match="no site folder"):
        write_site(desktop.configuration, "latest", output)
    site = desktop.configuration.site
    site.mkdir(parents=True)
    with tarfile.open(site / "site.tar", "w") as archive:
        archive.add(desktop.documents / "bill.txt", "tars.yml")
    made = desktop.run()
    written = write_site(desktop.configuration, made.id, output)
    assert output.read_bytes() == (site / "site.tar").read_bytes() and output.stat().st_mode & 0o777 == 0o600
    assert (written.id, written.bytes) == (made.id, output.stat().st_size) and str(output) in "".join(written.lines())
    wrap(desktop, "/site/tree/site.tar", before="echo another", run=False)
    with pytest.raises(VerificationError, match=r"site\.tar: found SHA-256"):
        write_site(desktop.configuration, made.id, output)
