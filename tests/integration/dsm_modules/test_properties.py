# SPDX-License-Identifier: GPL-3.0-or-later
"""For any state of the NAS and any desired state: a run does what the plan predicts, and a second run changes nothing.

A first desired state sets the NAS up for the second one. The result is read from the memory of the NAS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tars_lab.dsm_twin.install import make_certificate
from tars_lab.dsm_twin.interfaces import SETTINGS, Ipv4, parse

pytestmark = pytest.mark.integration

Twin = Any  # of conftest.py
Desired = dict[str, Any]
PACE = 200

TEXT = st.text(alphabet="ab é\"'\\&+%=€", max_size=6)
PASSWORD = "correct horse"


def some(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Desired]:
    """Dictionaries with any of these keys."""
    return st.fixed_dictionaries({}, optional=keys)


def named(names: list[str], key: str, more: st.SearchStrategy[Desired]) -> st.SearchStrategy[list[Desired]]:
    """Lists of one dictionary at most for each of `names`, which it has under `key`."""
    single = st.builds(lambda name, rest: {key: name, **rest}, st.sampled_from(names), more)
    return st.lists(single, unique_by=lambda entry: str(entry[key]), max_size=len(names))


@dataclass(frozen=True)
class Subject:
    """A module, the NAS it needs, its desired_states, and how to find one in the NAS's memory."""

    module: str
    ready: Callable[[Twin], None]
    desired_states: st.SearchStrategy[Desired]
    fulfilled: Callable[[Twin, Desired], bool]
    complete: Callable[[Twin, Desired], Desired] = lambda twin, desired: desired


def nothing(twin: Twin) -> None: ...


def inhabited(twin: Twin) -> None:
    for name in ("docs", "backup"):
        info = {"name": name, "vol_path": "/volume1", "name_org": ""}
        twin.do("SYNO.Core.Share", "create", name=name, shareinfo=info)
    for name in ("reader", "writer"):
        twin.do("SYNO.Core.User", "create", name=name, password=PASSWORD)
    twin.do("SYNO.Core.Group", "create", name="readers", description="")


def known(record: Any, desired: Desired, names: dict[str, str]) -> bool:
    """Tell whether the record has the desired values of these keys, under their other names."""
    return all(record[theirs] == desired[ours] for ours, theirs in names.items() if ours in desired)


SHARES = named(
    ["a", "b c"],
    "name",
    some(description=TEXT, hidden=st.booleans(), recycle_bin=st.booleans(), quota_mib=st.integers(0, 2**20))
    | st.just({"state": "absent", "delete_data": True}),
)
SHARE_NAMES = {
    "description": "desc",
    "hidden": "hidden",
    "recycle_bin": "enable_recycle_bin",
    "quota_mib": "share_quota",
}


def shared(twin: Twin, desired: Desired) -> bool:
    present = twin.state["shares"]
    return all(
        share["name"] not in present
        if share.get("state") == "absent"
        else known(present[share["name"]], share, SHARE_NAMES) and (twin.root / "volume1" / share["name"]).is_dir()
        for share in desired["shares"]
    )


RULES = named(
    ["10.77.0.10", "10.77.0.0/24", "*"],
    "client",
    st.fixed_dictionaries(
        {
            "access": st.sampled_from(["ro", "rw"]),
            "squash": st.sampled_from(["all_to_admin", "root_to_guest", "no_mapping"]),
            "async": st.booleans(),
            "insecure": st.booleans(),
        }
    ),
)
EXPORTS = st.builds(
    lambda on, minor, exports: {"enabled": on, **({"nfsv4_minor": minor, "exports": exports} if on else {})},
    st.booleans(),
    st.sampled_from([0, 1]),
    named(["docs", "backup"], "share", st.builds(lambda rules: {"rules": rules}, RULES)),
)


def exported(twin: Twin, desired: Desired) -> bool:
    if (
        twin.state["nfs"]["enable_nfs"] is not desired["enabled"]
        or (twin.root / "ganesha.conf").exists() is not desired["enabled"]
    ):
        return False
    names = {"client": "client", "access": "privilege", "async": "async", "insecure": "insecure"}
    return all(
        len(twin.state["rules"].get(export["share"], [])) == len(export["rules"])
        and all(
            any(known(shown, rule, names) for shown in twin.state["rules"][export["share"]]) for rule in export["rules"]
        )
        for export in desired.get("exports", [])
    )


