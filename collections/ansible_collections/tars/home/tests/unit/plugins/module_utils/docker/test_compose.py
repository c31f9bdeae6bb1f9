# SPDX-License-Identifier: GPL-3.0-or-later
import dataclasses
import json

import pytest
from ansible_collections.tars.home.plugins.module_utils.docker import compose
from ansible_collections.tars.home.plugins.module_utils.docker.compose import Container

APP = Container("1", "app", "h1", "running", "healthy", 0, False)
JOB = Container("2", "migrate", "h2", "exited", "", 0, True)


def but(container: Container, **changes) -> Container:
    return dataclasses.replace(container, **changes)


CASES = {
    "nothing there": ({"app": "h1"}, [], {"app": "create"}),
    "all well": ({"app": "h1", "migrate": "h2"}, [APP, JOB], {}),
    "without a health check, running is well": ({"app": "h1"}, [but(APP, health="")], {}),
    "another configuration": ({"app": "h9"}, [APP], {"app": "recreate"}),
    "stopped": ({"app": "h1"}, [but(APP, status="exited")], {"app": "start"}),
    "ill": ({"app": "h1"}, [but(APP, health="unhealthy")], {"app": "start"}),
    "not well yet": ({"app": "h1"}, [but(APP, health="starting")], {"app": "start"}),
    "a job that failed": ({"migrate": "h2"}, [but(JOB, exit_code=1)], {"migrate": "start"}),
    "a job that still runs": ({"migrate": "h2"}, [but(JOB, status="running")], {"migrate": "start"}),
    "no longer wanted": ({}, [APP], {"app": "remove"}),
    "one of two replicas is old": ({"app": "h1"}, [APP, but(APP, id="3", config_hash="h0")], {"app": "recreate"}),
}


@pytest.mark.parametrize(("hashes", "containers", "expected"), CASES.values(), ids=CASES)
def test_plan(hashes, containers, expected):
    assert compose.plan(hashes, containers) == expected


def test_hashes_as_docker_compose_prints_them():
    assert compose.parse_hashes("app 00ff\nredis 11ee\n") == {"app": "00ff", "redis": "11ee"}


def test_containers_as_docker_inspects_them():
    inspected = json.dumps(
        [
            {
                "Id": "1",
                "Name": "/tars-app-1",
                "State": {"Status": "running", "ExitCode": 0, "Health": {"Status": "healthy"}},
                "Config": {"Labels": {compose.SERVICE_LABEL: "app", compose.HASH_LABEL: "h1"}},
                "HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}},
            },
            {
                "Id": "2",
                "Name": "/tars-migrate-1",
                "State": {"Status": "exited", "ExitCode": 0},
                "Config": {"Labels": {compose.SERVICE_LABEL: "migrate", compose.HASH_LABEL: "h2"}},
                "HostConfig": {"RestartPolicy": {"Name": "no"}},
            },
        ]
    )
    assert compose.parse_containers(inspected) == [APP, JOB]
    assert compose.parse_containers("") == []


def test_summary():
    assert compose.summary([APP, JOB]) == "app healthy, migrate ended with 0"
    assert compose.summary([]) == "no container yet"
