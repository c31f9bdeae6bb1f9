# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.Security.Firewall: profiles are stored first and activated by a task that must be polled."""

from __future__ import annotations

import ipaddress
import re
import secrets
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from tars_lab.dsm_twin import netfilter
from tars_lab.dsm_twin.nas import Nas
from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, invalid, versions

BUSY = 117
NOT_APPLIED = 1101
SHUT_OUT = 1103
DSM_PORT = 5001
POLLS = 2
"""Answers of `status` until a task is finished; after `PATIENCE_S` it is finished in any case."""

PATIENCE_S = 2.0
SLOW_POLLS = 20
"""Answers of `status` until a task is finished, with the fault `slow_apply`."""

ADAPTER = re.compile(r"[A-Za-z0-9_.-]{1,15}")
PORTS = re.compile(r"[0-9]{1,5}(?:[-:][0-9]{1,5})?")
KEYS: dict[str, tuple[Any, ...]] = {
    "protocol": tuple(netfilter.PROTOCOLS),
    "port_direction": ("destination", "source"),
    "port_group": ("all", "service", "custom"),
    "source_ip_group": ("all", "ip", "ipset", "iprange", "netmask", "geoip"),
    "policy": ("allow", "drop", "none", "deny"),
    "enable": (True, False),
    "log": (True, False),
}
TEXTS = ("name", "ports", "source_ip")
POLICIES = ("none", "allow", "drop", "deny")


@dataclass
class Task:
    """The activation of a profile; `error` is 0 if it succeeds."""

    error: int
    begun: float
    polls: int = 0
    slow: bool = False

    @property
    def finished(self) -> bool:
        """Whether the task is reported as finished."""
        polls, patience_s = (SLOW_POLLS, SLOW_POLLS * PATIENCE_S) if self.slow else (POLLS, PATIENCE_S)
        return self.polls >= polls or time.monotonic() - self.begun > patience_s


def get(call: Call) -> object:
    """Return whether the firewall is on, and the name of the active profile."""
    firewall = call.nas.state.data["firewall"]
    return {"enable_firewall": firewall["applied"] is not None, "profile_name": firewall["profile_name"]}


def disable(call: Call) -> object:
    """Turn the firewall off. This method never turned it on where it was observed; `Profile.Apply` does."""
    if call.params.text("set_type") != "disable":
        raise invalid("set_type", "condition")
    with call.nas.state.change() as data:
        data["firewall"]["applied"] = None
        call.nas.effects.write_firewall(netfilter.DELETE_TABLE)
    return None


def list_adapters(call: Call) -> object:
    """Return the names of the network adapters."""
    return {"adapter_names": [row["id"] for row in call.nas.effects.interfaces.network()["interfaces"]]}


def list_profiles(call: Call) -> object:
    """Return the names of the profiles."""
    return {"profile_names": sorted(call.nas.state.data["firewall"]["profiles"])}


def get_profile(call: Call) -> object:
    """Return a stored profile."""
    return call.nas.state.data["firewall"]["profiles"][_known(call.nas, call.params.text("name"))]


def set_profile(call: Call) -> object:
    """Replace a stored profile. The rules in force stay until `Profile.Apply`."""
    profile = call.params.value("profile", dict)
    if call.params.flag("profile_applying"):
        raise DsmError(BUSY)
    name = _known(call.nas, profile.get("name"))
    by_adapter = netfilter.sections(profile)
    for adapter, section in by_adapter.items():
        if ADAPTER.fullmatch(adapter) is None or section["policy"] not in POLICIES:
            raise invalid("profile", "condition")
    stored = profile | {
        adapter: {"policy": _policy(section["policy"]), "rules": [_rule(rule) for rule in section["rules"]]}
        for adapter, section in by_adapter.items()
    }
    with call.nas.state.change() as data:
        data["firewall"]["profiles"][name] = stored
    return None


def start(call: Call) -> object:
    """Start to activate a profile; one that would lock the caller out is replaced by the previous one."""
    nas = call.nas
    name = _known(nas, call.params.text("name"))
    busy = any(isinstance(task, Task) and not task.finished for task in nas.tasks.values())
    if call.params.flag("profile_applying") or busy:
        raise DsmError(BUSY)
    task = secrets.token_hex(8)
    failed, slow = (nas.faults.take(fault, START) for fault in ("failed_apply", "slow_apply"))
    error = NOT_APPLIED if failed else _activate(nas, name, call.address)
    nas.tasks[task] = Task(error, time.monotonic(), slow=slow)
    return {"task_id": task}


