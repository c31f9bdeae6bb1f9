# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection checked by Ansible's own tools: ansible-test sanity and ansible-doc."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
COLLECTION = ROOT / "collections/ansible_collections/tars/home"
NEWEST = f"{sys.version_info.major}.{sys.version_info.minor}"
TARGETS = "3.9"
"""The oldest Python that modules support on a managed machine; the same as in tests/config.yml."""

# Other checkers cover the rest: ruff (pep8, pylint), ansible-lint (yamllint, runtime-metadata), and ansible-doc below.
EVERYWHERE = ["compile", "import"]
ONCE = [
    "action-plugin-docs",
    "empty-init",
    "ignores",
    "line-endings",
    "no-assert",
    "no-get-exception",
    "no-illegal-filenames",
    "no-smart-quotes",
    "replace-urlopen",
    "shebang",
    "symlinks",
    "use-argspec-type-path",
    "use-compat-six",
    "validate-modules",
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a copy of the collection in the folder structure that ansible-test requires."""
    place = tmp_path_factory.mktemp("sanity") / "ansible_collections/tars/home"
    shutil.copytree(COLLECTION, place, ignore=shutil.ignore_patterns("__pycache__", "output"))
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def home() -> Path:
    """Return a home folder in which ansible-test keeps its virtual environments from run to run.

    ansible-test would download a program that installs pip; a file with its name prevents that. It also removes the
    environment variables, so pip's settings are written to a file.
    """
    home = ROOT / ".ansible/sanity"
    pip = home / ".ansible/test/cache/get_pip_24_2.py"
    pip.parent.mkdir(parents=True, exist_ok=True)
    pip.write_text("import ensurepip\n\nensurepip.bootstrap()\n")
    listing = subprocess.run([BIN / "pip", "config", "list"], check=True, capture_output=True, text=True).stdout
    settings = configparser.ConfigParser(interpolation=None)
    settings["global"] = dict(re.findall(r"^[^=]*\.([\w-]+)='(.*)'$", listing.replace("\\n", " "), re.MULTILINE))
    (home / ".config/pip").mkdir(parents=True, exist_ok=True)
    with (home / ".config/pip/pip.conf").open("w") as file:
        settings.write(file)
    return home


def interpreter(version: str) -> Path | None:
    """Return a working Python of this version, or None; a name in PATH may be a shim for one that is not installed."""
    on_path = (Path(folder) / f"python{version}" for folder in os.environ["PATH"].split(os.pathsep))
    for python in [*on_path, *Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}")]:
        if python.exists() and not subprocess.run([python, "-c", "import ensurepip"], capture_output=True).returncode:
            return python
    return None


@pytest.mark.parametrize(("python", "tests"), [(NEWEST, EVERYWHERE + ONCE), (TARGETS, EVERYWHERE)])
def test_ansible_test_sanity(tree: Path, home: Path, python: str, tests: list[str]) -> None:
    program = interpreter(python)
    if program is None:
        pytest.skip(
            f"no Python {python} on this computer, the oldest that modules support; install it to run this test"
        )
    options = [option for test in tests for option in ("--test", test)]
    result = subprocess.run(
        [BIN / "ansible-test", "sanity", "--color", "no", "--python", python, *options],
        cwd=tree,
        env={"PATH": f"{BIN}:{program.parent}:/usr/bin:/bin", "HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, f"ansible-test failed:\n{result.stdout}\n{result.stderr}"
    assert not (set(tests) - set(re.findall(r'Running sanity test "([\w-]+)"', result.stdout + result.stderr)))


def documented(kind: str, *names: str) -> dict[str, dict[str, object]]:
    """Return what ansible-doc shows of these plugins, by their names."""
    shown = subprocess.run(
        [BIN / "ansible-doc", "-t", kind, "-j", *names],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
    )
    assert shown.returncode == 0 and not shown.stderr, shown.stderr
    documentation: dict[str, dict[str, object]] = json.loads(shown.stdout)
    return documentation


@pytest.mark.parametrize(("kind", "folder"), [("module", "modules"), ("inventory", "inventory"), ("lookup", "lookup")])
def test_ansible_doc_shows_every_plugin(kind: str, folder: str) -> None:
    names = sorted(f"tars.home.{path.stem}" for path in (COLLECTION / "plugins" / folder).glob("[!_]*.py"))
    shown = documented(kind, *names)
    assert sorted(shown) == names
    for name, parts in shown.items():
        assert {"doc", "examples"} <= {key for key, value in parts.items() if value}, f"{name} lacks documentation"


def test_ansible_doc_shows_every_role() -> None:
    ours = [*COLLECTION.glob("roles/*"), *ROOT.glob("roles/*")]
    names = {f"tars.home.{path.name}" if path.is_relative_to(COLLECTION) else path.name: path for path in ours}
    shown = documented("role", *sorted(names))
    assert sorted(shown) == sorted(names), "a role without meta/argument_specs.yml is not shown"
    for name, path in names.items():
        entries = yaml.safe_load((path / "meta/argument_specs.yml").read_text())["argument_specs"]
        points = shown[name]["entry_points"]
        assert isinstance(points, dict) and "main" in points and set(points) == set(entries), name
        assert all(point.get("short_description") for point in points.values()), f"{name} lacks a short description"
