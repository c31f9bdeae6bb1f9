# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore the data of the services from a backup, or return to the data before the last restore.

Everything that can be checked is checked before a service is touched: the restored files against the manifest, and the
new database, which is loaded by a server of its own, against the saved rows. Then the services stop, the folders are
exchanged, and the services that ran start again. If one of them does not run on its new data, all is put back.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from .. import catalog, destination, instants, manifest, program_lock
from ..components import Component
from ..components.postgres import compare
from ..components.postgres.load import records
from ..components.postgres.session import connect
from ..configuration import Configuration
from ..context import Context
from ..contract import Contract
from ..errors import BackupError, DestinationError, InterruptionError, UsageError, VerificationError
from ..manifest import Manifest, Mark
from ..restic import Restic, Snapshot
from ..restoring import database, folders, issuer, journal, redis, switch
from ..restoring.journal import Journal
from ..restoring.outcome import Restored, Table

POSTGRES, REDIS, CONFIGURATION = "postgres", "redis", issuer.COMPONENT

_RESTIC_S = 4 * 3600.0
_QUERY_S = 3600.0


@dataclass(frozen=True)
class Chosen:
    """A backup of the repository, and the parts of it to restore."""

    restic: Restic
    mark: Mark
    snapshot: Snapshot
    manifest: Manifest
    newer: tuple[str, ...]
    parts: tuple[str, ...]
    left_out: str = ""

    def result(self, **values: object) -> Restored:
        """Return the outcome with what is known of the backup."""
        size = sum(self.manifest.components[name].bytes for name in self.parts)
        known = Restored(
            self.mark.id,
            self.mark.made_at,
            self.parts,
            changed=True,
            newer=self.newer,
            bytes=size,
            issuer=CONFIGURATION in self.parts,
            left_out=self.left_out,
        )
        return replace(known, **values)  # type: ignore[arg-type]  # the fields of the class


def restore(
    configuration: Configuration,
    components: Sequence[Component],
    open_context: Callable[[], Context],
    *,
    name: str,
    parts: Sequence[str] | None,
    preview: bool,
    with_redis: bool = False,
    source: Configuration | None = None,
) -> Restored:
    """Restore those parts of a backup that differ from it.

    Args:
        configuration: of the program.
        components: of a backup; they check the restored files.
        open_context: returns the services.
        name: id, `latest`, or a time, which is that of the newest backup not later than it.
        parts: of `postgres`, `redis` and `configuration`. With `postgres` alone, Redis starts empty. None: `postgres`,
            and `configuration` unless that cannot be used on this desktop.
        with_redis: `redis` as well.
        preview: only report what would change.
        source: configuration of the copy with the backup; default: the first repository.

    Raises:
        UsageError: a part cannot be restored by itself.
        BackupNotFoundError: there is no such backup.
        VerificationError: the backup, or the new database, differs from what was saved.
        BackupError: a step failed. Data and services are as they were, or the next command returns to that.
    """
    _require_parts(parts)
    if preview:
        context = open_context()
        chosen = choose(context, name, parts, source=source, with_redis=with_redis)
        chosen, changed, tables = _differences(context, chosen, optional=parts is None)
        return chosen.result(
            changed=changed, tables=tables, preview=True, issuer=changed and CONFIGURATION in chosen.parts
        )
    with program_lock.held(configuration.state, "restore"):
        context = open_context()
        recovered = journal.recover(context)
        chosen = choose(context, name, parts, source=source, with_redis=with_redis)
        chosen, changed, tables = _differences(context, chosen, optional=parts is None)
        if not changed:
            return chosen.result(changed=False, tables=tables, recovered=recovered, issuer=False)
        outcome = _carry_out(context, chosen, components)
        return replace(outcome, tables=tables, recovered=recovered)