def _activate(nas: Nas, name: str, caller: str) -> int:
    """Load the rules of a profile unless they would lock the caller out; return the error code, 0 for success."""
    with nas.state.change() as data:
        firewall = data["firewall"]
        profile = firewall["profiles"][name]
        adapters = netfilter.sections(profile).keys() - {netfilter.GLOBAL} or {netfilter.GLOBAL}
        try:
            if all(netfilter.allows(profile, caller, DSM_PORT, adapter) for adapter in adapters):
                nas.effects.write_firewall(netfilter.render(profile))
                firewall |= {"applied": profile, "profile_name": name}
                return 0
        except (OSError, subprocess.SubprocessError):
            return NOT_APPLIED
        firewall["profiles"][name] = firewall["applied"] or {"name": name}
    return SHUT_OUT


def status(call: Call) -> object:
    """Return whether an activation is finished, and its result."""
    task = _task(call)
    task.polls += 1
    if not task.finished:
        return {"finish": False}
    return {"finish": True, "success": not task.error} | ({"errors": {"code": task.error}} if task.error else {})


def stop(call: Call) -> object:
    """Forget an activation."""
    _task(call)
    del call.nas.tasks[call.params.text("task_id")]
    return None


def load_rules(call: Call) -> object:
    """Return the rules of one adapter in the active profile, for display only."""
    firewall = call.nas.state.data["firewall"]
    by_adapter = netfilter.sections(firewall["profiles"][firewall["profile_name"]])
    section = by_adapter.get(call.params.text("adapter", bare=True), {"policy": "none", "rules": []})
    return {"policy": section["policy"], "rules": section["rules"], "total": len(section["rules"])}


def crash(call: Call) -> object:
    """Crash, as DSM's program does in this call."""
    raise RuntimeError("SYNO.Core.Security.Firewall.Rules.save_start crashed")


def _known(nas: Nas, name: object) -> str:
    if not isinstance(name, str) or name not in nas.state.data["firewall"]["profiles"]:
        raise invalid("name", "condition")
    return name


def _task(call: Call) -> Task:
    task: Task | None = call.nas.tasks.get(call.params.text("task_id"))
    if task is None:
        raise invalid("task_id", "condition")
    return task


def _policy(policy: str) -> str:
    return "none" if policy == "deny" else policy


def _rule(rule: Any) -> dict[str, Any]:
    """Return a rule as it is stored. Other keys than the ten, such as those of DSM's own files, crash the program."""
    if not isinstance(rule, dict) or rule.keys() != {*KEYS, *TEXTS}:
        raise RuntimeError("a firewall rule with other keys crashed the program")
    valid = (
        all(isinstance(rule[key], str) for key in TEXTS)
        and all(rule[key] in allowed and type(rule[key]) is type(allowed[0]) for key, allowed in KEYS.items())
        and _ports_valid(rule["port_group"], rule["ports"])
        and _source_valid(rule["source_ip_group"], rule["source_ip"])
    )
    if not valid:
        raise invalid("profile", "condition")
    return rule | {"policy": _policy(rule["policy"]), "log": False}


def _ports_valid(group: str, text: str) -> bool:
    names = text.split(",")
    if group == "all":
        return text == "all"
    if group == "service":
        return all(name.strip() in netfilter.SERVICES for name in names)
    return all(PORTS.fullmatch(name.strip()) for name in names)


def _source_valid(group: str, text: str) -> bool:
    try:
        match group:
            case "all":
                return text == "all"
            case "netmask":
                ipaddress.ip_network(text, strict=False)
            case "iprange":
                low, high = (ipaddress.ip_address(end) for end in text.split("-"))
                return low.version == high.version and int(low) <= int(high)
            case "ip":
                ipaddress.ip_address(text)
            case "ipset":
                return len({ipaddress.ip_address(entry).version for entry in text.split(",")}) == 1
            case "geoip":
                return all(re.fullmatch("[A-Z]{2}", entry) for entry in text.split(","))
    except ValueError:
        return False
    return True


FIREWALL = "SYNO.Core.Security.Firewall"
START = f"{FIREWALL}.Profile.Apply.start"
VERSION_1 = versions(1)
APIS = [
    Api(FIREWALL, 1, 1, {"get": Method(get, VERSION_1), "set": Method(disable, VERSION_1, write=True)}),
    Api(f"{FIREWALL}.Adapter", 1, 1, {"list": Method(list_adapters, VERSION_1)}),
    Api(
        f"{FIREWALL}.Profile",
        1,
        1,
        {
            "list": Method(list_profiles, VERSION_1),
            "get": Method(get_profile, VERSION_1),
            "set": Method(set_profile, VERSION_1, write=True),
        },
    ),
    Api(
        f"{FIREWALL}.Profile.Apply",
        1,
        1,
        {
            "start": Method(start, VERSION_1, write=True),
            "status": Method(status, VERSION_1),
            "stop": Method(stop, VERSION_1, write=True),
        },
    ),
    Api(
        f"{FIREWALL}.Rules",
        1,
        1,
        {"load": Method(load_rules, VERSION_1), "save_start": Method(crash, VERSION_1, write=True)},
    ),
]
