# SPDX-License-Identifier: GPL-3.0-or-later
"""The NAS as its APIs see it: what it was made as, what it remembers, what it can do."""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass, field
from typing import Any

from tars_lab.dsm_twin import netfilter, people, tasks
from tars_lab.dsm_twin.accounts import Account, AutoBlock, OneTimeCodes
from tars_lab.dsm_twin.effects import Effects, Inert
from tars_lab.dsm_twin.faults import Faults
from tars_lab.dsm_twin.ganesha import Export, Rule, Service
from tars_lab.dsm_twin.session import Sessions
from tars_lab.dsm_twin.state import State


@dataclass(frozen=True)
class Volume:
    path: str
    fs_type: str

    @property
    def id(self) -> str:
        return self.path.strip("/").replace("volume", "volume_")


@dataclass(frozen=True)
class Factory:
    """What does not change over the NAS's life, from `/etc/dsm-twin/factory.json` (see `install.install`)."""

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
    factory: Factory
    state: State
    effects: Effects
    faults: Faults
    sessions: Sessions
    codes: OneTimeCodes
    auto_block: AutoBlock
    writing: threading.Lock = field(default_factory=threading.Lock)
    tasks: dict[str, Any] = field(default_factory=dict)
    """What runs behind a call's answer, by the id that the answer named."""

    @classmethod
    def made(cls, factory: Factory, state: State, effects: Effects, faults: Faults) -> Nas:
        block = AutoBlock(**factory.auto_block)
        if not state.data["users"]:
            state.data |= people.seed(factory)
        return cls(factory, state, effects, faults, Sessions(), OneTimeCodes(), block)

    def inert(self) -> Nas:
        """The same NAS for a write that answers as usual and leaves no trace."""
        return dataclasses.replace(self, state=self.state.scratch(), effects=Inert(self.effects), sessions=Sessions())

    def volume(self, path: object) -> Volume | None:
        return next((volume for volume in self.factory.volumes if volume.path == path), None)

    def apply_nfs(self, data: dict[str, Any]) -> None:
        """Bring the NFS service and its exports to what the state document `data` says."""
        nfs = data["nfs"]
        service = Service(nfs["enable_nfs"], nfs["enable_nfs_v4"], nfs["enabled_minor_ver"])
        exports = [
            Export(share["export_id"], folder(share), tuple(Rule.from_state(rule) for rule in data["rules"][name]))
            for name, share in sorted(data["shares"].items())
            if data["rules"].get(name)
        ]
        self.effects.apply_nfs(service, exports)

    def apply_people(self, data: dict[str, Any]) -> None:
        """Bring the machine's users and groups to what the state document `data` says."""
        self.effects.apply_people(*people.on_the_machine(self.factory, data))

    def apply_firewall(self, data: dict[str, Any]) -> None:
        """Bring the rules that were in force back into force."""
        if data["firewall"]["applied"] is not None:
            self.effects.apply_firewall(netfilter.render(data["firewall"]["applied"]))

    def apply_tasks(self, data: dict[str, Any]) -> None:
        """Let the machine run the scheduled tasks; those of an account that the machine does not have, as nobody."""
        users, _ = people.on_the_machine(self.factory, data)
        self.effects.apply_tasks(
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
    return f"{share['vol_path']}/{share['name']}"


def snapshots(share: dict[str, Any]) -> str:
    """The folder that holds a share's snapshots, out of reach of whoever mounts the share."""
    return f"{share['vol_path']}/@sharesnap/{share['name']}"
