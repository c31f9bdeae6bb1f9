# SPDX-License-Identifier: GPL-3.0-or-later
"""NFS mounts as systemd units: their text, their state, and the changes between two states."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..resource.converge import Probe, Resource
from ..resource.errors import ResourceError
from . import files
from .probing import combined, parts, read_by
from .process import ProcessError, run

MARKER = "# Written by tars.home.nfs_mounts, changes are lost.\n"
"""First line of every unit file of ours. A unit file without it is someone else's."""

TIMEOUT_S = 300
"""Seconds that systemctl may take: a mount in use is stopped only when its server answers or its timeout is over."""


class NfsUnitError(ResourceError):
    """The mounts contradict each other, or the machine prevents them. The message names it and the next step."""


@dataclass(frozen=True)
class Mount:
    """One NFS export and where it is mounted. Times in seconds."""

    source: str
    path: str
    options: tuple[str, ...]
    mount_timeout_s: int
    idle_timeout_s: int

    @property
    def name(self) -> str:
        """Return the name that systemd requires for the units of this path."""
        return unit_name(self.path)


@dataclass(frozen=True)
class Units:
    """The units of a machine: texts of the files of the desired names and of all of ours, and their states."""

    files: Mapping[str, str]
    enabled: frozenset[str]
    active: frozenset[str]
    masked: frozenset[str] = frozenset()

    def state(self, unit: str) -> str:
        """Return the state of a unit in words."""
        unit_file = next((word for word in ("enabled", "masked") if unit in getattr(self, word)), "not enabled")
        return f"{unit_file}, {'active' if unit in self.active else 'not active'}"


@dataclass(frozen=True)
class Change:
    """One of `mask`, `stop`, `delete`, `write` (then with the text) and `start` for one unit."""

    action: str
    unit: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.action} {self.unit}"


def unit_name(path: str) -> str:
    """Return the name of a path's units as `systemd-escape --path` does (systemd.unit(5), string escaping)."""
    plain = "/".join(filter(None, path.split("/")))
    escaped = re.sub(
        rb"[^A-Za-z0-9:_./]|\A\.", lambda match: b"\\x%02x" % match[0][0], plain.encode("utf-8", "surrogateescape")
    )
    return escaped.decode().replace("/", "-") or "-"


def unit_files(mount: Mount) -> dict[str, str]:
    """Return the two unit files of a mount.

    The automount is wanted, not required, at boot, and mounts at the first access: a machine boots whether the NAS
    answers or not (like `nofail` in fstab), and an access to an absent one ends with an error after the timeout.
    Starts are not limited: after five mounts that are refused at once (systemd's default within ten seconds) the
    automount would stay failed until somebody starts it by hand.
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


def options(read_only: bool, timeout_s: int, retries: int, further: Sequence[str]) -> tuple[str, ...]:
    """Return the NFS mount options, see nfs(5). `timeo` is in tenths of a second.

    A read-only mount is soft: an access to a NAS that is away ends with an error. A writable one is hard: it waits for
    the NAS, because the kernel would drop data that it has taken from a program and not yet sent.
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
    """Raise NfsUnitError for mounts that share a path, or whose path is relative, the root, or not the shortest."""
    paths = [mount.path for mount in mounts]
    unusual = [path for path in paths if not re.match("/+[^/]", path) or {".", ".."} & set(path.split("/"))]
    if unusual or len({mount.name for mount in mounts}) < len(mounts):
        raise NfsUnitError(
            f"Every mount needs an absolute path of its own, without dots; given are {', '.join(paths)}. Next: correct "
            "the list of mounts, then run again."
        )


def resource(mounts: Sequence[Mount], masked: Sequence[str], folder: str) -> Resource[Units, Change]:
    """Return all NFS mounts of a machine as a resource, and units that must not start.

    Raises:
        NfsUnitError: the mounts contradict each other.
    """
    refuse_contradictions(mounts)
    automounts = [f"{mount.name}.automount" for mount in mounts]
    probing = probe(mounts, masked, folder)
    return Resource(
        read=lambda: read_by(probing),
        plan=lambda current: plan(current, mounts, masked),
        predict=predict,
        write=lambda changes: write(changes, folder),
        show=lambda state: {"units": automounts},
        refused="systemctl reported success, but the units are not in the desired state.",
        advice=f"Next: systemctl status {' '.join([*automounts, *masked])}",
        probe=probing,
        diff=diff,
    )


def plan(current: Units, mounts: Sequence[Mount], masked: Sequence[str] = ()) -> list[Change]:
    """Return the changes from the current units to the desired ones, in the order in which they have to be made.

    Raises:
        NfsUnitError: a unit file of a desired name is someone else's.
    """
    desired = {name: text for mount in mounts for name, text in unit_files(mount).items()}
    foreign = [name for name in desired if not current.files.get(name, MARKER).startswith(MARKER)]
    if foreign:
        raise NfsUnitError(
            f"{', '.join(foreign)} was written by someone else. Next: remove it, or mount elsewhere, then run again."
        )
    written = [name for name, text in desired.items() if current.files.get(name) != text]
    deleted = sorted(name for name, text in current.files.items() if name not in desired and text.startswith(MARKER))
    touched = {stem(name) for name in (*written, *deleted)}
    # The automount stops first, or it would mount again what was just unmounted.
    stopped = [name + suffix for name in sorted(touched) for suffix in (".automount", ".mount")]
    running = current.enabled & current.active
    automounts = [f"{mount.name}.automount" for mount in mounts]
    return [
        *(Change("mask", unit) for unit in masked if unit not in current.masked or unit in current.active),
        *(Change("stop", unit) for unit in stopped if unit in current.active),
        *(Change("delete", unit) for unit in deleted),
        *(Change("write", unit, desired[unit]) for unit in written),
        *(Change("start", unit) for unit in automounts if stem(unit) in touched or unit not in running),
    ]


