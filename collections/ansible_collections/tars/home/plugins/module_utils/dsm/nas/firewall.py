# SPDX-License-Identifier: GPL-3.0-or-later
"""A NAS's firewall as the planner's values: reading it, storing a profile, and bringing it into force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..client.client import Client, Read
from ..errors import ApiError, ConnectionLost, DsmError
from ..plans import firewall as firewall_plan

FIREWALL = "SYNO.Core.Security.Firewall"
ADAPTER = "SYNO.Core.Security.Firewall.Adapter"
PROFILE = "SYNO.Core.Security.Firewall.Profile"
APPLY = "SYNO.Core.Security.Firewall.Profile.Apply"
CONNECTIONS = "SYNO.Core.CurrentConnection"
NETWORK = "SYNO.DSM.Network"
TERMINAL = "SYNO.Core.Terminal"
# Seconds between two looks at the task that applies a profile; about two minutes in all.
PAUSES_S = (0.5, 1.0, *([2.0] * 60))


class NasFirewall:
    """One profile of the firewall; remembers what was in force while what this run stored is not."""

    def __init__(self, client: Client, profile: str) -> None:
        self.client = client
        self.profile = profile
        self._before: Optional[dict[str, Any]] = None

    def read(self) -> firewall_plan.Firewall:
        found = self.client.read_all(
            {
                "switch": Read(FIREWALL, "get", 1),
                "adapters": Read(ADAPTER, "list", 1),
                "profile": Read(PROFILE, "get", 1, {"name": self.profile}, f"the firewall's profile {self.profile}"),
            }
        )
        switch = found["switch"]
        on = bool(switch.get("enable_firewall"))
        return firewall_plan.Firewall(
            enabled=on,
            profile=self.profile,
            sections=firewall_plan.sections_from_api(found["profile"]),
            adapters=found["adapters"].get("adapter_names") or [],
            pending=self._stored(found["profile"]) or (on and switch.get("profile_name") != self.profile),
        )

    def change(self, change: firewall_plan.Change) -> None:
        if isinstance(change, firewall_plan.StoreChange):
            self._store(change)
        elif isinstance(change, firewall_plan.ApplyChange):
            self._apply()
        else:
            self.client.write(FIREWALL, "set", 1, {"set_type": "disable"}, "the firewall")
            self._before = None

    def undo(self) -> None:
        """Store what was there before, so that the next run finds the difference again. The best that can be done."""
        try:
            if self._before is not None and self._stored(self._profile()):
                self._write(self._before)
        except DsmError:
            # What is left to do is read back and told in any case.
            return

    def _stored(self, found: dict[str, Any]) -> bool:
        return self._before is not None and found != self._before

    def _store(self, change: firewall_plan.StoreChange) -> None:
        found = self._profile()
        if self._before is None:
            self._before = found
        self._write(firewall_plan.profile_to_api(found, change.sections))
        kept = firewall_plan.sections_from_api(self._profile())
        for name, section in change.sections.items():
            if kept.get(name) != section:
                # Never bring rules into force that are not the wanted ones.
                raise DsmError(
                    f"section {name} of the firewall's profile {self.profile}: DSM answered that it is stored, but "
                    f"reading back shows otherwise (found {len(kept[name].rules) if name in kept else 0} rules, wanted "
                    f"{len(section.rules)}). Nothing was brought into force. Make the change once in Control Panel > "
                    "Security > Firewall to see what DSM objects to."
                )

    def _apply(self) -> None:
        subject = f"the firewall's profile {self.profile}"
        begin = {"name": self.profile, "profile_applying": False}
        task = {"task_id": self.client.write(APPLY, "start", 1, begin, subject)["task_id"]}
        try:
            for pause in PAUSES_S:
                answer = self.client.read(APPLY, "status", 1, task, subject)
                if answer.get("finish"):
                    break
                self.client.sleep(pause)
            else:
                raise DsmError(f"{subject} is not in force after two minutes. Look at Control Panel > Security.")
        finally:
            self._stop(task, subject)
        if answer.get("success") is False:
            errors = answer.get("errors") or answer.get("error") or {}
            raise ApiError(APPLY, "status", int(errors.get("code", 1101)), subject=subject)
        self._before = None

    def _stop(self, task: dict[str, Any], subject: str) -> None:
        try:
            self.client.write(APPLY, "stop", 1, task, subject)
        except (ApiError, ConnectionLost):
            # DSM forgets the task by itself; whether the profile is in force is read from elsewhere.
            return

    def _profile(self) -> dict[str, Any]:
        subject = f"the firewall's profile {self.profile}"
        found: dict[str, Any] = self.client.read(PROFILE, "get", 1, {"name": self.profile}, subject)
        return found

    def _write(self, profile: dict[str, Any]) -> None:
        subject = f"the firewall's profile {self.profile}"
        self.client.write(PROFILE, "set", 1, {"profile": profile, "profile_applying": False}, subject)


def chosen(client: Client) -> firewall_plan.Firewall:
    """The profile that counts while the firewall is on."""
    name = client.read(FIREWALL, "get", 1).get("profile_name") or "default"
    return NasFirewall(client, str(name)).read()


def access(client: Client, address: Optional[str], ports: Optional[Sequence[int]]) -> firewall_plan.Access:
    """Who must still get in; what is not given is this machine as DSM sees it, to DSM and to SSH where that is on."""
    reads = {"network": Read(NETWORK, "list", 2)}
    if ports is None:
        reads["terminal"] = Read(TERMINAL, "get", 3)
    if address is None:
        # Whatever DSM says instead, this end of the connection tells nearly as well.
        reads["connections"] = Read(CONNECTIONS, "list", 1, absent=range(100, 10_000))
    found = client.read_all(reads)
    here, there = client.transport.addresses()
    if ports is None:
        ports = [client.transport.endpoint.port]
        if found["terminal"].get("enable_ssh"):
            ports.append(int(found["terminal"].get("ssh_port") or 22))
    if address is None:
        address = _own_address(found["connections"] or {}) or here
    return firewall_plan.Access(address, ports, _adapter(found["network"], there))


def _own_address(connections: Mapping[str, Any]) -> str:
    for row in connections.get("items") or []:
        if row.get("is_current_connected") and row.get("from"):
            return str(row["from"])
    return ""


def _adapter(network: Mapping[str, Any], address: str) -> Optional[str]:
    """The adapter with the address that this connection reaches; None where DSM does not list it."""
    for row in network.get("interfaces") or []:
        if address in [entry.get("address") for entry in row.get("ip") or []]:
            return str(row["id"])
    return None