MEMBERS = st.lists(st.sampled_from(["readers", "writers"]), unique=True)
PEOPLE = st.builds(
    lambda users, groups: {"users": users, "groups": groups},
    named(
        ["reader", "scanner"],
        "name",
        some(description=TEXT, email=st.sampled_from(["", "a@home.arpa"]), enabled=st.booleans()).map(
            lambda user: {**user, "password": PASSWORD}
        )
        | st.just({"state": "absent"}),
    ),
    named(["helpers"], "name", some(description=TEXT) | st.just({"state": "absent"})),
)


def lives(twin: Twin, desired: Desired) -> bool:
    users, groups = twin.state["users"], twin.state["groups"]
    shown = True
    for table, entries in ((users, desired["users"]), (groups, desired["groups"])):
        for entry in entries:
            if entry.get("state") == "absent":
                shown &= entry["name"] not in table
            else:
                shown &= known(table[entry["name"]], entry, {"description": "description", "email": "email"})
    for user in desired["users"]:
        if "enabled" in user:
            shown &= (users[user["name"]]["expired"] == "normal") is user["enabled"]
    return shown


GRANTS = st.lists(
    st.builds(
        lambda who, access: {who[0]: who[1], "access": access},
        st.sampled_from([("user", "reader"), ("user", "writer"), ("group", "readers")]),
        st.sampled_from(["rw", "ro", "none", "unset"]),
    ),
    unique_by=lambda grant: str(grant.keys() - {"access"}) + grant.get("user", ""),
)
ACCESS = named(
    ["docs", "backup"],
    "share",
    st.builds(lambda grants, only: {"permissions": grants, "exclusive": only}, GRANTS, st.booleans()),
)
WORDS = {"rw": "rw", "ro": "ro", "none": "na", "unset": None}


def granted(twin: Twin, desired: Desired) -> bool:
    for share in desired["shares"]:
        tables = twin.state["permissions"].get(share["share"], {"local_user": {}, "local_group": {}})
        wanted = {
            (kind, grant[kind]): WORDS[grant["access"]]
            for grant in share["permissions"]
            for kind in grant.keys() - {"access"}
        }
        for (kind, name), word in wanted.items():
            if tables[f"local_{kind}"].get(name) != word:
                return False
        if share["exclusive"]:
            listed = {(kind, name) for kind in ("user", "group") for name in tables[f"local_{kind}"]}
            if not listed <= wanted.keys():
                return False
    return True


SYSTEM = some(
    server_name=st.sampled_from(["nas", "other-nas"]),
    resolvers=st.lists(st.sampled_from(["10.77.0.10", "10.77.0.1"]), max_size=2, unique=True),
    time_zone=st.sampled_from(["London", "Amsterdam", "Tokyo"]),
    ntp_servers=st.lists(st.sampled_from(["a.example", "b.example", "c.example"]), min_size=1, unique=True),
    ssh=st.booleans(),
    ssh_port=st.integers(1, 65535),
    sftp=st.booleans(),
    sftp_port=st.integers(1, 65535),
)


def set_up(twin: Twin, desired: Desired) -> bool:
    state = twin.state
    network = state["network"]
    resolvers = [network.get(key) for key in ("dns_primary", "dns_secondary") if network.get(key)]
    return (
        known(network, desired, {"server_name": "server_name"})
        and ("resolvers" not in desired or (resolvers if network.get("dns_manual") else []) == desired["resolvers"])
        and known(state["time"], desired, {"time_zone": "timezone"})
        and ("ntp_servers" not in desired or state["time"]["server"].split(",") == desired["ntp_servers"])
        and known(state["terminal"], desired, {"ssh": "enable_ssh", "ssh_port": "ssh_port"})
        and known(state["sftp"], desired, {"sftp": "enable", "sftp_port": "portnum"})
    )


