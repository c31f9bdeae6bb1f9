# SPDX-License-Identifier: GPL-3.0-or-later
"""The NAS as its APIs use it: its factory settings, its state, its effects and its faults."""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass, field
from typing import Any

from tars_lab.dsm_twin import netfilter, principals, tasks
from tars_lab.dsm_twin.accounts import Account, AutoBlock, OneTimeCodes
from tars_lab.dsm_twin.effects import SNAPSHOT_FOLDER, Effects, ReadOnlyEffects
from tars_lab.dsm_twin.faults import Faults
from tars_lab.dsm_twin.ganesha import Export, Rule, Service
from tars_lab.dsm_twin.session import Sessions
from tars_lab.dsm_twin.state import State


@dataclass(frozen=True)
class Volume:
    """A volume, such as `/volume1`, and its file system."""

    path: str
    fs_type: str

    @property
    def id(self) -> str:
        """The id in DSM's notation, such as `volume_1`."""
        return self.path.strip("/").replace("volume", "volume_")


@dataclass(frozen=True)
class Factory:
    """The settings that never change, from `/etc/dsm-twin/factory.json` (see `install.install`)."""

    model: str
    serial: str
    volumes: tuple[Volume, ...]
    accounts: dict[str, Account]
    version_string: str = "DSM 7.1.1-42962 Update 9"
    build: str = "42962"
    disks: int = 5
    auto_block: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Factory:
        """Return the settings of a factory document (see `install.factory_document`)."""
        accounts = [Account.from_factory(entry) for entry in document["accounts"]]
        return cls(
            model=document["model"],
            serial=document["serial"],
            volumes=tuple(Volume(entry["path"], entry["fs_type"]) for entry in document["volumes"]),
            accounts={account.name: account for account in accounts},
            disks=document.get("disks", 5),
            auto_block=document.get("auto_block", {}),
        )


@dataclass(frozen=True)
class Nas:
    """The NAS. `writing` is held by the one write that can run at a time."""

    factory: Factory
    state: State
    effects: Effects
    faults: Faults
    sessions: Sessions
    codes: OneTimeCodes
    auto_block: AutoBlock
    writing: threading.Lock = field(default_factory=threading.Lock)
    tasks: dict[str, Any] = field(default_factory=dict)
    """Background tasks of calls, by the id in the answer of the call."""

    @classmethod
    def create(cls, factory: Factory, state: State, effects: Effects, faults: Faults) -> Nas:
        """Return a NAS; an empty state gets the users and groups of a new NAS."""
        block = AutoBlock(**factory.auto_block)
        if not state.data["users"]:
            state.data |= principals.seed(factory)
        return cls(factory, state, effects, faults, Sessions(), OneTimeCodes(), block)

    def read_only(self) -> Nas:
        """Return a copy of this NAS on which a write answers as usual and has no effect."""
        effects = ReadOnlyEffects(self.effects)
        return dataclasses.replace(self, state=self.state.scratch(), effects=effects, sessions=Sessions())

    def volume(self, path: object) -> Volume | None:
        """Return the volume with this path, None if there is none."""
        return next((volume for volume in self.factory.volumes if volume.path == path), None)

    def write_nfs(self, data: dict[str, Any]) -> None:
        """Configure the NFS service and its exports as in the state document `data`."""
        nfs = data["nfs"]
        service = Service(nfs["enable_nfs"], nfs["enable_nfs_v4"], nfs["enabled_minor_ver"])
        exports = [
            Export(share["export_id"], folder(share), tuple(Rule.from_state(rule) for rule in data["rules"][name]))
            for name, share in sorted(data["shares"].items())
            if data["rules"].get(name)
        ]
        self.effects.write_nfs(service, exports)

    def write_principals(self, data: dict[str, Any]) -> None:
        """Create and delete users and groups of the machine as in the state document `data`."""
        self.effects.write_principals(*principals.machine_principals(self.factory, data))

    def write_firewall(self, data: dict[str, Any]) -> None:
        """Load the firewall rules that were last in force by the state document `data`."""
        if data["firewall"]["applied"] is not None:
            self.effects.write_firewall(netfilter.render(data["firewall"]["applied"]))

    def write_tasks(self, data: dict[str, Any]) -> None:
        """Write the scheduled tasks of the state document `data`; tasks of users without an account run as nobody."""
        users, _ = principals.machine_principals(self.factory, data)
        self.effects.write_tasks(
            [
                tasks.Job(
                    id=task["id"],
                    name=task["name"],
                    user=task["owner"] if task["owner"] in ("root", *users) else "nobody",
                    script=task["extra"]["script"],
                    calendar=tasks.calendar(task["schedule"]) if task["enable"] else (),
                )
                for task in data["tasks"].values()
            ]
        )


def folder(share: dict[str, Any]) -> str:
    """Return the path of a share's folder."""
    return f"{share['vol_path']}/{share['name']}"


def snapshots(share: dict[str, Any]) -> str:
    """Return the path of the folder with a share's snapshots, which clients of the share cannot reach."""
    return f"{share['vol_path']}/@sharesnap/{share['name']}"


def visible_snapshots(share: dict[str, Any]) -> str:
    """Return the path of the folder in which clients of a share see its snapshots, if they are visible."""
    return f"{folder(share)}/{SNAPSHOT_FOLDER}"