def predict(current: Units, changes: Sequence[Change]) -> Units:
    """Return the units after the changes."""
    units = {action: {change.unit for change in changes if change.action == action} for action in ACTIONS}
    texts = {name: text for name, text in current.files.items() if name not in units["delete"]}
    return Units(
        {**texts, **{change.unit: change.text for change in changes if change.action == "write"}},
        current.enabled - units["delete"] - units["mask"] | units["start"],
        current.active - units["stop"] - units["mask"] | units["start"],
        current.masked | units["mask"],
    )


ACTIONS = ("mask", "stop", "delete", "write", "start")


def write(changes: Sequence[Change], folder: str) -> None:
    """Make the changes.

    Raises:
        NfsUnitError: systemctl failed.
    """
    units = {action: [change.unit for change in changes if change.action == action] for action in ACTIONS}
    _systemctl("mask --now", units["mask"])
    _systemctl("stop", units["stop"])
    _systemctl("disable", [name for name in units["delete"] if name.endswith(".automount")])
    for name in units["delete"]:
        files.remove(os.path.join(folder, name))
    for change in changes:
        if change.action == "write":
            files.write_file(os.path.join(folder, change.unit), change.text)
    if units["write"] or units["delete"]:
        run(["systemctl", "daemon-reload"], timeout_s=TIMEOUT_S)
    _systemctl("enable", units["start"])
    _systemctl("start", units["start"])


def _systemctl(action: str, units: Sequence[str]) -> None:
    if not units:
        return
    try:
        run(["systemctl", *action.split(), *units], timeout_s=TIMEOUT_S)
    except ProcessError as error:
        raise NfsUnitError(f"{error}. Next: systemctl status {' '.join(units)}") from error


def diff(before: Units, after: Units) -> list[dict[str, str]]:
    """Return Ansible's diff of the unit files, and of the states of units whose files stay."""
    names = sorted({*before.files, *after.files})
    shown = [(name, before.files.get(name, ""), after.files.get(name, "")) for name in names]
    units = {unit for state in (before, after) for unit in (*state.enabled, *state.active, *state.masked)}
    moved = sorted(unit for unit in units - set(names) | set(after.files) if before.state(unit) != after.state(unit))
    old_states, new_states = ("".join(f"{unit}: {state.state(unit)}\n" for unit in moved) for state in (before, after))
    shown.append(("systemd", old_states, new_states))
    return [
        {"before_header": name, "after_header": name, "before": old, "after": new}
        for name, old, new in shown
        if old != new
    ]


def stem(unit: str) -> str:
    """Return a unit's name without its type."""
    return unit.rsplit(".", 1)[0]


# Each file after its name. A link is a mask, or somebody's alias.
_SHOW_FILES = """
for file in "$1"/*.mount "$1"/*.automount; do
    [ -f "$file" ] && [ ! -L "$file" ] && printf '\\035%s\\n' "${file##*/}" && cat -- "$file"
done
true
"""


def probe(mounts: Sequence[Mount], masked: Sequence[str], folder: str) -> Probe[Units]:
    """Return the command that reads the unit files in the folder, and the states of the units given."""
    named = {f"{mount.name}{suffix}" for mount in mounts for suffix in (".mount", ".automount")}
    units = sorted({*named, *masked})
    show = ["systemctl", "show", "--property=Id,ActiveState,UnitFileState", *units] if units else ["true"]
    return Probe(
        combined(["sh", "-c", _SHOW_FILES, "sh", folder], show), lambda status, output: parse(named, status, output)
    )


def parse(named: set[str], status: int, output: str) -> Units | None:
    """Return the units by the output of the probe; None where systemctl failed."""
    results = parts(output)
    if status or len(results) != 2 or any(part.status for part in results):
        return None
    texts = dict(item.partition("\n")[::2] for item in results[0].output.split("\x1d")[1:])
    ours = {name: text for name, text in texts.items() if name in named or text.startswith(MARKER)}
    return Units(ours, *parse_states(results[1].output))


def parse_states(output: str) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return the enabled, active and masked units by `systemctl show --property=Id,ActiveState,UnitFileState`."""
    blocks = [
        dict(line.split("=", 1) for line in block.split("\n") if "=" in line) for block in output.strip().split("\n\n")
    ]

    def units(key: str, *values: str) -> frozenset[str]:
        return frozenset(block["Id"] for block in blocks if block.get(key) in values)

    active = units("ActiveState", "active", "activating", "reloading")
    return units("UnitFileState", "enabled"), active, units("UnitFileState", "masked")


def mounts_of(params: Mapping[str, Any]) -> list[Mount]:
    """Return the mounts that a module's parameters describe."""
    timeouts = params["mount_timeout_s"], params["idle_timeout_s"]
    return [
        Mount(
            item["source"],
            item["path"],
            options(item["read_only"], params["timeout_s"], params["retries"], item["options"]),
            *timeouts,
        )
        for item in params["mounts"]
    ]
