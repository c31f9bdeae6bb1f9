# SPDX-License-Identifier: GPL-3.0-or-later
import json

import pytest
from ansible_collections.tars.home.plugins.module_utils.docker import compose
from ansible_collections.tars.home.plugins.module_utils.docker.compose import Container

APP = Container("1", "app", "h1", "running", "healthy", 0, False)
JOB = Container("2", "migrate", "h2", "exited", "", 0, True)


def test_hashes_as_docker_compose_prints_them() -> None:
    assert compose.parse_hashes("app 00ff\nredis 11ee\n") == {"app": "00ff", "redis": "11ee"}


def test_containers_as_docker_inspects_them() -> None:
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


def test_summary() -> None:
    assert compose.summary([APP, JOB]) == "app healthy, migrate ended with 0"
    assert compose.summary([]) == "no container yet"


def test_a_page_that_does_not_answer_is_reported_when_nothing_else_differs() -> None:
    state = compose.State({"app": "h1"}, [APP], page="https://x: found 502, expected an answer. Next: …")
    with pytest.raises(compose.ComposeError, match="found 502"):
        compose.plan(state, "tars")


def test_a_project_without_its_file_is_created() -> None:
    state = compose.State(readable=False)
    changes = compose.plan(state, "tars")
    assert [str(change) for change in changes] == ["create project tars"]
    assert compose.plan(compose.predict(state, changes), "tars") == []
