# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups there are: the snapshots of the repository, joined with the marks of good backups."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from . import instants, manifest
from .configuration import Configuration
from .errors import BackupError, BackupNotFoundError, DestinationError
from .manifest import Manifest, Mark
from .repository import marks, packs
from .restic import Restic, Snapshot
from .state import State


@dataclass(frozen=True)
class Catalog:
    """The backups by id: good ones, and everything else that needs a name."""

    good: Mapping[str, Mark]
    snapshots: Mapping[str, Snapshot]
    unfinished: tuple[str, ...]
    """Ids of snapshots without a mark: a run was ended before it had proven them, or someone else made them."""
    foreign: tuple[Snapshot, ...]
    missing: Mapping[str, Mark]
    """Backups that were good and whose snapshots are gone, though this program did not remove them."""
    problems: tuple[str, ...]
    newest: Manifest | None

    def resolve(self, name: str) -> Mark:
        """Return the good backup of an id, the start of an id, `latest`, or an instant (the newest not later than it).

        Raises:
            BackupNotFoundError: there is none.
        """
        order = by_age(self.good.values())
        if name == "latest":
            candidates = order
        elif name in self.good:
            candidates = [self.good[name]]
        else:
            instant = _instant(name)
            if instant:
                candidates = [mark for mark in order if mark.made_at <= instant]
            else:
                candidates = [mark for mark in order if mark.id.startswith(name)]
                candidates = candidates if len(candidates) == 1 else []
        if candidates:
            return candidates[-1]
        raise BackupNotFoundError(
            name,
            found="no good backup of this id or time",
            expected="latest, an id of tars-backup list, or a time such as 2026-11-29T10:00:00Z",
            next_step="Run tars-backup list",
        )


def by_age(backups: Iterable[Mark]) -> list[Mark]:
    """Return backups with the newest last; those that a wrong clock has dated in the future count as oldest."""
    now = instants.now()
    return sorted(backups, key=lambda mark: (mark.made_at <= now, mark.made_at, mark.id))


def _instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=instants.UTC)


def read(configuration: Configuration, restic: Restic, *, quick: bool = False) -> Catalog:
    """Return the backups of the repository; needs neither locks nor write access.

    If `quick`, and under the program's lock, restic is not asked for the snapshots again while their files are
    those of the last time: it derives the key for each of its answers, which takes half a second of a processor. The
    name of such a file is the SHA-256 of its content.
    """
    state = State(configuration.state)
    everything = _remembered(configuration, restic, state) if quick else restic.snapshots()
    candidates: dict[str, list[Snapshot]] = {}
    for snapshot in everything:
        if snapshot.backup:
            candidates.setdefault(snapshot.backup, []).append(snapshot)
    known, damaged = marks.read(configuration.good)
    problems = [f"good/{name}: not a valid mark" for name in damaged]
    remembered = state.read("last_good")
    # One of a repository that was replaced is not missing in this one.
    if remembered and remembered.get("repository") in (None, configuration.repository_id):
        mark = manifest.mark_of(remembered)
        known.setdefault(mark.id, mark)
    newest, more = _newest(known, _chosen(candidates, known, restic), restic)
    problems += more
    # Not for a copy, which holds only what its own rules keep, and counts only what was read back there.
    for mark in newest.living if newest and not configuration.name else ():
        known.setdefault(mark.id, mark)
    snapshots = _chosen(candidates, known, restic)
    own = {snapshot.id for snapshot in snapshots.values()}
    pruned = set(state.read("pruned").get("ids") or marks.removed(configuration.good))
    return Catalog(
        good={name: mark for name, mark in known.items() if name in snapshots},
        snapshots=snapshots,
        unfinished=tuple(sorted(set(snapshots) - set(known))),
        foreign=tuple(snapshot for snapshot in everything if snapshot.id not in own),
        missing={name: mark for name, mark in known.items() if name not in snapshots and name not in pruned},
        problems=tuple(problems),
        newest=newest,
    )


def _remembered(configuration: Configuration, restic: Restic, state: State) -> list[Snapshot]:
    names = packs.snapshots(configuration)
    known = state.read("snapshots")
    if not names:
        return []
    if known.get("names") == names:
        with contextlib.suppress(KeyError, TypeError):  # another version of this program wrote it
            return [Snapshot(**{**entry, "tags": tuple(entry["tags"])}) for entry in known["snapshots"]]
    everything = restic.snapshots()
    if names == sorted(snapshot.id for snapshot in everything):
        state.write("snapshots", {"names": names, "snapshots": [dataclasses.asdict(entry) for entry in everything]})
    return everything


def manifest_of(restic: Restic, snapshot: Snapshot, mark: Mark | None) -> Manifest:
    """Return the manifest of a backup, compared with its mark.

    Raises:
        BackupError: it cannot be read, or differs.
    """
    content = restic.dump(snapshot.id, manifest.NAME)
    digest = manifest.sha256(content)
    if mark and digest != mark.manifest:
        raise BackupError(mark.id, found=f"a manifest with SHA-256 {digest}", expected=mark.manifest)
    return manifest.decoded(content, mark.id if mark else snapshot.id)


def _chosen(candidates: Mapping[str, list[Snapshot]], known: Mapping[str, Mark], restic: Restic) -> dict[str, Snapshot]:
    """Return the snapshot of each backup: of several with the same id, the one whose manifest has the mark's digest."""
    chosen = {name: same[0] for name, same in candidates.items()}
    for name, same in candidates.items():
        for snapshot in same if len(same) > 1 and name in known else ():
            with contextlib.suppress(BackupError):
                manifest_of(restic, snapshot, known[name])
                chosen[name] = snapshot
                break
    return chosen


def _newest(
    known: Mapping[str, Mark], snapshots: Mapping[str, Snapshot], restic: Restic
) -> tuple[Manifest | None, list[str]]:
    """Return the newest good manifest that can be read, and what is wrong with newer ones.

    If no mark is left at all, the newest manifest of any snapshot serves: it lists the backups that were good then.
    """
    names = [mark.id for mark in by_age(known[name] for name in known if name in snapshots)]
    problems: list[str] = []
    for name in reversed(names or sorted(snapshots)):
        try:
            return manifest_of(restic, snapshots[name], known.get(name)), problems
        except DestinationError:
            raise
        except BackupError as error:
            if name in known:
                problems.append(f"{name}: {error}")
    return None, problems
