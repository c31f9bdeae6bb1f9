# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module that changes the NAS, under every fault the NAS can have, at every place where it can meet one.

A run under a fault ends in the wanted state, or in one message that is true: it names what it is about and the next
step, and `changed` is what the NAS's own memory and folders say. No more than one login is refused, and the next run
without the fault heals. A module more is an entry in CASES; a fault more is one in FAULTS.
"""

from __future__ import annotations

import copy
import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tars_lab.dsm_twin.apis import BY_NAME
from tars_lab.dsm_twin.faults import NAMES
from tars_lab.dsm_twin.install import make_certificate
from tars_lab.dsm_twin.interfaces import SETTINGS, Ipv4, parse

pytestmark = pytest.mark.integration

Twin = Any  # of conftest.py
PACE = 200
ALWAYS = 10**6
FULL = "TARS_FULL_MATRIX" in os.environ
"""Whether every place is tried, which takes minutes."""


@dataclass(frozen=True)
class Case:
    """A module's work: the state before, the options, and the expected state afterwards.

    `observe` reads the NAS's own memory or files; `about` are the words that a message may name its subject with.
    """

    module: str
    ready: Callable[[Twin], None]
    options: Callable[[Twin], dict[str, Any]]
    observe: Callable[[Twin], Any]
    wanted: Any
    about: str


@dataclass(frozen=True)
class Fault:
    """`writes`: meets changes only. `session`: meets only calls with a session. `on`: only calls that begin so."""

    writes: bool = False
    session: bool = False
    on: tuple[str, ...] = ("",)


ANY, SESSION, WRITES = Fault(), Fault(session=True), Fault(writes=True)
LOGIN = Fault(on=("SYNO.API.Auth.login",))
APPLY = ("SYNO.Core.Security.Firewall.Profile.Apply.start", "SYNO.Core.Package.Control.")
FAULTS = {
    "crash_502": ANY,
    "drop_before": ANY,
    "drop_after_write": WRITES,
    "hang_up": ANY,
    "silent_noop": WRITES,
    "half_list": WRITES,
    "missing_102": SESSION,
    "refused_104": SESSION,
    "busy_117": SESSION,
    "locked_3328": Fault(writes=True, on=("SYNO.Core.Share.",)),
    "not_permitted_105": SESSION,
    "expire_session": SESSION,
    "duplicate_login": SESSION,
    "unknown_session_119": SESSION,
    "moved_150": SESSION,
    "nfs_2370_after_create": Fault(on=("SYNO.Core.FileServ.NFS.SharePrivilege.save",)),
    "slow_apply": Fault(on=APPLY),
    "failed_apply": Fault(on=APPLY),
    "otp_required": LOGIN,
    "otp_enforced": LOGIN,
    "password_expired": LOGIN,
    "password_must_change": LOGIN,
    "autoblock": LOGIN,
}
REMEDIES = {"unblock"}


def share(twin: Twin, name: str = "docs") -> None:
    twin.do("SYNO.Core.Share", "create", name=name, shareinfo={"name": name, "vol_path": "/volume1", "name_org": ""})


def user(twin: Twin, name: str) -> None:
    twin.do("SYNO.Core.User", "create", name=name, password="correct horse")


def nothing(twin: Twin) -> None: ...


def exportable(twin: Twin) -> None:
    share(twin, "docs")
    share(twin, "backup")


def inhabited(twin: Twin) -> None:
    share(twin)
    user(twin, "reader")
    user(twin, "writer")
    twin.do("SYNO.Core.Group", "create", name="readers", description="")


def shares(twin: Twin) -> dict[str, Any]:
    folders = {path.name for path in (twin.root / "volume1").iterdir() if not path.name.startswith("@")}
    assert folders == twin.state["shares"].keys()
    return {name: (entry["desc"], entry["share_quota"]) for name, entry in twin.state["shares"].items()}


def exports(twin: Twin) -> Any:
    config = twin.root / "ganesha.conf"
    text = config.read_text() if config.exists() else ""
    served = sorted(client for client in ("10.77.0.10", "10.77.0.30") if client in text)
    return served, {
        name: [(rule["client"], rule["privilege"]) for rule in rules] for name, rules in twin.state["rules"].items()
    }


def people(twin: Twin) -> Any:
    users, groups = twin.state["users"], twin.state["groups"]
    return (
        {name: users[name]["description"] for name in ("backup", "reader") if name in users},
        {name: groups[name]["members"] for name in ("writers",) if name in groups},
    )


def settings(twin: Twin) -> Any:
    network = twin.state["network"]
    return (
        (twin.root / "etc/hostname").read_text().strip() if (twin.root / "etc/hostname").exists() else "",
        [network.get("dns_primary"), network.get("dns_secondary")],
        twin.state["time"]["timezone"],
        twin.state["terminal"]["enable_ssh"],
    )


def wall(twin: Twin) -> Any:
    section = (twin.state["firewall"]["applied"] or {}).get("global", {"policy": "none", "rules": []})
    table = twin.root / "firewall.nft"
    return section["policy"], [rule["name"] for rule in section["rules"]], table.exists()


def fingerprint(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def certificate(twin: Twin) -> dict[str, Any]:
    where = twin.root.parent
    if not (where / "new.crt").exists():
        make_certificate(where / "new.crt", where / "new.key", "nas.home.arpa", ["127.0.0.1"])
    files = {"certificate_path": str(where / "new.crt"), "private_key_path": str(where / "new.key")}
    return {"description": "household", **files}


def shown(twin: Twin) -> Any:
    kept = twin.root / "var/lib/dsm-twin/shown.pem"
    new = twin.root.parent / "new.crt"
    return kept.exists() and new.read_text().strip() in kept.read_text(), len(twin.state["certificates"])


def plans(twin: Twin) -> Any:
    kept = {name: entry["advDaily"] for name, entry in twin.state["retention"].items()}
    return {name: entry["schedule"]["hour"] for name, entry in twin.state["schedules"].items()}, kept


def jobs(twin: Twin) -> Any:
    return {
        task["name"]: (task["owner"], task["extra"]["script"], task["schedule"]["hour"])
        for task in twin.state["tasks"].values()
    }


def rule(name: str, *sources: str, ports: list[str]) -> dict[str, Any]:
    return {"name": name, "protocol": "tcp", "ports": ports, "sources": list(sources)}


def nfs(client: str, access: str) -> dict[str, Any]:
    return {"client": client, "access": access, "squash": "all_to_admin"}


CASES = [
    Case(
        "dsm_share",
        nothing,
        lambda twin: {
            "shares": [
                {"name": "docs", "volume": "/volume1", "description": "Documents"},
                {"name": "backup", "volume": "/volume1", "quota_mib": 100},
            ]
        },
        shares,
        {"docs": ("Documents", 0), "backup": ("", 100)},
        "docs|backup",
    ),
    Case(
        "dsm_nfs",
        exportable,
        lambda twin: {
            "enabled": True,
            "exports": [
                {"share": "docs", "rules": [nfs("10.77.0.10", "ro"), nfs("10.77.0.30", "rw")]},
                {"share": "backup", "rules": [nfs("10.77.0.10", "rw")]},
            ],
        },
        exports,
        (
            ["10.77.0.10", "10.77.0.30"],
            {"docs": [("10.77.0.10", "ro"), ("10.77.0.30", "rw")], "backup": [("10.77.0.10", "rw")]},
        ),
        "docs|backup|the NFS service",
    ),
    Case(
        "dsm_account",
        nothing,
        lambda twin: {
            "users": [
                {"name": "backup", "password": "correct horse", "description": "Backups", "groups": ["writers"]},
                {"name": "reader", "password": "correct horse"},
            ],
            "groups": [{"name": "writers"}],
        },
        people,
        ({"backup": "Backups", "reader": ""}, {"writers": ["backup"]}),
        "user backup|user reader|writers",
    ),
    Case(
        "dsm_permission",
        inhabited,
        lambda twin: {
            "shares": [
                {
                    "share": "docs",
                    "permissions": [
                        {"user": "reader", "access": "ro"},
                        {"user": "writer", "access": "rw"},
                        {"group": "readers", "access": "ro"},
                    ],
                }
            ]
        },
        lambda twin: twin.state["permissions"],
        {"docs": {"local_user": {"reader": "ro", "writer": "rw"}, "local_group": {"readers": "ro"}}},
        "share docs",
    ),
    Case(
        "dsm_system",
        nothing,
        lambda twin: {
            "server_name": "nas",
            "resolvers": ["10.77.0.10", "10.77.0.1"],
            "time_zone": "London",
            "ssh": True,
        },
        settings,
        ("nas", ["10.77.0.10", "10.77.0.1"], "London", True),
        "network|time|SSH|server_name|ssh",
    ),
    Case(
        "dsm_firewall",
        nothing,
        lambda twin: {
            "enabled": True,
            "sections": [
                {
                    "adapter": "global",
                    "policy": "drop",
                    "rules": [
                        rule("DSM", "127.0.0.1", ports=[str(twin.port), "5001"]),
                        rule("NFS", "10.77.0.10", "10.77.0.30", ports=["2049"]),
                    ],
                }
            ],
        },
        wall,
        ("drop", ["DSM", "NFS"], True),
        "firewall",
    ),
    Case("dsm_certificate", nothing, certificate, shown, (True, 2), "certificate"),
    Case(
        "dsm_snapshot",
        share,
        lambda twin: {"shares": [{"share": "docs", "schedule": {"hour": 5}, "retention": {"daily": 7}}]},
        plans,
        ({"docs": 5}, {"docs": 7}),
        "share docs",
    ),
]
CASES += [
    Case(
        "dsm_address",
        nothing,
        lambda twin: {
            "serial": "LAB0000001",
            "interface": "eth1",
            "address": "10.9.0.20",
            "gateway": "",
            "deadline": 1,
            "timeout": 5,
        },
        lambda twin: parse((twin.root / SETTINGS.format("eth1")).read_text()),
        Ipv4(False, "10.9.0.20", "255.255.255.0"),
        "eth1",
    ),
    Case(
        "dsm_task",
        lambda twin: user(twin, "reader"),
        lambda twin: {
            "tasks": [
                {"name": "report", "owner": "root", "script": "true", "schedule": {"hour": 4}},
                {"name": "inspect", "owner": "reader", "script": "false", "schedule": {"hour": 5}},
            ]
        },
        jobs,
        {"report": ("root", "true", 4), "inspect": ("reader", "false", 5)},
        "task 'report'|task 'inspect'",
    ),
    Case(
        "dsm_package",
        nothing,
        lambda twin: {
            "packages": [{"name": "SynoFinder", "state": "stopped"}, {"name": "SMBService", "state": "stopped"}]
        },
        lambda twin: twin.state["packages"],
        {"SynoFinder": "stop", "SMBService": "stop"},
        "package SynoFinder|package SMBService",
    ),
]
BY_MODULE = {case.module: case for case in CASES}

NEXT_STEP = re.compile(
    r"[.;:] (Change|Check|Combine|Compare|Create|End|Enrol|Find|Free|Give|Install|Let|Log in|Make|Put|Reach|Read|"
    r"Remove|Report|Run|See|Set|Use|Wait)\b"
)
UNKNOWN = re.compile("Whether this was done is not known|It is not known whether the NAS has the new address")


def everything(twin: Twin) -> Any:
    """All that the NAS remembers and all that lies on it, apart from the files in which it remembers."""
    files = {
        str(path.relative_to(twin.root)): fingerprint(path) if path.is_file() else ""
        for path in sorted(twin.root.rglob("*"))
        if path.name != "state.json"
    }
    return copy.deepcopy(twin.state), files


@pytest.fixture
def start(stage: Any, tmp_path: Path) -> Callable[[Case], Twin]:
    """A NAS that is ready for the case, as often as asked."""
    made = iter(range(1000))

    def start(case: Case) -> Twin:
        twin = stage.set_up(tmp_path / str(next(made)), PACE)
        case.ready(twin)
        return twin

    return start


@pytest.fixture(scope="module")
def courses() -> dict[str, list[str]]:
    """What each module asks the NAS when nothing hinders it."""
    return {}


def places(fault: Fault, course: list[str], turn: int) -> list[dict[str, Any]]:
    """Where on its course a module meets the fault.

    Once: at its first call, at a change, or at its last call. For good: at all calls, at those of one kind of change,
    or at all from the first change on. Each pair of module and fault takes its turn with one of them; FULL takes all.
    """
    met = [
        (number, call, method)
        for number, call in enumerate(course)
        for method in [BY_NAME[call.rpartition(".")[0]].methods[call.rpartition(".")[2]]]
        if call.startswith(fault.on)
        and (method.write or not fault.writes)
        and (method.session or not fault.session)
        and (call != "SYNO.API.Auth.logout")
    ]
    if not met:
        return []
    changes = [(number, call) for number, call, method in met if method.write]
    once = [
        {"on": call, "after": course[:number].count(call)}
        for number, call in dict.fromkeys([met[0][:2], *changes, met[-1][:2]])
    ]
    for_good: list[dict[str, Any]] = [{"count": ALWAYS}]
    for_good += [{"count": ALWAYS, "on": call} for call in dict.fromkeys(call for _, call in changes)]
    if changes:
        before = [call for number, call, _ in met if number < changes[0][0]]
        for_good.append({"count": ALWAYS, "after": len(before)})
    observed = once + for_good
    return observed if FULL else [observed[turn % len(observed)]]


def verify(case: Case, twin: Twin, result: dict[str, Any], before: Any) -> None:
    """Tell whether the module's result matches the state of the NAS."""
    truly_changed = everything(twin) != before
    assert twin.refused_logins <= 1
    if result.get("failed"):
        message = result["msg"]
        assert "Traceback" not in message
        assert re.search(case.about + f"|SYNO[.]|127.0.0.1:{twin.port}", message), message
        assert NEXT_STEP.search(message), message
        if UNKNOWN.search(message):
            assert result["changed"] is True
        else:
            assert result.get("changed", False) is truly_changed, message
    else:
        assert case.observe(twin) == case.wanted
        assert result["changed"] is truly_changed
        assert bool(result["changes"]) is truly_changed


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("module", BY_MODULE)
def test_the_wanted_state_or_one_true_message(
    start: Callable[[Case], Twin], courses: dict[str, list[str]], module: str, fault: str
) -> None:
    case = BY_MODULE[module]
    if module not in courses:
        twin = start(case)
        assert twin.run_inside(module, **case.options(twin))["changed"] is True
        assert case.observe(twin) == case.wanted
        courses[module] = list(twin.parts)
    turn = list(BY_MODULE).index(module) + list(FAULTS).index(fault)
    for place in places(FAULTS[fault], courses[module], turn):
        twin = start(case)
        options = case.options(twin)
        before = everything(twin)
        twin.faults.add(fault, **place)
        result = twin.run_inside(module, **options)
        try:
            verify(case, twin, result, before)
            if result.get("failed"):
                twin.faults.clear()
                before = everything(twin)
                again = twin.run_inside(module, **options)
                assert not again.get("failed"), again["msg"]
                verify(case, twin, again, before)
        except AssertionError as error:
            error.add_note(f"{fault} {place}: {result.get('msg', 'no failure')}")
            raise


def test_no_fault_is_left_out() -> None:
    assert FAULTS.keys() | REMEDIES == NAMES.keys()
