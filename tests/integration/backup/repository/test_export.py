# SPDX-License-Identifier: GPL-3.0-or-later
"""Export a backup of real services, and restore the archive by the commands in its RECOVERY.md."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tars_backup.actions.export import Exported, export
from tars_backup.components import Component, all_components, file_tree
from tars_backup.context import Context
from tars_backup.errors import BackupError, BackupNotFoundError, VerificationError

from ..conftest import Database, Databases, Household
from .desktop import Desktop

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can set owners"),
]


class FullDesktop(Desktop):
    """A desktop whose components are the real ones, over real services."""

    household: Household

    @property
    def components(self) -> Sequence[Component]:
        return all_components()

    def context(self) -> Context:
        configuration = replace(
            self.configuration, configuration=(self.household.folder / "opt",), site=self.household.folder / "site"
        )
        return replace(self.household.context, configuration=configuration)


@pytest.fixture
def full(stack: Household, database: Database, tmp_path: Path, restic: Path, template: Path) -> FullDesktop:
    """A desktop with rows in the database, a configuration, and a site folder."""
    desktop = FullDesktop(tmp_path / "desktop", restic)
    desktop.household = stack
    desktop.use(template)
    database.execute(
        'CREATE TABLE "odd ""q"" name" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text);'
        "CREATE TABLE passages (hash bytea PRIMARY KEY, note text);"
        "INSERT INTO passages SELECT sha256(n::text::bytea), E'a\\\\\\t\\r\\n' || n FROM generate_series(1, 5000) AS n"
    )
    database.execute('INSERT INTO "odd ""q"" name" (text) VALUES (NULL), (%s)', ("é\U0001f600\\N",))
    (stack.folder / "data/ollama").mkdir(parents=True)
    secret = stack.folder / "opt/a secret's key"
    secret.write_bytes(b"\x00\xff")
    os.chown(secret, 999, 999)
    secret.chmod(0o400)
    (stack.folder / "opt/link").symlink_to("a secret's key")
    (stack.folder / "site").mkdir()
    (stack.folder / "site/tars.yml").write_text("hosts: {}\n")
    return desktop


def exported(desktop: Desktop, output: Path, name: str = "latest") -> Exported:
    return export(desktop.configuration, name, output, progress=lambda line: None)


def commands(guide: str) -> str:
    """Return the commands of RECOVERY.md as one script."""
    return "set -eu\n" + "".join(re.findall(r"```sh\n(.*?)```", guide, re.DOTALL))


def test_by_hand(full: FullDesktop, database: Database, databases: Databases, tmp_path: Path, postgres: object) -> None:
    made = full.run()
    output = tmp_path / "usb stick"
    output.mkdir()
    archive = exported(full, output)
    assert archive.path == output / f"tars-backup-{made.id}.tar.gz"
    assert stat.S_IMODE(archive.path.stat().st_mode) == 0o600
    assert archive.bytes == archive.path.stat().st_size
    assert sorted(path.name for path in output.iterdir()) == [archive.path.name]
    listed = subprocess.run(["tar", "-tzf", archive.path], check=True, capture_output=True, text=True).stdout
    assert {line.split("/")[0] for line in listed.splitlines()} == {f"tars-backup-{made.id}"}
    with tarfile.open(archive.path) as tar:
        member = tar.extractfile(f"tars-backup-{made.id}/RECOVERY.md")
        assert member
        guide = member.read().decode()
    name = f"by_hand_{os.getpid()}"
    target, site = tmp_path / "target", tmp_path / "new site"
    target.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "PGHOST": "127.0.0.1",
        "PGPORT": str(database.contract["port"]),
        "PGUSER": "tars",
        "TARGET": str(target),
        "SITE": str(site),
    }
    script = commands(guide).replace("createdb tars", f"createdb {name}").replace("--dbname tars", f"--dbname {name}")
    done = subprocess.run(["sh", "-c", script], cwd=output, env=environment, capture_output=True, text=True)
    databases.names.append(name)
    assert done.returncode == 0, done.stdout + done.stderr
    restored = Database({**database.contract, "name": name})
    for query in ("SELECT * FROM passages ORDER BY 1", 'SELECT * FROM "odd ""q"" name" ORDER BY 1'):
        assert restored.execute(query) == database.execute(query)
    assert restored.execute('INSERT INTO "odd ""q"" name" (text) VALUES (NULL) RETURNING id') == [(3,)]
    with pytest.raises(psycopg.errors.UniqueViolation):
        restored.execute("INSERT INTO passages SELECT * FROM passages")
    opt = full.household.folder / "opt"
    below = target / opt.relative_to("/")
    secret = (below / "a secret's key").stat()
    assert (secret.st_uid, secret.st_gid, stat.S_IMODE(secret.st_mode)) == (999, 999, 0o400)
    assert (below / "link").read_bytes() == b"\x00\xff"
    assert (site / "tars.yml").read_text() == "hosts: {}\n"
    # The same as the program itself would have restored.
    configuration = output / f"tars-backup-{made.id}/configuration"
    assert file_tree.restore(configuration, target) == []


def test_exports_are_equal(full: FullDesktop, tmp_path: Path) -> None:
    full.run()
    first = exported(full, tmp_path / "first.tar.gz")
    assert exported(full, tmp_path / "second.tar.gz").sha256 == first.sha256
    assert "passwords" in list(first.lines())[1]


def test_existing_file_is_kept(desktop: Desktop, tmp_path: Path) -> None:
    desktop.run()
    path = tmp_path / "kept.tar.gz"
    path.write_text("kept.tar.gz")
    with pytest.raises(BackupError, match="found a file of this name; expected a new name"):
        exported(desktop, path)
    assert path.read_text() == "kept.tar.gz"


def test_no_backup(desktop: Desktop, tmp_path: Path) -> None:
    with pytest.raises(BackupNotFoundError):
        exported(desktop, tmp_path)


def test_damaged_backup_leaves_no_archive(desktop: Desktop, tmp_path: Path) -> None:
    (desktop.documents / "large").write_bytes(os.urandom(3_000_000))
    desktop.run()
    pack = max(desktop.repository.glob("data/*/*"), key=lambda path: path.stat().st_size)
    pack.chmod(0o600)
    content = bytearray(pack.read_bytes())
    content[1000] ^= 1
    pack.write_bytes(content)
    output = tmp_path / "output"
    output.mkdir()
    with pytest.raises(VerificationError, match="Run tars-backup verify"):
        exported(desktop, output)
    assert list(output.iterdir()) == []


def test_other_files_than_in_the_manifest(desktop: Desktop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desktop.run()
    monkeypatch.setattr("tars_backup.repository.verification.compare", lambda *_: ["files differ"])
    output = tmp_path / "output"
    output.mkdir()
    with pytest.raises(VerificationError, match="files differ"):
        exported(desktop, output)
    assert list(output.iterdir()) == []


def test_backup_without_services(desktop: Desktop, tmp_path: Path) -> None:
    desktop.run()
    archive = exported(desktop, tmp_path / "archive.tar.gz")
    with tarfile.open(archive.path) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    assert names == {"manifest.json", "files/bill.txt", "RECOVERY.md", "SHA256SUMS"}
    assert archive.files == 4
