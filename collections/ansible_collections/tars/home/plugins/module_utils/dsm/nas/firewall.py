# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewall of a NAS: read it as the planner's values, store a profile, and apply it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import calls
from ..client.client import Client, Read
from ..errors import ApiError, ConnectionLostError, DsmError
from ..plans import firewall as firewall_plan

# Seconds between two reads of the job that applies a profile; about two minutes in all.
PAUSES_S = (0.5, 1.0, *([2.0] * 60))


class NasFirewall:
    """One profile of the firewall, and the profile before, as long as what this run stored is not in force."""

    def __init__(self, client: Client, profile: str) -> None:
        self.client = client
        self.profile = profile
        self._before: dict[str, Any] | None = None

    @property
    def _subject(self) -> str:
        return f"the firewall's profile {self.profile}"

    def read(self) -> firewall_plan.Firewall:
        """Return the profile, the switch and the adapters."""
        answers = self.client.read_all(
            {
                "switch": Read(calls.FIREWALL_GET),
                "adapters": Read(calls.FIREWALL_ADAPTERS),
                "profile": Read(calls.FIREWALL_PROFILE_GET, {"name": self.profile}, self._subject),
            }
        )
        switch = answers["switch"]
        enabled = bool(switch.get("enable_firewall"))
        return firewall_plan.Firewall(
            enabled=enabled,
            profile=self.profile,
            sections=firewall_plan.sections_from_api(answers["profile"]),
            adapters=answers["adapters"].get("adapter_names") or [],
            pending=self._differs(answers["profile"]) or (enabled and switch.get("profile_name") != self.profile),
        )

    def change(self, change: firewall_plan.Change) -> None:
        """Store the profile, apply it, or turn the firewall off."""
        if isinstance(change, firewall_plan.StoreChange):
            self._store(change)
        elif isinstance(change, firewall_plan.ApplyChange):
            self._bring_into_force()
        else:
            self.client.write(calls.FIREWALL_SET, {"set_type": "disable"}, "the firewall")
            self._before = None

    def undo(self) -> None:
        """Store the profile from before again, so that the next run finds the difference."""
        try:
            if self._before is not None and self._differs(self._read_profile()):
                self._write_profile(self._before)
        except DsmError:
            # The failure that led here is reported in any case, with what is left to do.
            return

    def _differs(self, profile: dict[str, Any]) -> bool:
        return self._before is not None and profile != self._before

    def _store(self, change: firewall_plan.StoreChange) -> None:
        current = self._read_profile()
        if self._before is None:
            self._before = current
        self._write_profile(firewall_plan.profile_to_api(current, change.sections))
        stored = firewall_plan.sections_from_api(self._read_profile())
        for name, section in change.sections.items():
            if stored.get(name) != section:
                # Never apply rules other than the desired ones.
                raise DsmError(
                    f"section {name} of {self._subject}: DSM answered that it is stored, but reading back shows "
                    f"{len(stored[name].rules) if name in stored else 0} rules, expected {len(section.rules)}. Nothing "
                    "was applied. Make the change once in Control Panel > Security > Firewall to see why it fails."
                )

    def _bring_into_force(self) -> None:
        begin = {"name": self.profile, "profile_applying": False}
        job = {"task_id": self.client.write(calls.FIREWALL_APPLY_START, begin, self._subject)["task_id"]}
        try:
            for pause in PAUSES_S:
                answer = self.client.read(calls.FIREWALL_APPLY_STATUS, job, self._subject)
                if answer.get("finish"):
                    break
                self.client.sleep(pause)
            else:
                raise DsmError(
                    f"{self._subject} is not in force after two minutes. Check Control Panel > Security > Firewall."
                )
        finally:
            self._stop(job)
        if answer.get("success") is False:
            errors = answer.get("errors") or answer.get("error") or {}
            call = calls.FIREWALL_APPLY_STATUS
            raise ApiError(call.api, call.method, int(errors.get("code", 1101)), subject=self._subject)
        self._before = None

    def _stop(self, job: dict[str, Any]) -> None:
        try:
            self.client.write(calls.FIREWALL_APPLY_STOP, job, self._subject)
        except (ApiError, ConnectionLostError):
            # DSM forgets the job by itself; whether the profile is in force is read from elsewhere.
            return

    def _read_profile(self) -> dict[str, Any]:
        profile: dict[str, Any] = self.client.read(calls.FIREWALL_PROFILE_GET, {"name": self.profile}, self._subject)
        return profile

    def _write_profile(self, profile: dict[str, Any]) -> None:
        payload = {"profile": profile, "profile_applying": False}
        self.client.write(calls.FIREWALL_PROFILE_SET, payload, self._subject)


def chosen(client: Client) -> firewall_plan.Firewall:
    """Return the profile that is in force while the firewall is on."""
    name = client.read(calls.FIREWALL_GET).get("profile_name") or "default"
    return NasFirewall(client, str(name)).read()


def access(client: Client, address: str | None, ports: Sequence[int] | None) -> firewall_plan.Access:
    """Return which connections must stay possible.

    By default: from this machine as DSM sees it, to DSM's port, and to SSH's if SSH is on.
    """
    reads = {"network": Read(calls.INTERFACES)}
    if ports is None:
        reads["terminal"] = Read(calls.TERMINAL_GET)
    if address is None:
        # If DSM refuses this for any reason, the address of this end of the connection does nearly as well.
        reads["connections"] = Read(calls.CONNECTIONS, absent=range(100, 10_000))
    answers = client.read_all(reads)
    own_address, nas_address = client.transport.addresses()
    if ports is None:
        ports = [client.transport.endpoint.port]
        if answers["terminal"].get("enable_ssh"):
            ports.append(int(answers["terminal"].get("ssh_port") or 22))
    if address is None:
        address = _own_address(answers["connections"] or {}) or own_address
    return firewall_plan.Access(address, ports, _adapter(answers["network"], nas_address))


def _own_address(connections: Mapping[str, Any]) -> str:
    for row in connections.get("items") or []:
        if row.get("is_current_connected") and row.get("from"):
            return str(row["from"])
    return ""


def _adapter(network: Mapping[str, Any], address: str) -> str | None:
    """Return the adapter with the address that this connection reaches, None if DSM does not list it."""
    for row in network.get("interfaces") or []:
        if address in [entry.get("address") for entry in row.get("ip") or []]:
            return str(row["id"])
    return None
