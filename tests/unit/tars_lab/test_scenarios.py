# SPDX-License-Identifier: GPL-3.0-or-later
"""The machines that the platforms of a Molecule scenario describe."""

import pytest

from tars_lab import layout, scenarios
from tars_lab.commands import LabError
from tars_lab.layout import Machine


def test_platforms_are_machines_of_a_separate_lab() -> None:
    lab = scenarios.lab(
        [
            {"name": "bookworm", "suite": "bookworm", "address": "10.78.0.12", "dhcp_address": "10.78.0.112"},
            {"name": "nas", "kind": "ds1515plus", "address": "10.78.0.20"},
        ]
    )
    six = "fd77:7a52:0:78::"
    assert lab.machines == (
        Machine("bookworm", "xps8950", "10.78.0.12", f"{six}12", dhcp_address="10.78.0.112", suite="bookworm"),
        Machine("nas", "ds1515plus", "10.78.0.20", f"{six}20", dsm_account="tars-admin", volumes=("/volume1",)),
    )
    assert lab.registry_address == ("10.78.0.1", 5000)
    other = layout.load(scenarios._PROJECT / "inventories/lab")
    assert not {lab.state, lab.bridge, lab.network, lab.prefix6} & {
        other.state,
        other.bridge,
        other.network,
        other.prefix6,
    }


def test_images_are_served_only_to_scenarios_that_need_them() -> None:
    machine = {"name": "trixie", "address": "10.78.0.13"}
    assert scenarios.lab([machine]).images == {}
    assert "ollama" in scenarios.lab([machine | {"images": True}]).images


@pytest.mark.parametrize("text", ["{", "1", "{}", "[1]", '[{"name": "a"}]'])
def test_invalid_platforms_are_rejected(text: str) -> None:
    with pytest.raises(LabError, match="PLATFORMS: "):
        scenarios.parse(text)
