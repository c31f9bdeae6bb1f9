# SPDX-License-Identifier: GPL-3.0-or-later
"""A computer that has nothing but the recovery sheet gets the site's folder back, also out of a damaged repository."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tars_backup.actions.key import read_key
from tars_backup.components.configuration import Site
from tars_provision.cli import main
from tars_provision.controller import vault
from tars_provision.files import write_atomic
from tars_provision.recovery import remote, repository
from tars_provision.recovery.repository import Key, RepositoryError
from tars_provision.recovery.sheet import Sheet

from ..desktop import PASSWORD, Desktop


@pytest.fixture
def sheet(desktop: Desktop, tmp_path: Path, restic: Path, monkeypatch: pytest.MonkeyPatch) -> Sheet:
    """Back up the folder of a site, and return the sheet; HOME is then an empty one."""
    monkeypatch.setattr(Desktop, "components", (Site(),))
    monkeypatch.setenv("HOME", str(tmp_path / "old"))
    site = tmp_path / "old/site"
    site.mkdir(parents=True)
    (site / "tars.yml").write_text("plugin: tars.home.site\n")
    # None would be created beside the vault of a lab in the checkout.
    write_atomic(vault.vault_password_file(), b"the password of the old computer\n", 0o600)
    vault.ensure(site, {"dsm_password": "the old one"})
    kept = desktop.configuration.site
    kept.mkdir(parents=True)
    with tarfile.open(kept / "site.tar", "w") as archive:
        archive.add(site, ".")
    desktop.run()
    shutil.copy(restic, desktop.share / "restic")
    key = read_key(desktop.configuration)
    password = vault.ensure_vault_password()
    monkeypatch.setenv("HOME", str(tmp_path / "new"))
    from tars_provision.commands.backup_sheet import key_file_of

    return Sheet(
        made_on="2026-11-30",
        nas="10.77.0.20",
        share="/volume1/tars_backup",
        desktop="10.77.0.10/24",
        repository=key.repository_id,
        key=PASSWORD,
        vault=password,
        config=key.config,
        key_file=key_file_of(dataclasses.asdict(key)),
        restic=key.restic_sha256,
    )


@pytest.fixture
def recover(desktop: Desktop, sheet: Sheet, tmp_path: Path) -> Callable[..., Result]:
    """Return a function that runs the command, without a machine."""

    def run(used: Sheet = sheet, *, text: str = "", words: tuple[str, ...] = ("--yes",)) -> Result:
        file = tmp_path / "sheet"
        file.write_text(used.text())
        source = [] if text else ["--sheet", str(file)]
        place = ["--inventory", str(tmp_path / "new/site"), "--repository", str(desktop.repository), "--only-folder"]
        return CliRunner().invoke(main, ["recover", *source, *place, *words], input=text)

    return run


def test_the_folder_returns_out_of_a_repository_whose_key_files_are_damaged(
    desktop: Desktop, sheet: Sheet, recover: Callable[..., Result], tmp_path: Path
) -> None:
    (made,) = (backup.id for backup in desktop.listing().backups)
    for path in (desktop.repository / "config", next((desktop.repository / "keys").iterdir())):
        path.chmod(0o600)
        path.write_bytes(b"damaged")
    before = set(Path(tempfile.gettempdir()).glob("tars-recover-*"))
    done = recover(words=("--yes", "--json"))
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert document["backup"] == made and document["steps"]
    assert set(Path(tempfile.gettempdir()).glob("tars-recover-*")) == before, "secrets were left"
    assert vault.read(tmp_path / "new/site")["dsm_password"] == "the old one"
    assert vault.vault_password_file().read_text().strip() == sheet.vault
    assert vault.vault_password_file().stat().st_mode & 0o777 == 0o600
    again = recover()
    assert again.exit_code == 0 and "continuing the recovery" in again.output, again.output


def test_nothing_that_is_there_is_replaced(sheet: Sheet, recover: Callable[..., Result], tmp_path: Path) -> None:
    site = tmp_path / "new/site"
    site.mkdir(parents=True)
    (site / "tars.yml").write_text("a sample\n")
    assert recover().exit_code == 0
    assert (site / "tars.yml.before-recovery").read_text() == "a sample\n"
    (site / ".recovery.json").unlink()
    (site / "tars.yml").write_text("edited\n")
    refused = recover()
    assert refused.exit_code == 1 and "tars.yml: found another content" in refused.output, refused.output
    vault.vault_password_file().write_text("another\n")
    refused = recover()
    assert refused.exit_code == 1 and "found another password" in refused.output


def test_another_sheet_or_another_program_is_refused(sheet: Sheet, recover: Callable[..., Result]) -> None:
    refused = recover(dataclasses.replace(sheet, restic="ab" * 32))
    assert refused.exit_code == 1 and "found SHA-256" in refused.output, refused.output
    refused = recover(dataclasses.replace(sheet, key="another"))
    assert refused.exit_code == 1 and "restic" in refused.output, refused.output
    assert not vault.vault_password_file().exists()


def test_an_archive_with_a_path_outside_is_refused(tmp_path: Path) -> None:
    from tars_provision.recovery.folder import FolderError, unpack

    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../outside"))
    with pytest.raises(FolderError, match="outside"):
        unpack(content.getvalue(), tmp_path / "site")
    assert not (tmp_path / "outside").exists()


def test_the_program_on_the_desktop_reads_a_mounted_share_and_leaves_nothing(
    desktop: Desktop, sheet: Sheet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tmpfs with the name of the export is mounted already; the mount itself is part of the story in the lab."""
    work = tmp_path / "var"
    program = Path(remote.__file__).read_text()
    changed = program.replace("/var/lib/tars-recover", str(work)).replace('"fuse.nfs4"]', '"fuse.nfs4", "tmpfs"]')
    assert changed.count(str(work)) == 1 and changed.count('"tmpfs"') == 1
    (tmp_path / "remote.py").write_text(changed)
    monkeypatch.setattr(remote, "__file__", str(tmp_path / "remote.py"))
    share = work / "share"
    share.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", f"{sheet.nas}:{sheet.share}", share], check=True)
    try:
        shutil.copytree(desktop.share, share, dirs_exist_ok=True)
        (made,) = (backup.id for backup in desktop.listing().backups)
        key = Key(sheet.for_repository(), sheet.repository, sheet.restic[:8])
        with repository.through_desktop(["sh", "-c"], sheet.nas, sheet.share, sheet.desktop, key) as reader:
            listing, _ = reader.run("list")
            assert [backup["id"] for backup in listing["backups"]] == [made]
            document, archive = reader.run("site", "latest", output=True)
            with tarfile.open(fileobj=io.BytesIO(archive)) as content:
                assert document["id"] == made and "./tars.yml" in content.getnames()
            with pytest.raises(RepositoryError, match="no good backup"):
                reader.run("site", "2020-01-01T00:00:00Z", output=True)
    finally:
        if share.is_mount():
            subprocess.run(["umount", share], check=True)
    assert not work.exists() and not list(tmp_path.glob("var*"))
