# SPDX-License-Identifier: GPL-3.0-or-later
import json

import pytest
from ansible_collections.tars.home.plugins.module_utils import docker_daemon
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
