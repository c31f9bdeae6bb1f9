# SPDX-License-Identifier: GPL-3.0-or-later
"""The spec: what is accepted, how mistakes are reported, and what is generated from the models."""

import copy
import itertools
import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tars_provision.spec import reference
from tars_provision.spec.load import SpecError, load
from tars_provision.spec.model import PATTERNS

SPECS = sorted((Path(__file__).parent / "specs").glob("*.yml"))
LAB = Path(__file__).parents[4] / "inventories/lab/tars.yml"


def expected(path: Path) -> list[str]:
    """Return the report that a spec's own comments ask for, each on its line: `#! field: found …; expected …`."""
    lines = enumerate(path.read_text().splitlines(), 1)
    marked = [(number, mark) for number, line in lines for mark in re.split(r"(?:^|\s)#! ", line)[1:]]
    return sorted(f"{path}:{number}: {mark}" for number, mark in marked)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_all_mistakes_are_reported_at_once_with_their_lines(path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load(path)
    assert sorted(map(str, caught.value.mistakes)) == expected(path)
    assert str(caught.value).count("\n") == len(expected(path))


def test_a_missing_file_is_a_mistake_with_a_next_step(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no such file; expected a spec; `.*tars init -i "):
        load(tmp_path / "tars.yml")


EXPANDING = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{previous}'] * 9)}]\n" for previous, name in itertools.pairwise("abcdefghi")
)
"""A billion values in eight lines."""


@pytest.mark.parametrize(
    ("content", "report"),
    [
        (b"domain: home.arpa\nplugin: \xff\n", ":2: file: found the byte 0xff; expected text in UTF-8"),
        (b"domain: x\nplugin: \x00", ":2: file: found the control character U\\+0000; expected printable text"),
        (b"[" * 5000, "found too many levels of nesting; expected at most 50"),
        (b"[" * 60 + b"]" * 60, "found an alias inside itself, or too deep nesting; expected at most 50 levels"),
        (b"#" * 1_000_001, "found 1000001 bytes; expected at most 1000000"),
        (EXPANDING.encode(), "found more than 20000 values after aliases are expanded; expected fewer"),
        (b"a: 1\n---\nb: 2\n", "expected YAML"),
        (b"a: *b\n", ":1: file: found undefined alias 'b'; expected YAML"),
        (b"%YAML 9.9\n---\na", "expected YAML"),
    ],
    ids=["encoding", "control", "open", "deep", "large", "expanding", "two documents", "alias", "version"],
)
def test_an_unusable_file_is_one_mistake(tmp_path: Path, content: bytes, report: str) -> None:
    path = tmp_path / "tars.yml"
    path.write_bytes(content)
    with pytest.raises(SpecError, match=report) as caught:
        load(path)
    assert len(caught.value.mistakes) == 1


def test_a_folder_or_a_pipe_in_place_of_the_spec_is_one_mistake(tmp_path: Path) -> None:
    path = tmp_path / "tars.yml"
    path.mkdir()
    with pytest.raises(SpecError, match="found a folder; expected a spec"):
        load(path)
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(SpecError, match="found no regular file; expected a spec"):
        load(path)


def test_patterns_match_to_the_very_end(root: Path) -> None:
    assert not [pattern for pattern in PATTERNS if not pattern.endswith(r"\Z") or "$" in pattern.replace(r"\$", "")]
    assert r"\Z" not in reference.schema(), "JSON Schema has no such escape"


@pytest.mark.parametrize("name", ["home", "lab"])
def test_the_specs_of_the_project_have_no_mistakes(name: str, root: Path) -> None:
    site = load(root / "inventories" / name / "tars.yml")
    assert (site.desktop, site.nas) == ("xps8950", "ds1515plus")


def test_committed_schema_and_reference_are_what_the_models_generate(root: Path) -> None:
    stale = "is stale: tars-provision spec {} > {}"
    assert (root / "docs/tars.schema.json").read_text() == reference.schema(), stale.format(
        "schema", "docs/tars.schema.json"
    )
    assert (root / "docs/spec.md").read_text() == reference.reference(), stale.format("reference", "docs/spec.md")


def test_the_schema_accepts_and_rejects_like_the_models(root: Path) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(reference.schema()))
    spec = YAML(typ="safe").load(LAB)
    assert list(validator.iter_errors(spec)) == []
    spec["hosts"]["xps8950"]["adress"] = "10.77.0.10"
    assert [list(error.path) for error in validator.iter_errors(spec)] == [["hosts", "xps8950"]]


def places(data: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where something stands in nested data."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else []
    return [place, *(inner for key, value in items for inner in places(value, (*place, key)))]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("10.77.0.20"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
GOOD = YAML(typ="safe").load(LAB)


@settings(max_examples=60, deadline=None)
@given(place=st.sampled_from(places(GOOD)[1:]), value=VALUES, key=st.none() | st.text(max_size=8))
def test_any_change_gives_a_site_or_a_report(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[Any, ...], value: Any, key: str | None
) -> None:
    data = copy.deepcopy(GOOD)
    target = data
    for step in place[:-1]:
        target = target[step]
    target[place[-1] if key is None or isinstance(target, list) else key] = value
    path = tmp_path_factory.getbasetemp() / "tars.yml"
    path.write_text(json.dumps(data, indent=1))
    try:
        load(path)
    except SpecError as error:
        lines = len(path.read_text().splitlines())
        assert error.mistakes and all(1 <= mistake.line <= lines for mistake in error.mistakes)


@pytest.mark.parametrize(
    ("mount", "reason"),
    [
        ("/srv/tars/documents/backup", "which overlaps the folder /srv/tars/documents of documents"),
        ("/srv/tars", "which overlaps the folder /srv/tars/documents of documents"),
        ("/opt/tars/backup", "where a mount would hide a folder of the system (/opt/tars)"),
    ],
)
def test_backups_are_not_mounted_where_documents_are_read_or_files_hidden(
    tmp_path: Path, mount: str, reason: str
) -> None:
    spec = tmp_path / "tars.yml"
    spec.write_text(LAB.read_text().replace("  account: tars-backup\n", f"  account: tars-backup\n  mount: {mount}\n"))
    with pytest.raises(SpecError) as caught:
        load(spec)
    assert [mistake.found for mistake in caught.value.mistakes] == [f"{mount}, {reason}"]
