# SPDX-License-Identifier: GPL-3.0-or-later
import json
from typing import Any

import pytest
from ansible_collections.tars.home.plugins.module_utils.docker import daemon_config as docker_daemon
from ansible_collections.tars.home.plugins.module_utils.docker.service import parse_service
from hypothesis import given
from hypothesis import strategies as st


def desired(current: dict[str, Any], *rest: Any) -> dict[str, Any]:
    return docker_daemon.desired("/etc/docker/daemon.json", current, *rest)


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
def test_merge(current: Any, desired: Any, expected: Any) -> None:
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
def test_a_second_merge_changes_nothing(current: Any, desired: Any) -> None:
    once = docker_daemon.merge(current, desired)
    assert docker_daemon.merge(once, desired) == once


@given(json_objects)
def test_what_is_rendered_is_read_back(content: Any) -> None:
    assert docker_daemon.parse(docker_daemon.render(content), "daemon.json") == content


def test_an_empty_file_is_an_empty_object() -> None:
    assert docker_daemon.parse("\n", "daemon.json") == {}


@pytest.mark.parametrize("text", ["{,}", json.dumps(["a list"])])
def test_a_file_that_does_not_hold_an_object_is_refused_with_the_next_step(text: Any) -> None:
    with pytest.raises(docker_daemon.DaemonConfigError, match=r"^/etc/x\.json.*Next: .*run again"):
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
    "no limits for another desired driver": ({}, {"log-driver": "syslog"}, {"log-driver": "syslog"}),
}


@pytest.mark.parametrize(("current", "settings", "expected"), LOGS.values(), ids=LOGS)
def test_limits_of_logs(current: Any, settings: Any, expected: Any) -> None:
    once = desired(current, settings, {}, LIMITS)
    assert once == (current if expected is None else expected)
    assert desired(once, settings, {}, LIMITS) == once


@pytest.mark.parametrize(
    ("present", "items", "expected"),
    [
        (None, [], None),
        (None, ["a"], ["a"]),
        (["x"], [], ["x"]),
        (["x", "a"], ["a", "b"], ["a", "b", "x"]),
    ],
)
def test_items_of_others_stay_behind(present: Any, items: Any, expected: Any) -> None:
    current = {} if present is None else {"registry-mirrors": present}
    once = desired(current, {}, {"registry-mirrors": items}, {})
    assert once.get("registry-mirrors") == expected
    assert desired(once, {}, {"registry-mirrors": items}, {}) == once


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
def test_a_restart_only_where_a_reload_does_not_do(before: Any, after: Any, activation: Any) -> None:
    assert docker_daemon.activation(before, after) == activation


def test_only_what_changes_is_shown() -> None:
    before = {"proxies": {"http-proxy": "http://me:secret@p"}, "debug": True}
    assert docker_daemon.differences(before, {**before, "debug": False}) == ({"debug": True}, {"debug": False})


SHOWN = """ActiveState={state}
LoadState=loaded
UnitFileState=enabled
MainPID={pid}
ExecStart={{ path=/usr/sbin/dockerd ; argv[]=/usr/sbin/dockerd -H fd:// --config-file /d.json $OPTIONS ; pid=0 }}
"""


def test_flags_of_a_unit_that_does_not_run() -> None:
    service = parse_service(SHOWN.format(state="inactive", pid=0), b"")
    assert (service.active, service.flags, service.path) == (False, ("-H", "fd://"), "/d.json")
    assert (service.loaded, service.enabled) == ("loaded", True)


def test_flags_of_a_process_have_the_variables_filled_in() -> None:
    cmdline = b"/usr/sbin/dockerd\0-H\0fd://\0--dns=1.1.1.1\0--config-file=/e.json\0"
    service = parse_service(SHOWN.format(state="active", pid=7), cmdline)
    assert (service.active, service.flags, service.path) == (True, ("-H", "fd://", "--dns=1.1.1.1"), "/e.json")


def test_default_file_without_a_unit() -> None:
    service = parse_service("ActiveState=inactive\nMainPID=0\n", b"")
    assert (service.active, service.flags, service.path) == (False, (), "/etc/docker/daemon.json")
    assert (service.loaded, service.enabled) == ("not-found", False)


@pytest.mark.parametrize(
    ("current", "key", "kind", "expected"),
    [
        ({"registry-mirrors": "http://10.77.0.1:5000"}, "registry-mirrors", "text", "a list"),
        ({"registry-mirrors": {"http://10.77.0.1:5000": True}}, "registry-mirrors", "an object", "a list"),
        ({"log-opts": "max-size=10m"}, "log-opts", "text", "an object"),
        ({"log-opts": ["max-size=10m"]}, "log-opts", "a list", "an object"),
        ({"log-driver": 5}, "log-driver", "a number", "text"),
        ({"features": True}, "features", "true or false", "an object"),
        ({"runtimes": {"nvidia": "nvidia-container-runtime"}}, "runtimes.nvidia", "text", "an object"),
    ],
)
def test_a_value_that_cannot_be_merged_is_refused(current: dict[str, Any], key: str, kind: str, expected: str) -> None:
    settings = {"features": {"cdi": True}, "runtimes": {"nvidia": {"path": "/usr/bin/nvidia-container-runtime"}}}
    with pytest.raises(docker_daemon.DaemonConfigError) as caught:
        desired(current, settings, {"registry-mirrors": ["http://m"]}, LIMITS)
    assert f"/etc/docker/daemon.json: {key}: found {kind}, expected {expected}." in str(caught.value)
    assert "Nothing was changed. Next: " in str(caught.value)


def test_all_values_that_cannot_be_merged_are_named() -> None:
    current = {"registry-mirrors": "m", "features": 1, "log-opts": ""}
    with pytest.raises(docker_daemon.DaemonConfigError) as caught:
        desired(current, {"features": {"cdi": True}}, {"registry-mirrors": ["n"]}, LIMITS)
    assert len(str(caught.value).splitlines()) == 3


def test_a_null_counts_as_absent() -> None:
    assert desired({"registry-mirrors": None}, {}, {"registry-mirrors": ["m"]}, {}) == {"registry-mirrors": ["m"]}
