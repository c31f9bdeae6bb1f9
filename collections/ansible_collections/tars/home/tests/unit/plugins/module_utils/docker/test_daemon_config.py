# SPDX-License-Identifier: GPL-3.0-or-later
import json

import pytest
from ansible_collections.tars.home.plugins.module_utils.docker import daemon_config as docker_daemon
from ansible_collections.tars.home.plugins.module_utils.docker.daemon_config import Plan
from hypothesis import given
from hypothesis import strategies as st

CASES = {
    "nothing there": ({}, {"live-restore": True}, {"live-restore": True}),
    "foreign keys stay": ({"data-root": "/d"}, {"live-restore": True}, {"data-root": "/d", "live-restore": True}),
    "objects are merged": (
        {"log-opts": {"tag": "x", "max-size": "1m"}},
        {"log-opts": {"max-size": "10m"}},
        {"log-opts": {"tag": "x", "max-size": "10m"}},
    ),
    "lists are replaced": ({"dns": ["1.1.1.1"]}, {"dns": ["9.9.9.9"]}, {"dns": ["9.9.9.9"]}),
    "null removes": ({"registry-mirrors": ["http://m"], "a": 1}, {"registry-mirrors": None}, {"a": 1}),
    "null of an absent key is nothing": ({}, {"registry-mirrors": None}, {}),
    "an object takes the place of a plain value": (
        {"features": 1},
        {"features": {"cdi": True}},
        {"features": {"cdi": True}},
    ),
}


@pytest.mark.parametrize(("current", "desired", "expected"), CASES.values(), ids=CASES)
def test_merge(current, desired, expected):
    assert docker_daemon.merge(current, desired) == expected


json_objects = st.dictionaries(
    st.text(max_size=3),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda children: st.dictionaries(st.text(max_size=3), children, max_size=3) | st.lists(children, max_size=2),
        max_leaves=5,
    ),
    max_size=4,
)


@given(json_objects, json_objects)
def test_a_second_merge_changes_nothing(current, desired):
    once = docker_daemon.merge(current, desired)
    assert docker_daemon.merge(once, desired) == once


@given(json_objects)
def test_what_is_rendered_is_read_back(content):
    assert docker_daemon.parse(docker_daemon.render(content), "daemon.json") == content


def test_an_empty_file_is_an_empty_object():
    assert docker_daemon.parse("\n", "daemon.json") == {}


@pytest.mark.parametrize("text", ["{,}", json.dumps(["a list"])])
def test_a_file_that_is_no_object_is_named_with_the_next_step(text):
    with pytest.raises(docker_daemon.DaemonConfigError, match=r"^/etc/x\.json .*then run again"):
        docker_daemon.parse(text, "/etc/x.json")


LIMITS = {"max-size": "10m", "max-file": "3"}
LOGS = {
    "none becomes local": ({}, {}, {"log-driver": "local", "log-opts": LIMITS}),
    "json-file is kept and limited": (
        {"log-driver": "json-file", "log-opts": {"tag": "x", "max-size": "1g"}},
        {},
        {"log-driver": "json-file", "log-opts": {"tag": "x", **LIMITS}},
    ),
    "another driver is left alone": ({"log-driver": "journald", "log-opts": {"tag": "x"}}, {}, None),
    "a setting has the last word": (
        {"log-driver": "journald"},
        {"log-driver": "local", "log-opts": {"max-file": "9"}},
        {"log-driver": "local", "log-opts": {"max-size": "10m", "max-file": "9"}},
    ),
    "no limits for a driver that is asked for": ({}, {"log-driver": "syslog"}, {"log-driver": "syslog"}),
}


@pytest.mark.parametrize(("current", "settings", "expected"), LOGS.values(), ids=LOGS)
def test_limits_of_logs(current, settings, expected):
    once = docker_daemon.wanted(current, settings, {}, LIMITS)
    assert once == (current if expected is None else expected)
    assert docker_daemon.wanted(once, settings, {}, LIMITS) == once


@pytest.mark.parametrize(
    ("present", "items", "expected"),
    [
        (None, [], None),
        (None, ["a"], ["a"]),
        (["x"], [], ["x"]),
        (["x", "a"], ["a", "b"], ["a", "b", "x"]),
    ],
)
def test_items_of_others_stay_behind(present, items, expected):
    current = {} if present is None else {"registry-mirrors": present}
    once = docker_daemon.wanted(current, {}, {"registry-mirrors": items}, {})
    assert once.get("registry-mirrors") == expected
    assert docker_daemon.wanted(once, {}, {"registry-mirrors": items}, {}) == once


@pytest.mark.parametrize(
    ("before", "after", "activation"),
    [
        ({"a": 1}, {"a": 1}, ""),
        ({}, {"live-restore": True, "registry-mirrors": ["http://m"]}, "reload"),
        ({"debug": False}, {"debug": True}, "reload"),
        ({"debug": True}, {}, "restart"),
        ({}, {"log-driver": "local"}, "restart"),
        ({}, {"live-restore": True, "data-root": "/d"}, "restart"),
        ({}, {"features": {"cdi": True}}, "restart"),
        ({}, {"firewall-backend": "nftables"}, "restart"),
    ],
)
def test_a_restart_only_where_a_reload_does_not_do(before, after, activation):
    assert docker_daemon.activation(before, after) == activation