WALLS = st.builds(
    lambda policy, rules, on: {
        "enabled": on,
        "sections": [{"adapter": "global", "policy": policy, "rules": rules}],
    },
    st.sampled_from(["none", "allow", "drop"]),
    st.lists(
        st.fixed_dictionaries(
            {
                "name": st.sampled_from(["NFS", "web"]),
                "action": st.sampled_from(["allow", "drop"]),
                "enabled": st.booleans(),
                "protocol": st.sampled_from(["all", "tcp", "udp"]),
                "ports": st.sampled_from([[], ["2049"], ["80", "443"]]),
                "sources": st.sampled_from([["10.77.0.10"], ["10.77.0.0/24"], ["10.77.0.10", "10.77.0.30"]]),
            }
        ),
        max_size=3,
    ),
    st.booleans(),
)


def with_a_way_in(twin: Twin, desired: Desired) -> Desired:
    (section,) = desired["sections"]
    dsm_rule = {"name": "DSM", "protocol": "tcp", "ports": [str(twin.port), "5001"], "sources": ["127.0.0.1"]}
    return {**desired, "sections": [{**section, "rules": [dsm_rule, *section["rules"]]}]}


def walled(twin: Twin, desired: Desired) -> bool:
    firewall = twin.state["firewall"]
    (section,) = desired["sections"]
    stored = firewall["profiles"]["default"]["global"]
    words = [(rule["name"], rule.get("action", "allow"), rule.get("enabled", True)) for rule in section["rules"]]
    return (
        stored["policy"] == section["policy"]
        and [(rule["name"], rule["policy"], rule["enable"]) for rule in stored["rules"]] == words
        and firewall["applied"] == (firewall["profiles"]["default"] if desired["enabled"] else None)
    )


def with_files(twin: Twin, desired: Desired) -> Desired:
    certificate, key = (twin.root.parent / f"{desired['pair']}.{suffix}" for suffix in ("crt", "key"))
    if not certificate.exists():
        make_certificate(certificate, key, "nas.home.arpa", ["127.0.0.1"])
    files = {"certificate_path": str(certificate), "private_key_path": str(key)}
    return {"description": desired["description"], **files}


def shows(twin: Twin, desired: Desired) -> bool:
    default = twin.state["certificates"][twin.state["default_certificate"]]
    with open(desired["certificate_path"], encoding="ascii") as file:
        return bool(default["desc"] == desired["description"] and default["cert"].strip() == file.read().strip())


RETENTION = {"hourly": "advHourly", "daily": "advDaily", "weekly": "advWeekly", "newest": "recently"}
NO_SCHEDULE = {"enable_snapshot_schedule": False, "schedule": {}}
PLANS = named(
    ["docs", "backup"],
    "share",
    some(
        schedule=st.fixed_dictionaries(
            {"enabled": st.booleans(), "hour": st.integers(0, 23), "minute": st.sampled_from([0, 30])},
            optional={"weekdays": st.sets(st.integers(0, 6), min_size=1).map(sorted)},
        ),
        retention=st.integers(0, 9).map(lambda newest: {"newest": newest})
        | some(hourly=st.integers(0, 9), daily=st.integers(0, 9), weekly=st.integers(0, 9)),
        visible=st.booleans(),
    ),
)


def planned(twin: Twin, desired: Desired) -> bool:
    for share in desired["shares"]:
        if "schedule" in share:
            shown = twin.state["schedules"].get(share["share"], NO_SCHEDULE)
            if shown["enable_snapshot_schedule"] is not share["schedule"]["enabled"]:
                return False
            # One that is off has no times.
            times = {"hour": "hour", "minute": "min"} if share["schedule"]["enabled"] else {}
            if not known(shown["schedule"], share["schedule"], times):
                return False
        if "retention" in share:
            kept = twin.state["retention"].get(share["share"], dict.fromkeys(RETENTION.values(), 0))
            if any(kept[theirs] != share["retention"].get(ours, 0) for ours, theirs in RETENTION.items()):
                return False
        if "visible" in share:
            conf = twin.state["browsing"].get(share["share"], {})
            if conf.get("enable_snapshot_browsing", False) is not share["visible"]:
                return False
    return True


TASKS = named(
    ["report", "inspect"],
    "name",
    st.just({"state": "absent"})
    | st.builds(
        lambda owner, script, hour: {"owner": owner, "script": script, "schedule": {"hour": hour}},
        st.sampled_from(["root", "reader"]),
        st.sampled_from(["true", "echo 'a b' && \"c\""]),
        st.integers(0, 23),
    ),
)


