# SPDX-License-Identifier: GPL-3.0-or-later
"""NFS mounts as systemd units: their text, and what to do to get from the present units to the wanted ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, FrozenSet, List, Mapping, Sequence, Tuple

MARKER = "# Written by tars.home.nfs_mounts, changes are lost.\n"
"""First line of every unit file of ours. A unit file without it is someone else's."""


class NfsUnitError(Exception):
    """The mounts contradict each other, or the machine stands in their way. The message names it and the next step."""


@dataclass(frozen=True)
class Mount:
    """One NFS export and where it is mounted. Times in seconds."""

    name: str
    source: str
    path: str
    options: Tuple[str, ...]
    mount_timeout_s: int
    idle_timeout_s: int


@dataclass(frozen=True)
class Present:
    """The machine's state: text of the unit files of these names and of all of ours; enabled, active, masked units."""

    files: Mapping[str, str]
    enabled: FrozenSet[str]
    active: FrozenSet[str]
    masked: FrozenSet[str] = frozenset()

    def state(self, unit: str) -> str:
        """What systemd has of a unit, in words."""
        unit_file = next((word for word in ("enabled", "masked") if unit in getattr(self, word)), "not enabled")
        return f"{unit_file}, {'active' if unit in self.active else 'not active'}"


@dataclass(frozen=True)
class Plan:
    """Mask and stop, stop these units, delete and write these files, reload systemd, then enable and start these."""

    mask: Tuple[str, ...] = ()
    stop: Tuple[str, ...] = ()
    delete: Tuple[str, ...] = ()
    write: Tuple[Tuple[str, str], ...] = ()
    start: Tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != Plan()


def unit_files(mount: Mount) -> Dict[str, str]:
    """The two unit files of a mount.

    The automount is wanted, not required, at boot, and mounts at the first access: a machine boots whether the NAS is
    there or not (what `nofail` says in fstab), and an access to an absent one ends with an error after the timeout.
    No limit of starts: after five mounts that are refused at once (systemd's default within ten seconds) the automount
    would stay failed until somebody starts it by hand.
    """
    what, where = mount.source.replace("%", "%%"), mount.path.replace("%", "%%")
    options = ",".join(mount.options).replace("%", "%%")
    return {
        mount.name + ".mount": (
            f"{MARKER}[Unit]\nDescription={what} on {where}\nStartLimitIntervalSec=0\n\n"
            f"[Mount]\nWhat={what}\nWhere={where}\nType=nfs4\nOptions={options}\nTimeoutSec={mount.mount_timeout_s}\n"
        ),
        mount.name + ".automount": (
            f"{MARKER}[Unit]\nDescription={what} on {where}, at the first access\n\n"
            f"[Automount]\nWhere={where}\nTimeoutIdleSec={mount.idle_timeout_s}\n\n"
            "[Install]\nWantedBy=remote-fs.target\n"
        ),
    }


def options(read_only: bool, timeout_s: int, retries: int, further: Sequence[str]) -> Tuple[str, ...]:
    """NFS mount options, see nfs(5). `timeo` is in tenths of a second.

    What is only read is mounted soft: an access to a NAS that went away ends with an error. What is written to is
    mounted hard: it waits for the NAS, because the kernel would drop what it has taken from a program and not yet sent.
    """
    base = (
        *(("ro", "soft") if read_only else ("rw", "hard")),
        f"timeo={timeout_s * 10}",
        f"retrans={retries}",
        "nosuid",
        "nodev",
        "noexec",
        "noatime",
    )
    return (*base, *further)


def refuse_contradictions(mounts: Sequence[Mount]) -> None:
    """Refuse mounts that share a path, or lie at none or at the root."""
    paths = [mount.path for mount in mounts]
    if len({mount.name for mount in mounts}) < len(mounts) or not all(re.match("/+[^/]", path) for path in paths):
        raise NfsUnitError(
            f"Every mount needs an absolute path of its own; given are {', '.join(paths)}. Next: correct the list of "
            "mounts, then run again."
        )


def plan(present: Present, mounts: Sequence[Mount], masked: Sequence[str] = ()) -> Plan:
    """What turns the present units into the wanted ones. Empty (false) where nothing differs.

    Raises:
        NfsUnitError: a unit file of a wanted name is someone else's.
    """
    wanted: Dict[str, str] = {}
    automounts: List[str] = []
    for mount in mounts:
        wanted.update(unit_files(mount))
        automounts.append(mount.name + ".automount")
    foreign = [name for name in wanted if name in present.files and not present.files[name].startswith(MARKER)]
    if foreign:
        raise NfsUnitError(
            f"{', '.join(foreign)} was written by someone else. Remove it, or mount elsewhere, then run again."
        )
    write = tuple((name, text) for name, text in wanted.items() if present.files.get(name) != text)
    delete = tuple(
        sorted(name for name, text in present.files.items() if name not in wanted and text.startswith(MARKER))
    )
    touched = {stem(name) for name, _ in write} | {stem(name) for name in delete}
    # The automount goes first, or it would mount again what was just unmounted.
    suffixes = (".automount", ".mount")
    stop = tuple(name + suffix for name in sorted(touched) for suffix in suffixes if name + suffix in present.active)
    start = tuple(
        name
        for name in automounts
        if stem(name) in touched or name not in present.enabled or name not in present.active
    )
    mask = tuple(name for name in masked if name not in present.masked or name in present.active)
    return Plan(mask, stop, delete, write, start)


def states(present: Present, plan: Plan) -> Tuple[Dict[str, str], Dict[str, str]]:
    """Units whose state a plan changes, before and after. Those of its files tell of themselves."""
    after = dict.fromkeys(plan.mask, "masked, not active")
    after.update(dict.fromkeys(plan.start, "enabled, active"))
    changed = [unit for unit, state in after.items() if present.state(unit) != state]
    return {unit: present.state(unit) for unit in changed}, {unit: after[unit] for unit in changed}


def stem(unit: str) -> str:
    """A unit's name without its type."""
    return unit.rsplit(".", 1)[0]


def parse_states(show: str) -> Tuple[FrozenSet[str], FrozenSet[str], FrozenSet[str]]:
    """`systemctl show --property=Id,ActiveState,UnitFileState` to the enabled, the active and the masked units."""
    enabled, active, masked = set(), set(), set()
    for block in show.strip().split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if values.get("UnitFileState") == "enabled":
            enabled.add(values["Id"])
        if values.get("UnitFileState") == "masked":
            masked.add(values["Id"])
        if values.get("ActiveState") in ("active", "activating", "reloading"):
            active.add(values["Id"])
    return frozenset(enabled), frozenset(active), frozenset(masked)
