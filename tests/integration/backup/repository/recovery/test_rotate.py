# SPDX-License-Identifier: GPL-3.0-or-later
"""The key of the backups is exchanged: the old one opens nothing, the new one everything, and one works meanwhile."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tars_backup import cli, files, processes
from tars_backup.actions.key import try_sheet
from tars_backup.actions.rotate import Passwords, parse, rotate
from tars_backup.actions.status import status
from tars_backup.errors import BackupError, WrongKeyError
from tars_backup.repository.sheet import DAMAGED, Sheet
from tars_backup.restic import Restic
from tars_provision.ansible.events import Result
from tars_provision.commands import backup_rotate, backup_sheet
from tars_provision.commands.backup import Answer
from tars_provision.controller import vault

from ..copies.conftest import copy_template, pair  # noqa: F401  fixtures
from ..copies.pair import NAME, Pair
from ..desktop import PASSWORD, Desktop
from ..quick_key import add_key
from .test_key import sheet_of

pytestmark = pytest.mark.integration

NEW = "another key of the household"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add keys that open in milliseconds in the place of restic's; one test uses restic's own."""

    def add(self: Restic, key_file: Path) -> None:
        master = json.loads(self._run("cat", "masterkey", "--no-lock", deadline_s=60))
        add_key(self._configuration.repository, key_file.read_text().strip(), json.dumps(master).encode())

    monkeypatch.setattr(Restic, "add_key", add)


def opens(desktop: Desktop, password: str, repository: Path) -> bool:
    """Return whether restic alone opens a repository with a password."""
    file = desktop.folder / "tried"
    file.write_text(password)
    words = [desktop.settings["restic"], "-r", repository, "-p", file, "--no-lock", "--no-cache", "cat", "config"]
    done = subprocess.run(words, env={"HOME": "/nonexistent"}, capture_output=True, timeout=60)
    assert done.returncode in (0, 12), done.stderr
    return done.returncode == 0


def test_the_old_key_opens_nothing_and_the_new_one_everything(pair: Pair) -> None:  # noqa: F811  a fixture
    desktop, names = pair.desktop, [pair.change("one"), pair.change("two")]
    pair.copy()
    sheet = sheet_of(desktop)
    # What an earlier repair has replaced, and a key that someone else has added.
    (desktop.share / DAMAGED).mkdir()
    (desktop.share / DAMAGED / "key").write_bytes(next((desktop.repository / "keys").iterdir()).read_bytes())
    add_key(desktop.repository, "the intruder's", desktop.stock_restic("cat", "masterkey").stdout.encode())

    rotated = rotate(desktop.configuration, Passwords(NEW, None), alone=False)
    assert (rotated.places, rotated.changed, rotated.alone) == (("NAS", NAME), True, False)
    for password in (PASSWORD, NEW):
        assert opens(desktop, password, desktop.repository) and opens(desktop, password, pair.copied.repository)
    assert not rotate(desktop.configuration, Passwords(NEW, None), alone=False).changed

    rotated = rotate(desktop.configuration, Passwords(NEW, PASSWORD), alone=True)
    assert rotated.changed and "only the new password opens the backups of: NAS, attic" in list(rotated.lines())
    for repository in (desktop.repository, pair.copied.repository):
        assert [opens(desktop, password, repository) for password in (PASSWORD, "the intruder's", NEW)] == [
            False,
            False,
            True,
        ]
    (key,) = (desktop.repository / "keys").iterdir()
    assert list((desktop.share / DAMAGED).iterdir()) == [] and not list((pair.copied.origin / "keys").iterdir())
    assert not rotate(desktop.configuration, Passwords(NEW, PASSWORD), alone=True).changed
    (problem,) = status(desktop.configuration).status["problems"]
    assert (problem["kind"], problem["urgent"]) == ("key", False)
    with pytest.raises(WrongKeyError):
        try_sheet(desktop.configuration, Sheet(PASSWORD, {}), repair=False)
    try_sheet(desktop.configuration, sheet_of(desktop, password=NEW), repair=False)
    assert status(desktop.configuration).status["problems"] == []
    # Nothing was stored again, and everything goes on, also from the copy.
    names.append(pair.change("three"))
    assert desktop.verify(every=True, data=True).backups == tuple(names)
    pair.copy()
    assert [path.name for path in (pair.copied.origin / "keys").iterdir()] == [key.name]
    pair.lose_share()
    assert set(pair.bring_back().copied) == set(names) and opens(desktop, NEW, desktop.repository)
    assert sheet.files.keys() != sheet_of(desktop, password=NEW).files.keys()


def test_a_copy_that_was_not_connected_is_done_later(pair: Pair) -> None:  # noqa: F811  a fixture
    desktop = pair.desktop
    pair.change("one")
    pair.copy()
    place = desktop.settings["copies"]
    disk = {NAME: {"disk": "0badcafe-0000-4000-8000-000000000000", "retention": {"last": 9}}}
    desktop.write_settings(copies=disk)
    rotated = rotate(desktop.configuration, Passwords(NEW, None), alone=True)
    assert rotated.absent == (NAME,) and f"{NAME}: not connected" in "".join(rotated.lines())
    desktop.write_settings(copies=place)
    with pytest.raises(WrongKeyError):
        pair.copy()
    with pytest.raises(WrongKeyError, match="neither the new password nor a former one opens it"):
        rotate(desktop.configuration, Passwords(NEW, None), alone=True)
    assert rotate(desktop.configuration, Passwords(NEW, PASSWORD), alone=True).absent == ()
    assert not opens(desktop, PASSWORD, pair.copied.repository)
    pair.change("two")
    assert len(pair.copy().copies[0].copied) == 1


