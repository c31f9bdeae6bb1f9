# SPDX-License-Identifier: GPL-3.0-or-later
"""Exchange the password of the repository and of its copies, for when someone else may know the present one.

The data stays encrypted with the repository's master key, which the key files hold: whoever has copied a key file and
its password can still read whatever data of the repository they get hold of.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .. import catalog, destination, files, instants, media, processes, program_lock
from ..configuration import Configuration
from ..errors import BackupError, BackupNotFoundError, NotConnectedError, WrongKeyError
from ..repository import locks
from ..repository.sheet import DAMAGED
from ..restic import Restic
from ..state import State

SUBJECT = "key"
"""Subject of the state: when the password was exchanged."""

_NAS = "NAS"


@dataclass(frozen=True)
class Rotated:
    """Where the new password opens the backups.

    Attributes:
        places: the NAS and the copies that the new password opens.
        absent: copies that are not connected, which only the former password opens.
        alone: whether the desktop uses the new password now, and the places have no other key.
        kept: servers that only append, which keep the former key until someone removes it there.
    """

    places: tuple[str, ...]
    absent: tuple[str, ...]
    alone: bool
    kept: tuple[str, ...]
    changed: bool

    code = 0

    def lines(self) -> Iterable[str]:
        """Return the outcome as lines for a person."""
        verb = "only the new password opens" if self.alone else "the new password also opens"
        yield f"{verb} the backups of: {', '.join(self.places)}"
        for name in self.kept:
            yield f"{name}: remove the former key on the server, with restic key remove"
        for name in self.absent:
            yield f"{name}: not connected, only the former password opens it; connect its disk and repeat the command"


@dataclass(frozen=True)
class Passwords:
    """The new password, and the former one if the desktop does not use it any more."""

    new: str
    former: str | None


def parse(text: str) -> Passwords:
    """Return the passwords of a JSON object with `password` and, perhaps, `former`.

    Raises:
        BackupError: the text is something else.
    """
    expected = "a JSON object with the texts password and former"
    try:
        document = json.loads(text)
        new, former = document["password"], document.get("former")
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise BackupError("new password", found=f"{type(error).__name__}: {error}", expected=expected) from error
    if not (isinstance(new, str) and new.strip() and isinstance(former, (str, type(None)))):
        raise BackupError("new password", found="no text, or an empty one", expected=expected)
    return Passwords(new, former)


def rotate(configuration: Configuration, passwords: Passwords, *, alone: bool) -> Rotated:
    """Let a new password open the repository and the connected copies; `alone`: use it, and remove all other keys.

    Each step can be repeated. Until the former keys are removed, both passwords open everything.

    Raises:
        WrongKeyError: no known password opens a repository.
        BackupError: a step failed.
    """
    with program_lock.held(configuration.state, "key --new"), _key_files(configuration, passwords) as (new, known):
        places: list[str] = []
        absent: list[str] = []
        changed = False
        for name in (None, *configuration.copies):
            try:
                with media.opened(configuration, name) as place:
                    changed |= _add(place, new, known)
                places.append(name or _NAS)
            except NotConnectedError:
                absent.append(str(name))
        kept: list[str] = []
        if alone:
            content = new.read_bytes()
            if configuration.key_file.read_bytes() != content:
                files.write(configuration.key_file, content)
                changed = True
            for name in (None, *(name for name in configuration.copies if name in places)):
                with media.opened(configuration, name) as place:
                    if place.server:
                        kept.append(str(name))
                    else:
                        changed |= _remove_others(configuration, place)
            State(configuration.state).write(SUBJECT, {"changed_at": instants.to_text(instants.now())})
        return Rotated(tuple(places), tuple(absent), alone, tuple(kept), changed)


@contextlib.contextmanager
def _key_files(configuration: Configuration, passwords: Passwords) -> Iterator[tuple[Path, list[Path]]]:
    """Yield a file with the new password, and the files of those that may open the repositories."""
    with tempfile.TemporaryDirectory(dir=configuration.state) as name:
        new, former = Path(name, "new"), Path(name, "former")
        files.write(new, f"{passwords.new.strip()}\n".encode())
        if passwords.former:
            files.write(former, f"{passwords.former.strip()}\n".encode())
        yield new, [path for path in (configuration.key_file, former) if path.exists()]


def _add(place: Configuration, new: Path, known: Sequence[Path]) -> bool:
    """Let the new password open a repository, and read its newest backup with it; return whether it did not before.

    Raises:
        WrongKeyError: none of the known passwords opens it.
    """
    destination.check_mount(place)
    destination.check_writable(place)
    destination.check_repository(place)
    added = not _opens(place, new)
    if added:
        opener = next((path for path in known if _opens(place, path)), None)
        if opener is None:
            raise WrongKeyError(
                place.server.url if place.server else place.repository,
                found="neither the new password nor a former one opens it",
                expected="the password of this repository",
                next_step="Put the key of the recovery sheet into the key file",
            )
        restic = Restic(replace(place, key_file=opener))
        if not place.server:
            locks.heal(place, restic, State(place.state), exclusive=False)
        restic.add_key(new)
    readable = replace(place, key_file=new)
    restic = Restic(readable)
    destination.check_id(readable, restic.repository_id())
    backups = catalog.read(readable, restic)
    with contextlib.suppress(BackupNotFoundError):
        mark = backups.resolve("latest")
        catalog.manifest_of(restic, backups.snapshots[mark.id], mark)
    return added


def _opens(place: Configuration, key_file: Path) -> bool:
    try:
        Restic(replace(place, key_file=key_file)).repository_id()
    except WrongKeyError:
        return False
    return True


def _remove_others(first: Configuration, place: Configuration) -> bool:
    """Delete all key files of a repository but the present one's, and copies of them beside it; return if any was."""
    name = Restic(place).key_name()
    repository, origin = place.repository, place.origin / "keys"

    def others() -> list[Path]:
        paths = [path for path in (repository / "keys").iterdir() if path.name != name]
        if place.name:
            present = {path.name for path in (first.repository / "keys").iterdir()}
            paths += [path for path in origin.glob("*") if path.name not in present]
        return [*paths, *(repository.parent / DAMAGED).glob("*")]

    def remove() -> int:
        paths = others()
        for path in paths:
            path.unlink()
        for folder in {path.parent for path in paths}:
            files.sync_folder(folder)
        return len(paths)

    removed = processes.isolated(remove, subject=repository)
    left = processes.isolated(others, subject=repository)
    if left:
        raise BackupError(
            repository,
            found=f"keys that could not be removed: {', '.join(path.name for path in left)}",
            expected="the new key alone",
            next_step="Check the permissions of the share on the NAS",
        )
    return removed > 0
