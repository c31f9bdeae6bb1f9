# SPDX-License-Identifier: GPL-3.0-or-later
"""The router's settings, and the drop-in by which one computer asks the desktop for the zone."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tars_provision import next_step
from tars_provision.assistant import client
from tars_provision.cli import main
from tars_provision.controller import router
from tars_provision.errors import ProvisionError
from tars_provision.spec.load import load
from tars_provision.spec.model import Site


@pytest.fixture
def site(root: Path) -> Site:
    return load(root / "inventories/lab/tars.yml")


def test_the_advice_names_server_zone_and_addresses(site: Site) -> None:
    advice = "\n".join(router.advice(site, {"10.77.0.20": "02:00:5e:00:00:14"}))
    assert "hand out 10.77.0.10 as the DNS server by DHCP, or forward home.arpa to it" in advice
    assert "reserve 10.77.0.10 for xps8950, 10.77.0.20 for ds1515plus (02:00:5e:00:00:14)" in advice
    assert "DNS" not in "\n".join(router.advice(site.model_copy(update={"names": None})))


def test_names_are_those_of_the_certificates(site: Site) -> None:
    assert site.names_of("xps8950") == ["tars.home.arpa", "llm.home.arpa", "xps8950.home.arpa"]
    assert site.names_of("ds1515plus") == ["nas.home.arpa", "ds1515plus.home.arpa"]
    assert site.names_of("client") == ["client.home.arpa"]


def test_a_computer_without_systemd_resolved_gets_the_alternatives(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router, "RESOLVED", tmp_path / "missing")
    with pytest.raises(ProvisionError, match=r"server=/home\.arpa/10\.77\.0\.10.*/etc/resolver/home\.arpa"):
        router.use_desktop(site)


def test_an_identical_drop_in_is_left_alone(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router, "RESOLVED", tmp_path)
    monkeypatch.setattr(router, "DROP_IN", tmp_path / "tars-names.conf")
    router.DROP_IN.write_text(router.drop_in(site))
    assert not router.use_desktop(site)
    assert router.drop_in(site).splitlines()[1:] == ["[Resolve]", "DNS=10.77.0.10", "Domains=~home.arpa"]


def test_the_command_prints_the_settings(root: Path) -> None:
    arguments = ["names", "show", "-i", str(root / "inventories/lab")]
    done = CliRunner().invoke(main, [*arguments, "--json"])
    assert done.exit_code == 0 and json.loads(done.output)["name"] == "tars.home.arpa", done.output


def test_the_next_step_names_the_site(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router, "resolves", lambda site: False)
    folder = root / "inventories/lab"
    done = CliRunner().invoke(main, ["names", "show", "-i", str(folder)])
    assert next_step.command("names", "use", "-i", folder) in done.output
    error = client.unreachable(client.endpoint(load(folder / "tars.yml"), folder), OSError("refused"))
    assert next_step.command("verify", "-i", folder) in str(error)
