# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from ansible_collections.tars.home.plugins.module_utils.docker import images

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
def test_repository(name, repository):
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
def test_digest_of(name, digest):
    assert images.digest_of(name, images.digests(INSPECTED)) == digest


def test_nothing_inspected():
    assert images.digests("") == {}


def test_those_that_are_here():
    assert images.present(["postgres:17.6", "built:here", "absent:1"], INSPECTED) == {"postgres:17.6": A}


@pytest.mark.parametrize(
    ("here", "recorded", "wanted"),
    [({"a:1": A}, {"a:1": A}, []), ({}, {"a:1": A}, ["a:1"]), ({"a:1": A}, {}, ["a:1"]), ({"a:1": B}, {"a:1": A}, [])],
    ids=["here and recorded", "away", "not recorded", "moved"],
)
def test_what_is_to_be_pulled(here, recorded, wanted):
    assert images.wanted(["a:1"], here, recorded) == wanted


def test_the_report():
    assert images.report(["a:1", "b:1"], {"a:1": A}, {"a:1": A}, {"a:1": A}) == {
        "changed": True,
        "digests": {"a:1": A},
        "pinned": {"a:1": f"a:1@{A}", "b:1": "b:1"},
        "diff": {"before": f"a:1@{A}\n", "after": f"a:1@{A}\nb:1@(met at the pull)\n"},
    }
    assert images.report(["a:1"], {"a:1": A}, {"a:1": A}, {"a:1": A})["changed"] is False


def test_a_moved_tag_is_told_with_both_digests():
    assert images.contradictions({"a:1": A, "b:1": B}, {"a:1": B, "b:1": B, "c:1": A}) == [
        f"a:1 is {B} now, recorded is {A}: its tag was moved."
    ]


def test_units_are_names_systemd_takes():
    assert images.unit("host:5000/a/b:1.2-slim") == "tars-pull-host-5000-a-b-1.2-slim"


PULL = """1.5.9: Pulling from chromadb/chroma
1111aaaa2222: Pulling fs layer
3333bbbb4444: Already exists
5555cccc6666: Pulling fs layer
1111aaaa2222: Verifying Checksum
1111aaaa2222: Download complete
1111aaaa2222: Pull complete""".splitlines()


def test_progress():
    assert images.progress("c:1", PULL) == "pulling c:1: 2 of 3 layers"
    assert images.progress("c:1", []) == "pulling c:1"