def roll_back(configuration: Configuration, open_context: Callable[[], Context], *, preview: bool) -> Restored:
    """Return to the data before the last switch. A second rollback takes the first one back.

    Raises:
        BackupError: no data is kept, or a step failed. Data and services are as they were, or the next command returns
            to that.
    """
    if preview:
        return _roll_back(open_context(), preview=True)
    with program_lock.held(configuration.state, "restore --rollback"):
        context = open_context()
        recovered = journal.recover(context)
        return replace(_roll_back(context, preview=False), recovered=recovered)


def _require_parts(parts: Sequence[str] | None) -> None:
    if parts is None:
        return
    wrong = [name for name in parts if name not in (POSTGRES, REDIS, CONFIGURATION)]
    if wrong or not parts:
        raise UsageError(
            "--component",
            found=", ".join(wrong) or "none",
            expected=f"{POSTGRES}, {REDIS} or {CONFIGURATION}; the vectors follow from {POSTGRES}, and the other parts "
            "are files",
            next_step="Take files out of a backup with tars-backup export",
        )


def choose(
    context: Context,
    name: str,
    parts: Sequence[str] | None,
    *,
    with_redis: bool = False,
    source: Configuration | None = None,
) -> Chosen:
    """Return a backup by its id, `latest` or a time. `parts` of None are the default ones.

    `source` is the configuration of the repository to read, by default the one on the NAS.

    Raises:
        BackupError: there is none, it lacks one of the parts, or the services cannot read it.
    """
    source = source or context.configuration
    restic = Restic(source)
    destination.open_for_reading(source, restic)
    backups = catalog.read(source, restic)
    mark = backups.resolve(name)
    snapshot = backups.snapshots[mark.id]
    document = catalog.manifest_of(restic, snapshot, mark)
    order = sorted(backups.good.values(), key=lambda other: (other.made_at, other.id))
    newer = tuple(other.id for other in order if other.made_at > mark.made_at)
    if parts is None:
        present = CONFIGURATION in document.components and issuer.of(context.contract)
        parts = (POSTGRES, CONFIGURATION) if present else (POSTGRES,)
    parts = tuple(dict.fromkeys((*parts, REDIS) if with_redis else parts))
    chosen = Chosen(restic, mark, snapshot, document, newer, parts)
    _refuse(context, chosen)
    return chosen


def _refuse(context: Context, chosen: Chosen) -> None:
    """Refuse a backup that lacks a part, or that only a newer version of the application can read."""
    absent = [name for name in chosen.parts if name not in chosen.manifest.components]
    if absent:
        raise UsageError(
            "--component",
            found=", ".join(absent),
            expected=f"parts of {chosen.mark.id}: {', '.join(chosen.manifest.components)}",
        )
    made_by = chosen.manifest.versions.get("application", "")
    present = str(context.contract.application.get("version", ""))
    if POSTGRES in chosen.parts and _release(made_by) > _release(present):
        raise BackupError(
            chosen.mark.id,
            found=f"data of the application {made_by}",
            expected=f"data of {present}, which this desktop runs, or older",
            next_step="Install the version of T.A.R.S. that made this backup, or a newer one",
        )


def _release(version: str) -> list[int]:
    """Return the numbers of a version such as 1.2.0, to compare it with another."""
    return [int(number) for number in version.split(".") if number.isdigit()]


def _differences(context: Context, chosen: Chosen, *, optional: bool) -> tuple[Chosen, bool, dict[str, Table] | None]:
    """Return the parts that would change, whether there are any, and the rows of the tables in the backup and now.

    If the issuer is `optional`, one that cannot be used is left out. Raises BackupError otherwise.
    """
    changing: tuple[str, ...] = ()
    tables = None
    data = tuple(part for part in chosen.parts if part != CONFIGURATION)
    if data:
        changed, tables = _data_differences(context, chosen)
        changing = data if changed else ()
    if CONFIGURATION in chosen.parts:
        present = issuer.of(context.contract)
        if present is None:
            raise BackupError(
                context.configuration.contract,
                found="no issuer of the page's certificates",
                expected="its key and certificate",
                next_step="Run the site playbook, whose role `stack` writes this file",
            )
        try:
            changing += (CONFIGURATION,) if issuer.differs(present, chosen.restic, chosen.snapshot.id) else ()
        except DestinationError:
            raise
        except BackupError as error:
            if not optional:
                raise
            chosen = replace(chosen, parts=data, left_out=str(error))
    return (replace(chosen, parts=changing) if changing else chosen), bool(changing), tables


