# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps from the current state of a machine to a driver that is bound to its NVIDIA cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from . import apt_sources
from .offers import PIN, Choice, branch

PIN_FILE = "/etc/apt/preferences.d/tars-nvidia"
NOUVEAU_FILE = "/etc/modprobe.d/tars-nvidia.conf"
NOUVEAU = """\
# Written by the role tars.home.nvidia: nouveau and NVIDIA's driver cannot use the same card.
blacklist nouveau
options nouveau modeset=0
"""


@dataclass(frozen=True)
class Now:
    """The current state.

    Attributes:
        files: the existing ones of the files that this role writes, with their texts; that of a key is empty.
        lists: whether apt has the lists of the own file.
        installed: packages and their versions.
        initrd: whether the initial RAM disk is as new as the file about nouveau.
        loaded: whether the driver is in the kernel.
        free: whether no other driver is bound to a card.
        refused: whether this run has tried to load the driver, without success.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    lists: bool = True
    installed: Mapping[str, str] = field(default_factory=dict)
    initrd: bool = True
    loaded: bool = False
    free: bool = True
    refused: bool = False


@dataclass(frozen=True)
class Sources:
    """The desired sources of apt: the text of the own file (empty: no file), and its keys' files and addresses."""

    text: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """The desired driver, and other packages. `adopted` is whether the driver answers without a package of it."""

    choice: Choice
    others: tuple[str, ...] = ()
    adopted: bool = False


@dataclass(frozen=True)
class Step:
    """One step (`fetch`, `write`, `remove`, `refresh`, `install`, `initramfs`, `load`), and its object."""

    kind: str
    subject: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


REFRESH = Step("refresh", "apt's lists")
LOAD = Step("load", "nvidia")


def plan_sources(now: Now, wanted: Sources) -> list[Step]:
    """Return the steps to apt's sources, in their order. What apt offers is known only after REFRESH."""
    steps = [Step("fetch", path, url) for path, url in wanted.keys.items() if path not in now.files]
    if not wanted.text:
        return [*steps, Step("remove", apt_sources.FILE)] if apt_sources.FILE in now.files else steps
    steps += _write(now, apt_sources.FILE, wanted.text)
    return [*steps, REFRESH] if steps or not now.lists else []


def plan_driver(now: Now, wanted: Wanted) -> list[Step]:
    """Return the steps to the driver, in their order, for a machine whose apt has read its sources."""
    steps = [] if wanted.adopted else _write(now, PIN_FILE, PIN.format(branch=wanted.choice.branch))
    missing = [
        name
        for name in wanted.choice.packages
        # Packages without a branch in their version follow those with one.
        if branch(now.installed.get(name, "")) not in (None, wanted.choice.branch) or name not in now.installed
    ]
    missing += [name for name in wanted.others if name not in now.installed]
    if missing:
        steps.append(Step("install", " ".join(missing)))
    if not wanted.adopted:
        # Only with the driver installed: without it, nouveau is better than no driver.
        nouveau = _write(now, NOUVEAU_FILE, NOUVEAU)
        steps += nouveau
        if nouveau or not now.initrd:
            steps.append(Step("initramfs", "for a start without nouveau"))
    if now.free and not now.loaded and not now.refused:
        steps.append(LOAD)
    return steps


def predict(now: Now, steps: Sequence[Step], choice: Choice | None = None) -> Now:
    """Return the state after the steps. `choice` is the driver whose packages they install."""
    present, installed = dict(now.files), dict(now.installed)
    for step in steps:
        if step.kind in ("write", "fetch"):
            present[step.subject] = step.text if step.kind == "write" else ""
        elif step.kind == "remove":
            del present[step.subject]
        elif step.kind == "install" and choice:
            drivers = dict.fromkeys(choice.packages, f"{choice.branch}.0")
            installed.update({name: drivers.get(name, "") for name in step.subject.split()})
    kinds = {step.kind for step in steps}
    return replace(
        now,
        files=present,
        lists=now.lists or "refresh" in kinds,
        installed=installed,
        initrd=now.initrd or "initramfs" in kinds,
        loaded=now.loaded or "load" in kinds,
    )


def diff(before: Now, after: Now) -> list[dict[str, str]]:
    """Return before and after of the files that differ, and of the packages that were installed."""
    shown = []
    for path in dict.fromkeys([*before.files, *after.files]):
        old, new = before.files.get(path, ""), after.files.get(path, "")
        if old != new:
            shown.append({"before_header": path, "after_header": path, "before": old, "after": new})
    names = [name for name in after.installed if before.installed.get(name) != after.installed[name]]
    if names:
        old, new = (
            "".join(f"{name} {now.installed[name]}".rstrip() + "\n" for name in names if name in now.installed)
            for now in (before, after)
        )
        shown.append({"before_header": "packages", "after_header": "packages", "before": old, "after": new})
    return shown


def _write(now: Now, path: str, text: str) -> list[Step]:
    return [] if now.files.get(path) == text else [Step("write", path, text)]