def test_a_key_that_cannot_be_removed_is_an_error(desktop: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    desktop.run()
    monkeypatch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
    with pytest.raises(BackupError, match="keys that could not be removed"):
        rotate(desktop.configuration, Passwords(NEW, None), alone=True)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"password": 1}', '{"password": " "}', '{"password": "a", "former": 1}']
)
def test_what_is_not_a_password_is_refused(text: str) -> None:
    with pytest.raises(BackupError, match="new password: found"):
        parse(text)


def test_an_empty_repository_is_rotated_too(desktop: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the key that restic itself adds
    assert rotate(desktop.configuration, Passwords(NEW, None), alone=True).places == ("NAS",)
    assert desktop.run().changed


class Killed(BaseException):
    """Stands for the end of the computer that provisions."""


class Controller:
    """The computer that provisions. Its commands run on this computer instead of over Ansible."""

    def __init__(self, desktop: Desktop, site: Path, patch: pytest.MonkeyPatch) -> None:
        self.desktop, self.site = desktop, site
        secrets = vault.ensure(site)
        vault.write(site, {**secrets, "backup_key": PASSWORD})
        patch.setattr(backup_rotate, "on_desktop", self.on_desktop)
        patch.setattr(backup_sheet, "write", lambda *_, **__: backup_sheet.Written(Path("sheet"), "id", "today"))

    def on_desktop(
        self, _site: Path, _console: Console, arguments: Sequence[str], *, stdin: str, verbosity: int
    ) -> Answer:
        output = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(output):
            patch.setattr("sys.stdin", io.StringIO(stdin))
            code = cli.main([*arguments, "--json", "--configuration", str(self.desktop.file)])
        return Answer(Result("backup", "failed" if code else "done"), json.loads(output.getvalue()))

    def rotate(self) -> backup_rotate.Rotated | Answer:
        return backup_rotate.rotate(self.site, Console(), None, as_pdf=False)

    def assert_opens(self) -> None:
        """Check that the key in the vault and the one on the desktop open the repository."""
        self.desktop.listing()
        assert opens(self.desktop, vault.read(self.site)["backup_key"], self.desktop.repository)


@pytest.fixture
def controller(desktop: Desktop, tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Controller:
    desktop.run()
    return Controller(desktop, tmp_path / "site", monkeypatch)


@pytest.mark.steps
def test_a_kill_at_any_step_leaves_a_key_that_works(controller: Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before and after each step on the controller and each on the desktop."""
    kills = 0
    while True:
        with monkeypatch.context() as patch:
            at_step(patch, kills + 1)
            before = vault.read(controller.site)["backup_key"]
            try:
                controller.rotate()
                break
            except Killed:
                kills += 1
        controller.assert_opens()
        outcome = controller.rotate()
        assert isinstance(outcome, backup_rotate.Rotated), outcome
        controller.assert_opens()
        secrets = vault.read(controller.site)
        assert set(secrets) == set(vault.NAMES) and secrets["backup_key"] != before
        assert not opens(controller.desktop, before, controller.desktop.repository)
    assert kills == 10


def test_a_step_that_fails_on_the_desktop_leaves_the_old_key(controller: Controller) -> None:
    desktop = controller.desktop
    desktop.write_settings(mount={**desktop.settings["mount"], "source": "another:/share"})
    answer = controller.rotate()
    assert isinstance(answer, Answer) and answer.exit_code == 1
    assert vault.read(controller.site)["backup_key"] == PASSWORD
    assert opens(desktop, PASSWORD, desktop.repository) and "backup_key_next" in vault.read(controller.site)


def at_step(patch: pytest.MonkeyPatch, number: int) -> None:
    """End the controller at a step: before and after each write of the vault and each command of the desktop."""
    steps = 0

    def wrap(owner: Any, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def step(*arguments: Any, **options: Any) -> Any:
            nonlocal steps
            for act in (lambda: None, lambda: original(*arguments, **options)):
                result = act()
                steps += 1
                if steps == number:
                    raise Killed
            return result

        patch.setattr(owner, name, step)

    wrap(vault, "write")
    wrap(backup_rotate, "on_desktop")


@pytest.mark.steps
def test_a_kill_at_any_step_on_the_desktop(desktop: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    desktop.run()
    current, kills, steps, process = PASSWORD, 0, 0, os.getpid()

    def step(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal steps
            steps += os.getpid() == process  # not in the children that read or write the share
            if steps == kills + 1 and os.getpid() == process:
                raise Killed
            return original(*arguments, **options)

        return call

    while True:
        new, steps = f"{NEW} {kills}", 0
        with monkeypatch.context() as patch:
            for owner, name in ((files, "write"), (processes, "isolated"), (Restic, "add_key")):
                patch.setattr(owner, name, step(getattr(owner, name)))
            try:
                rotate(desktop.configuration, Passwords(new, current), alone=True)
                break
            except Killed:
                kills += 1
        assert desktop.listing().backups
        rotate(desktop.configuration, Passwords(new, current), alone=True)
        assert [opens(desktop, password, desktop.repository) for password in (current, new)] == [False, True]
        current = new
    assert kills > 10