def _data_differences(context: Context, chosen: Chosen) -> tuple[bool, dict[str, Table] | None]:
    """Return whether the data would change, and the rows of the tables in the backup and now.

    What differs from the living database is known only while it can be read; one that is damaged is replaced all the
    same. A queue has always changed.
    """
    store = str(context.contract.database["service"])
    if POSTGRES not in chosen.parts or not context.services.running([store]):
        return True, None
    context.progress("comparing the database with the backup")
    with tempfile.TemporaryDirectory() as folder:
        content = chosen.restic.dump(chosen.snapshot.id, "postgres/tables.json")
        Path(folder, "tables.json").write_bytes(content)
        saved = {table.name: table.rows for table in records(Path(folder))[0]}
        try:
            present = database.rows(context.services, context.contract.database)
            with connect(context.services, context.contract.database, deadline_s=_QUERY_S) as session:
                problems = compare(session, Path(folder))
        except InterruptionError:
            raise
        except BackupError as error:
            context.progress(f"the database cannot be compared with the backup: {error}")
            return True, None
    names = sorted({*saved, *present})
    tables = {name: Table(saved.get(name), present.get(name)) for name in names}
    return bool(problems) or REDIS in chosen.parts, tables


def _carry_out(context: Context, chosen: Chosen, components: Sequence[Component]) -> Restored:
    """Build the new folders, and switch to them."""
    replaced = _replaced(context, chosen.parts)
    record = Journal(journal.PREPARING, chosen.mark.id, tuple(str(new) for _data, new in replaced))
    journal.write(context, record)
    try:
        rows = _prepare(context, chosen, components)
    except BaseException as error:
        journal.undo_after(context, record, error)
        raise
    services, kept, moment = _switch(context, record, replaced, rows)
    return chosen.result(services=services, kept=kept, kept_until=moment + switch.KEPT)


def _replaced(context: Context, parts: Sequence[str]) -> list[tuple[Path, Path]]:
    """Return the folders and files that are replaced, each with the place of its new content.

    A restored database replaces all three: Chroma follows it, and a task in the queue may be about another document.
    """
    contract = context.contract
    services = [contract.queue["service"]] if POSTGRES in parts or REDIS in parts else []
    if POSTGRES in parts:
        services += [contract.database["service"], contract.vectors["service"]]
    data = [folders.data_folder(contract, str(service)) for service in services]
    data += issuer.replaceable(contract) if CONFIGURATION in parts else []
    return [(path, switch.new_folder(path)) for path in data]


def _prepare(context: Context, chosen: Chosen, components: Sequence[Component]) -> dict[str, int] | None:
    """Build the new folders; return the rows of each table of the new database, None if it is not restored."""
    contract, work = context.contract, context.configuration.work
    parts = chosen.manifest.components
    for service in contract.services:
        context.services.remove_scratch(service)
    folders.recreate(work)
    work_bytes = sum(part.bytes for part in parts.values())
    data_bytes = parts[POSTGRES].bytes if POSTGRES in chosen.parts else 0
    folders.require_disk_space(work, work_bytes, contract.data_folder, data_bytes)
    fetch(context, chosen, components, work)
    rows = None
    if CONFIGURATION in chosen.parts:
        issuer.build(context, work / CONFIGURATION)
    if REDIS in chosen.parts:
        redis.build(context, work / REDIS, _new_queue(contract))
    elif POSTGRES in chosen.parts:
        folders.make(contract, str(contract.queue["service"]), _new_queue(contract))
    if POSTGRES in chosen.parts:
        vectors = str(contract.vectors["service"])
        folders.make(contract, vectors, switch.new_folder(folders.data_folder(contract, vectors)))
        store = folders.data_folder(contract, str(contract.database["service"]))
        database.build(context, work / POSTGRES, parts[POSTGRES], switch.new_folder(store))
        rows = {table.name: table.rows for table in records(work / POSTGRES)[0]}
    folders.flush(contract.data_folder)
    return rows


