# SPDX-License-Identifier: GPL-3.0-or-later
"""The project as its users install it: the built wheel in a new virtual environment, the built collection beside it.

The dependencies are those of requirements.lock, from the package index that pip is configured for; uv has them in
its cache, because `./tars` installed the same ones.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ...conftest import BIN, ROOT

COLLECTION = ROOT / "collections/ansible_collections/tars/home"
SETTINGS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "trusted-host": "UV_INSECURE_HOST",
    "proxy": "HTTPS_PROXY",
}
"""Settings of pip, and the variables by which uv takes the same ones."""


@dataclass(frozen=True)
class Installation:
    """An installed project: its programs, the home of its user, and an empty folder to start in."""

    programs: Path
    home: Path
    folder: Path

    def run(
        self, *command: str, check: bool = True, folder: Path | None = None, timeout_s: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run one of the installed programs in the empty folder; nothing on its path leads to the checkout."""
        environment = {
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "PATH": f"{self.programs}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        }
        done = subprocess.run(
            [str(self.programs / command[0]), *command[1:]],
            cwd=folder or self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done


def uv_environment() -> dict[str, str]:
    """Return this environment with pip's settings as uv reads them."""
    listed = subprocess.run([BIN / "pip", "config", "list"], check=True, capture_output=True, text=True).stdout
    settings = {key: value.replace("\\n", " ") for key, value in re.findall(r"^[^=]*\.([\w-]+)='(.*)'$", listed, re.M)}
    chosen = {variable: settings[key] for key, variable in SETTINGS.items() if key in settings}
    return {**os.environ, **chosen, "UV_INDEX_STRATEGY": "unsafe-best-match"}


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the archive of the collection."""
    output = tmp_path_factory.mktemp("packages")
    for command in (
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(output)],
        [str(BIN / "ansible-galaxy"), "collection", "build", str(COLLECTION), "--output-path", str(output)],
    ):
        built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert built.returncode == 0, f"{command}\n{built.stdout}\n{built.stderr}"
    (wheel,), (archive,) = output.glob("*.whl"), output.glob("*.tar.gz")
    return wheel, archive


@pytest.fixture(scope="session")
def without_collection(packages: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The wheel in a virtual environment of its own, without the collection."""
    where = tmp_path_factory.mktemp("installed")
    environment = {**uv_environment(), "VIRTUAL_ENV": str(where / "venv")}
    for arguments in (
        ["venv", "--quiet", "--python", sys.executable, str(where / "venv")],
        ["pip", "install", "--quiet", "--no-deps", "--require-hashes", "--requirement", "requirements.lock"],
        ["pip", "install", "--quiet", "--no-deps", str(packages[0])],
    ):
        done = subprocess.run([BIN / "uv", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"uv {arguments[:2]}\n{done.stdout}\n{done.stderr}"
    for name in ("home", "empty"):
        (where / name).mkdir()
    return Installation(where / "venv/bin", where / "home", where / "empty")


@pytest.fixture(scope="session")
def installed(without_collection: Installation, packages: tuple[Path, Path]) -> Installation:
    """The wheel and the collection, as a user installs them."""
    without_collection.run("ansible-galaxy", "collection", "install", "--offline", str(packages[1]))
    return without_collection
