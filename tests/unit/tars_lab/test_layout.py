# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the lab from a spec, and recording it."""

import re
from pathlib import Path

import pytest

from tars_lab import layout
from tars_lab.commands import LabError


def test_the_labs_own_inventory_has_three_machines_on_its_network(root: Path) -> None:
    lab = layout.load(root / "inventories/lab")
    assert [(m.name, m.kind, m.address, m.address6) for m in lab.machines] == [
        ("xps8950", "xps8950", "10.77.0.10", "fd77:7a52::10"),
        ("ds1515plus", "ds1515plus", "10.77.0.20", "fd77:7a52::20"),
        ("client", "client", "10.77.0.30", "fd77:7a52::30"),
    ]
    assert lab.registry_address == ("10.77.0.1", 5000)
    assert {"postgres", "redis", "caddy", "chroma", "ollama", "python"} <= set(lab.images)
    assert lab.machine("ds1515plus").volumes == ("/volume1",)
    assert [machine.dhcp_address for machine in lab.machines] == ["10.77.0.110", "10.77.0.120", ""]
    assert lab.mac("ds1515plus") == "02:00:5e:00:00:14"


def test_a_recorded_lab_is_read_back_unchanged(root: Path, tmp_path: Path) -> None:
    lab = layout.load(root / "inventories/lab", state=tmp_path)
    lab.record()
    assert layout.recorded(tmp_path) == lab


def test_a_missing_record_is_reported_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"lab: not running .* start it with `\S*tars lab up`"):
        layout.recorded(tmp_path)


@pytest.mark.parametrize("record", ['{"inventory": 1}', "[]", "{", '{"machines": [1]}'])
def test_a_damaged_record_is_reported_with_the_next_step(tmp_path: Path, record: str) -> None:
    (tmp_path / "lab.json").write_text(record)
    with pytest.raises(LabError, match=r"damaged .* run `\S*tars lab down`, then `\S*tars lab up`"):
        layout.recorded(tmp_path)


def test_an_unknown_machine_is_reported_with_the_known_ones(root: Path) -> None:
    with pytest.raises(LabError, match="xps8950, ds1515plus, client"):
        layout.load(root / "inventories/lab").machine("printer")


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("network: {cidr: 10.77.0.0/24}", "network"),
        ("{}", "network"),
        ("[]", "network"),
        ("text", "network"),
        ("{a: [", "invalid YAML"),
        ("a: !!int five", "expected network"),
    ],
)
def test_a_spec_without_a_lab_is_rejected(tmp_path: Path, broken: str, message: str) -> None:
    (tmp_path / "tars.yml").write_text(broken)
    with pytest.raises(LabError, match=message):
        layout.load(tmp_path)


@pytest.mark.parametrize("mirrors", ['["http://192.0.2.9:5000"]', "http://10.77.0.1:5000", "[]", "[5]"])
def test_a_mirror_that_is_not_on_the_bridge_is_rejected(root: Path, tmp_path: Path, mirrors: str) -> None:
    text = (root / "inventories/lab/tars.yml").read_text()
    (tmp_path / "tars.yml").write_text(re.sub(r"registry_mirrors:.*", f"registry_mirrors: {mirrors}", text))
    with pytest.raises(LabError, match="registry_mirrors: found"):
        layout.load(tmp_path)


def test_a_missing_spec_is_reported_with_the_labs_own_inventory(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="inventories/lab"):
        layout.load(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(LabError, match="Not a directory"):
        layout.load(tmp_path / "file")