def _new_queue(contract: Contract) -> Path:
    return switch.new_folder(folders.data_folder(contract, str(contract.queue["service"])))


def fetch(context: Context, chosen: Chosen, components: Sequence[Component], folder: Path) -> None:
    """Write all files of a backup to a folder, and compare them with the manifest.

    Raises:
        VerificationError: they differ, or a component is not whole.
        BackupError: restic could not read or write a file.
    """
    context.progress(f"reading {chosen.mark.id}")
    limit_s = context.deadline.remaining_s("restic restore", at_most=_RESTIC_S)
    chosen.restic.restore(chosen.snapshot.id, folder, deadline_s=limit_s)
    problems = []
    checks = {component.name: component for component in components}
    for name, part in chosen.manifest.components.items():
        place = folder / name
        place.mkdir(exist_ok=True)  # restic saves no folder for a component without files
        if manifest.read_part(place, part.counts, derived=part.derived).digest != part.digest:
            problems.append(f"{name}: files that differ from the manifest")
        elif name in checks:
            problems += [f"{name}: {problem}" for problem in checks[name].check(place, part.counts)]
    if problems:
        raise VerificationError(
            chosen.mark.id,
            found="; ".join(problems),
            expected="the files that were saved",
            next_step="Restore another backup; tars-backup verify --all names the sound ones",
        )


def _switch(
    context: Context, record: Journal, replaced: Sequence[tuple[Path, Path]], rows: dict[str, int] | None
) -> tuple[tuple[str, ...], tuple[Path, ...], datetime]:
    """Exchange folders while the services are stopped, and check the services on them.

    Returns the services that were started again, where the old folders are kept, and the moment of the switch.
    """
    moment = instants.now()
    running = tuple(context.services.running(issuer.services_of(context.contract, [data for data, _new in replaced])))
    moves = switch.moves(replaced, moment)
    record = replace(
        record,
        phase=journal.SWITCHING,
        moves=tuple((str(source), str(target)) for source, target in moves),
        running=running,
        rows=rows,
    )
    try:
        journal.write(context, record)
        context.progress(f"stopping {', '.join(reversed(running)) or 'no service'}")
        context.services.stop(reversed(running), deadline_s=journal.STOP_S)
        switch.carry_out(moves)
        record = replace(record, phase=journal.CHECKING)
        journal.write(context, record)
        context.progress(f"starting {', '.join(running) or 'no service'}")
        journal.finish(context, record)
    except BaseException as error:
        journal.undo_after(context, record, error)
        raise
    kept = tuple(target for source, target in moves if source in {data for data, _new in replaced})
    return running, kept, moment


def _roll_back(context: Context, *, preview: bool) -> Restored:
    """Return to the data before the newest switch."""
    kept = switch.kept(issuer.all_replaceable(context.contract))
    if not kept:
        raise BackupError(
            context.contract.data_folder,
            found="no data of before a restore",
            expected=f"folders that a restore of the last {switch.KEPT.days} days has kept",
            next_step="Restore a backup with tars-backup restore",
        )
    moment = max(kept)
    names = tuple(path.name for path, _old in kept[moment])
    result = Restored(f"before {instants.to_text(moment)}", moment, names, changed=True, preview=preview)
    files = {path for path, _old in kept[moment]} & set(issuer.replaceable(context.contract))
    result = replace(result, issuer=bool(files))
    if preview:
        return result
    record = Journal(journal.PREPARING, result.id, ())
    services, old, switched = _switch(context, record, kept[moment], None)
    return replace(result, services=services, kept=old, kept_until=switched + switch.KEPT)
