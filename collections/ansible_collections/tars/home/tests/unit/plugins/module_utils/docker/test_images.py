# SPDX-License-Identifier: GPL-3.0-or-later
import json

import pytest
from ansible_collections.tars.home.plugins.module_utils.docker import images
from ansible_collections.tars.home.plugins.module_utils.docker.pull import Images
from ansible_collections.tars.home.plugins.module_utils.resource.converge import converge

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("postgres:17.6", "postgres"),
        ("library/postgres", "postgres"),
        ("docker.io/library/postgres:17.6", "postgres"),
        (f"postgres:17.6@{A}", "postgres"),
        ("chromadb/chroma:1.5.9", "chromadb/chroma"),
        ("host:5000/a/b:1", "host:5000/a/b"),
        (f"host:5000/b@{A}", "host:5000/b"),
    ],
)
def test_repository(name: str, repository: str) -> None:
    assert images.repository(name) == repository


# A terminal ends lines in its own way, and has the error's in between.
INSPECTED = (
    f'{{"tags": ["postgres:17.6","mine:1"], "digests": ["mirror:5000/postgres@{B}","postgres@{A}"]}}\r\n'
    "Error response from daemon: No such image: absent:1\r\n"
    '{"tags": ["built:here"], "digests": []}\r\n'
    '{"tags": null, "digests": null}\r\n'
)


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("postgres:17.6", A),
        ("docker.io/library/postgres:17.6", A),
        ("postgres:17.7", None),
        ("built:here", None),
        ("absent:1", None),
    ],
)
def test_digest_of(name: str, digest: str | None) -> None:
    assert images.digest_of(name, images.digests(INSPECTED)) == digest


def test_nothing_inspected() -> None:
    assert images.digests("") == {}


def test_present_images() -> None:
    assert images.present(["postgres:17.6", "built:here", "absent:1"], INSPECTED) == {"postgres:17.6": A}


def test_returned_values_and_diff() -> None:
    goal = images.Goal(["a:1", "b:1"], {"a:1": A})
    before = images.State({"a:1": A})
    after = images.predict(before, images.plan(before, goal), goal)
    assert images.show(after, goal) == {"digests": {"a:1": A}, "pinned": {"a:1": f"a:1@{A}", "b:1": "b:1"}}
    assert images.diff(before, after) == {"before": f"a:1@{A}\n", "after": f"a:1@{A}\nb:1@(known after the pull)\n"}


def test_state_from_the_output_of_the_probe() -> None:
    pull = Images(images.Goal(["postgres:17.6", "absent:1"]), ["/opt/tars"], 1024)
    assert pull.parse(0, f"  2000 /\n\x1e{INSPECTED}") == images.State({"postgres:17.6": A})
    assert "found 12 MiB on /, expected 1024 MiB free" in pull.parse(0, f"  12 /\n\x1e{INSPECTED}").full


def test_an_image_without_a_record_is_pulled_once() -> None:
    """Its record is written by the controller after the run; the digest that the pull brings counts."""
    inspected = iter(["", *(json.dumps({"tags": ["a:1"], "digests": [f"a@{digest}"]}) for digest in (B, A))])
    commands = []

    def run(command: list[str]) -> tuple[int, str, str]:
        commands.append(command[0])
        if command[0] == "sh":
            return 0, f"\x1e{next(inspected)}", ""
        return 0, "ActiveState=inactive\n", ""

    next(inspected)
    outcome = converge(Images(images.Goal(["a:1"]), run=run).resource(), False)
    assert outcome.result()["digests"] == {"a:1": A} and outcome.result()["changes"] == ["pull a:1"]
    assert commands.count("systemd-run") == 1


def test_units_are_valid_names_for_systemd() -> None:
    assert images.unit("host:5000/a/b:1.2-slim") == "tars-pull-host-5000-a-b-1.2-slim"


PULL = """1.5.9: Pulling from chromadb/chroma
1111aaaa2222: Pulling fs layer
3333bbbb4444: Already exists
5555cccc6666: Pulling fs layer
1111aaaa2222: Verifying Checksum
1111aaaa2222: Download complete
1111aaaa2222: Pull complete""".splitlines()


def test_progress() -> None:
    assert images.progress("c:1", PULL) == "pulling c:1: 2 of 3 layers"
    assert images.progress("c:1", []) == "pulling c:1"
