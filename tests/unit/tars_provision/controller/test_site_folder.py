# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that `init` writes beside a spec, as from an installed package."""

from __future__ import annotations

import configparser
import json
from pathlib import Path

import pytest
import yaml

from tars_provision import __version__, project
from tars_provision.controller import site_folder
from tars_provision.spec.load import load


@pytest.fixture
def installed(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the library take itself for an installed one, and return the folder where collections are searched."""
    collections = tmp_path / "collections"
    monkeypatch.setattr(project, "INSTALLED", True)
    monkeypatch.setattr(project, "COLLECTION_PATHS", (tmp_path / "nothing", collections))
    monkeypatch.setattr(project, "LAB_SITE", tmp_path / "lab")
    return collections


def manifest(collections: Path, version: str) -> Path:
    folder = collections / "ansible_collections/tars/home"
    folder.mkdir(parents=True)
    (folder / "MANIFEST.json").write_text(json.dumps({"collection_info": {"version": version}}))
    return folder


def test_a_checkout_needs_no_files_of_its_own(tmp_path: Path) -> None:
    assert site_folder.write_ansible_files(tmp_path) == []
    assert site_folder.lab_site() == project.ROOT / "inventories/lab"


def test_the_configuration_names_collections_roles_and_inventory(installed: Path, tmp_path: Path, root: Path) -> None:
    site_folder.write_ansible_files(tmp_path / "site")
    settings = configparser.ConfigParser(interpolation=None)
    settings.read([tmp_path / "site/ansible.cfg"])
    project_settings = configparser.ConfigParser(interpolation=None)
    project_settings.read([root / "ansible.cfg"])
    expected = dict(project_settings["defaults"]) | {
        "collections_path": f"{tmp_path / 'nothing'}:{installed}",
        "roles_path": str(root / "roles"),
        "inventory": "tars.yml",
    }
    assert dict(settings["defaults"]) == expected
    assert settings.sections() == project_settings.sections()


def test_the_playbooks_run_those_of_the_package(installed: Path, tmp_path: Path, root: Path) -> None:
    site_folder.write_ansible_files(tmp_path / "site")
    for path in (root / "playbooks").iterdir():
        (play,) = yaml.safe_load((tmp_path / "site/playbooks" / path.name).read_text())
        assert play["ansible.builtin.import_playbook"] == str(path)


def test_files_are_replaced_unless_their_first_words_are_gone(installed: Path, tmp_path: Path) -> None:
    written = site_folder.write_ansible_files(tmp_path)
    assert len(written) == 7
    assert site_folder.write_ansible_files(tmp_path) == []
    (tmp_path / "ansible.cfg").write_text(f"{site_folder.MARK} 0.0.1\n[defaults]\n")
    (tmp_path / "playbooks/site.yml").write_bytes(b"- hosts: all  # caf\xe9\n")
    assert site_folder.write_ansible_files(tmp_path) == [tmp_path / "ansible.cfg"]
    assert (tmp_path / "playbooks/site.yml").read_bytes() == b"- hosts: all  # caf\xe9\n"


def test_the_sample_and_the_spec_of_the_lab_are_specs(installed: Path, tmp_path: Path) -> None:
    assert site_folder.write_sample(tmp_path / "home")
    assert not site_folder.write_sample(tmp_path / "home")
    for folder in (tmp_path / "home", site_folder.lab_site()):
        load(folder / "tars.yml")
        assert "docs/tars.schema.json" not in (folder / "tars.yml").read_text()


def test_the_collection_must_have_the_version_of_the_library(installed: Path) -> None:
    with pytest.raises(
        project.CollectionError, match=rf"found nothing in .* expected version {__version__}\..*install"
    ):
        project.collection()
    folder = manifest(installed, "9.9.9")
    with pytest.raises(project.CollectionError, match=rf"found version 9\.9\.9; expected version {__version__}"):
        project.collection()
    (folder / "MANIFEST.json").write_text("[]")
    with pytest.raises(project.CollectionError, match="found version unknown; expected"):
        project.collection()


def test_the_installed_collection_is_found(installed: Path) -> None:
    folder = manifest(installed, __version__)
    assert project.collection() == folder