def scheduled(twin: Twin, desired: Desired) -> bool:
    shown = {task["name"]: task for task in twin.state["tasks"].values()}
    return all(
        task["name"] not in shown
        if task.get("state") == "absent"
        else (
            shown[task["name"]]["owner"],
            shown[task["name"]]["extra"]["script"],
            shown[task["name"]]["schedule"]["hour"],
        )
        == (task["owner"], task["script"], task["schedule"]["hour"])
        for task in desired["tasks"]
    )


PACKAGES = named(
    ["SynoFinder", "SMBService"], "name", st.sampled_from(["started", "stopped"]).map(lambda state: {"state": state})
)
RUNNING = {"started": "running", "stopped": "stop"}


def runs(twin: Twin, desired: Desired) -> bool:
    return all(
        twin.state["packages"].get(item["name"], "running") == RUNNING[item["state"]] for item in desired["packages"]
    )


ADDRESSES = st.builds(
    lambda address, prefix: {"address": address, "prefix": prefix},
    # Host addresses in their networks of any of these lengths.
    st.sampled_from(["10.9.0.21", "10.9.1.6", "172.16.3.9", "192.168.4.130"]),
    st.integers(8, 30),
)


def of_second_port(twin: Twin, desired: Desired) -> Desired:
    """Of LAN 2, which the connection is not on; the way to the first one's new address is the lab's to prove."""
    return {**desired, "interface": "eth1", "gateway": "", "serial": "LAB0000001", "deadline": 1, "timeout": 5}


def addressed(twin: Twin, desired: Desired) -> bool:
    mask = str(IPv4Network((0, desired["prefix"])).netmask)
    return parse((twin.root / SETTINGS.format("eth1")).read_text()) == Ipv4(False, desired["address"], mask)


SUBJECTS = [
    Subject(
        "dsm_share",
        nothing,
        SHARES.map(lambda shares: {"shares": [{"volume": "/volume1", **share} for share in shares]}),
        shared,
    ),
    Subject("dsm_nfs", inhabited, EXPORTS, exported),
    Subject("dsm_account", inhabited, PEOPLE, lives),
    Subject("dsm_permission", inhabited, ACCESS.map(lambda shares: {"shares": shares}), granted),
    Subject("dsm_system", nothing, SYSTEM, set_up),
    Subject("dsm_firewall", nothing, WALLS, walled, with_a_way_in),
    Subject(
        "dsm_certificate",
        nothing,
        st.fixed_dictionaries({"description": st.sampled_from(["household", "other"]), "pair": st.sampled_from("ab")}),
        shows,
        with_files,
    ),
    Subject("dsm_snapshot", inhabited, PLANS.map(lambda shares: {"shares": shares}), planned),
    Subject("dsm_task", inhabited, TASKS.map(lambda tasks: {"tasks": tasks}), scheduled),
    Subject("dsm_address", nothing, ADDRESSES, addressed, of_second_port),
    Subject("dsm_package", nothing, PACKAGES.map(lambda packages: {"packages": packages}), runs),
]


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.module)
def test_any_desired_state_is_reached_as_predicted_and_a_second_run_changes_nothing(
    stage: Any, tmp_path_factory: pytest.TempPathFactory, subject: Subject
) -> None:
    where = tmp_path_factory.mktemp(subject.module)
    number = count()

    # The same examples in every run: a failure is never a matter of luck. Smaller ones are not searched for, which
    # takes minutes.
    @settings(
        max_examples=20,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(subject.desired_states, subject.desired_states)
    def hold(first: Desired, second: Desired) -> None:
        twin = stage.set_up(where / str(next(number)), PACE)
        subject.ready(twin)
        for desired in (subject.complete(twin, first), subject.complete(twin, second)):
            foretold = twin.run_inside(subject.module, check=True, **desired)
            result = twin.run_inside(subject.module, **desired)
            assert not result.get("failed"), result["msg"]
            twin.fingerprint = result.get("fingerprint", twin.fingerprint)
            assert subject.fulfilled(twin, desired)
            assert {key: result[key] for key in ("changed", "changes", "diff")} == {
                key: foretold[key] for key in ("changed", "changes", "diff")
            }
        again = twin.run_inside(subject.module, **desired)
        assert (again["changed"], again["changes"]) == (False, [])

    hold()
