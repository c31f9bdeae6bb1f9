# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps from the current state of a machine to a driver that is bound to its NVIDIA cards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from . import apt_sources as nvidia_sources
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
    """The current state. `files` maps the existing ones of the paths that this role writes to their texts; `lists` is
    whether apt has the lists of the own file, `installed` maps packages to versions, `initrd` is whether the initial
    RAM disk is as new as the file about nouveau, `loaded` whether the driver is in the kernel, and `free` whether no
    other driver is bound to a card.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    lists: bool = True
    installed: Mapping[str, str] = field(default_factory=dict)
    initrd: bool = True
    loaded: bool = False
    free: bool = True


@dataclass(frozen=True)
class Wanted:
    """The desired state. `keys` maps files to the addresses they are fetched from, `sources` is the own file's text
    (empty: no file).

    `choice` is None while apt's lists have to be read first. `adopted` is whether the driver answers, but does not come
    from a package.
    """

    sources: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    choice: Choice | None = None
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


def plan(now: Now, wanted: Wanted) -> list[Step]:
    """Return the steps in their order; empty when nothing is to be done.

    With sources to be added, the last step stands for all that follow once apt has read them.
    """
    steps = [Step("fetch", path, url) for path, url in wanted.keys.items() if path not in now.files]
    if wanted.sources and now.files.get(nvidia_sources.FILE) != wanted.sources:
        steps.append(Step("write", nvidia_sources.FILE, wanted.sources))
    if wanted.sources and (steps or not now.lists):
        return [*steps, Step("refresh", "apt's lists"), Step("install", "the driver that apt then offers")]
    if not wanted.sources and nvidia_sources.FILE in now.files:
        steps.append(Step("remove", nvidia_sources.FILE))
    if wanted.choice is None:
        return steps
    if not wanted.adopted:
        steps += _write(now, PIN_FILE, PIN.format(branch=wanted.choice.branch))
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
    if now.free and not now.loaded:
        steps.append(Step("load", "nvidia"))
    return steps


def _write(now: Now, path: str, text: str) -> list[Step]:
    return [] if now.files.get(path) == text else [Step("write", path, text)]