def test_only_what_changes_is_shown():
    before = {"proxies": {"http-proxy": "http://me:secret@p"}, "debug": True}
    assert docker_daemon.changes(before, {**before, "debug": False}) == ({"debug": True}, {"debug": False})


SHOWN = """ActiveState={state}
LoadState=loaded
UnitFileState=enabled
MainPID={pid}
ExecStart={{ path=/usr/sbin/dockerd ; argv[]=/usr/sbin/dockerd -H fd:// --config-file /d.json $OPTIONS ; pid=0 }}
"""


def test_a_unit_that_does_not_run_tells_its_flags():
    service = docker_daemon.parse_service(SHOWN.format(state="inactive", pid=0), b"")
    assert (service.active, service.flags, service.path) == (False, ("-H", "fd://"), "/d.json")
    assert (service.loaded, service.enabled) == ("loaded", True)


def test_a_process_tells_its_flags_with_the_variables_filled_in():
    cmdline = b"/usr/sbin/dockerd\0-H\0fd://\0--dns=1.1.1.1\0--config-file=/e.json\0"
    service = docker_daemon.parse_service(SHOWN.format(state="active", pid=7), cmdline)
    assert (service.active, service.flags, service.path) == (True, ("-H", "fd://", "--dns=1.1.1.1"), "/e.json")


def test_without_a_unit_the_usual_file_is_meant():
    service = docker_daemon.parse_service("ActiveState=inactive\nMainPID=0\n", b"")
    assert (service.active, service.flags, service.path) == (False, (), "/etc/docker/daemon.json")
    assert (service.loaded, service.enabled) == ("not-found", False)


def unit(active=True, loaded="loaded", unit_file="enabled"):
    return docker_daemon.Service(active, (), loaded, unit_file)


PLANS = {
    "as wanted": (unit(), "", Plan()),
    "the file changed": (unit(), "reload", Plan(activation="reload")),
    "stopped by hand": (unit(active=False), "", Plan(activation="start")),
    "the file of a stopped one changed": (unit(active=False), "restart", Plan(activation="start")),
    "disabled by hand": (unit(unit_file="disabled"), "", Plan(enable=True)),
    "enabled until the next boot": (unit(unit_file="enabled-runtime"), "", Plan(enable=True)),
    "both, and the file": (unit(False, unit_file="disabled"), "reload", Plan(True, "start")),
    "not installed yet": (docker_daemon.parse_service("LoadState=not-found\n", b""), "restart", Plan(True, "start")),
}


@pytest.mark.parametrize(("service", "needed", "expected"), PLANS.values(), ids=PLANS)
def test_plan(service, needed, expected):
    plan = docker_daemon.plan(service, True, True, needed)
    assert plan == expected and bool(plan) == (expected != Plan())
    assert not docker_daemon.plan(unit(), True, True, "")


def test_a_service_that_nobody_asks_for_is_left_as_it_is():
    assert not docker_daemon.plan(unit(False, unit_file="disabled"), False, False, "restart")
    assert docker_daemon.plan(unit(unit_file="disabled"), False, False, "reload") == Plan(activation="reload")


def test_the_state_of_the_service_is_shown():
    assert docker_daemon.states(unit(False, unit_file="disabled"), Plan(True, "start")) == (
        "enabled: False\nrunning: False\n",
        "enabled: True\nrunning: True\n",
    )
    before, after = docker_daemon.states(unit(), Plan(activation="restart"))
    assert before == after


@pytest.mark.parametrize(
    ("loaded", "expected"),
    [
        ("masked", r"^docker\.service is wanted enabled and running, and is masked\. Next: .*systemctl unmask docker"),
        (
            "not-found",
            r"^docker\.service is wanted enabled and running, and systemd knows no such unit\. Next: install",
        ),
    ],
)
def test_a_unit_that_cannot_start_is_named_with_the_next_step(loaded, expected):
    with pytest.raises(docker_daemon.DaemonConfigError, match=expected):
        docker_daemon.refuse_unit(unit(loaded=loaded))


def test_a_unit_that_can_start_is_taken():
    docker_daemon.refuse_unit(unit(active=False, unit_file="disabled"))


def test_what_is_left_to_do_after_the_change_is_said():
    docker_daemon.refuse_rest(unit(), True, True)
    docker_daemon.refuse_rest(unit(active=False), True, False)
    with pytest.raises(
        docker_daemon.DaemonConfigError, match=r"wanted enabled and running\. .* static and does not run\. Next"
    ):
        docker_daemon.refuse_rest(unit(False, unit_file="static"), True, True)


def test_a_daemon_that_does_not_answer_is_named_with_the_next_step():
    docker_daemon.refuse_silence("")
    with pytest.raises(
        docker_daemon.DaemonConfigError, match=r"docker\.service runs.*Cannot connect\nNext: systemctl status"
    ):
        docker_daemon.refuse_silence("Cannot connect")


@pytest.mark.parametrize(
    ("wish", "swarm"), [({"live-restore": True}, "inactive"), ({}, "active"), ({"live-restore": True}, "")]
)
def test_live_restore_outside_of_a_swarm_is_no_matter(wish, swarm):
    docker_daemon.refuse_swarm(wish, swarm)


def test_live_restore_in_a_swarm_is_refused():
    with pytest.raises(docker_daemon.DaemonConfigError, match=r"node of a Docker swarm .*docker swarm leave"):
        docker_daemon.refuse_swarm({"live-restore": True}, "active")
