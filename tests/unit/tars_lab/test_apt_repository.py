# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories of stand-ins, verified by this computer's apt with separate state folders."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tars_lab.apt_repository import Package, repository, served

Apt = Callable[..., subprocess.CompletedProcess[str]]

TOOL = Package(
    "tool", "2:1.5-1", {"usr/bin/tool": "#!/bin/sh\necho 1.5\n"}, {"Depends": "tool-data", "Conflicts": "old"}
)
DATA = Package("tool-data", "1.5", {"usr/share/tool/data": "data\n"}, scripts={"postinst": "#!/bin/sh\ntrue\n"})


@pytest.fixture
def apt(tmp_path: Path) -> Apt:
    """Return a function that runs apt-get with its own state and a given source list."""
    for folder in ("state/lists/partial", "cache/archives/partial", "etc"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "status").touch()
    settings = {
        "Dir::State": tmp_path / "state",
        "Dir::State::status": tmp_path / "status",
        "Dir::Cache": tmp_path / "cache",
        "Dir::Etc::sourcelist": tmp_path / "etc/sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Acquire::http::Proxy::127.0.0.1": "DIRECT",
        "APT::Sandbox::User": "root",
        "APT::Architecture": "amd64",
        "APT::Architectures": "amd64",
    }
    options = [f"--option={key}={value}" for key, value in settings.items()]

    def apt_get(*arguments: str, source: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "etc/sources.list").write_text(source)
        return subprocess.run(
            ["apt-get", *options, *arguments],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            capture_output=True,
            text=True,
        )

    return apt_get


@pytest.mark.parametrize(("suite", "place"), [("trixie", "trixie stable"), ("", "/")])
def test_apt_verifies_and_installs_packages_of_a_repository(tmp_path: Path, apt: Apt, suite: str, place: str) -> None:
    top = repository(tmp_path / "top", [TOOL, DATA], suite=suite)
    with served(top, "127.0.0.1") as url:
        source = f"deb [signed-by={top / 'gpg'}] {url} {place}\n"
        updated = apt("update", "--error-on=any", source=source)
        assert updated.returncode == 0, updated.stdout + updated.stderr
        planned = apt("install", "--simulate", "tool", source=source).stdout
        assert "Inst tool (2:1.5-1" in planned and "Inst tool-data (1.5" in planned, planned
        fetched = apt("download", "tool", source=source)
        assert fetched.returncode == 0, fetched.stderr
    listed = subprocess.run(["dpkg-deb", "--contents", *tmp_path.glob("tool_*.deb")], capture_output=True, text=True)
    assert "-rwxr-xr-x root/root" in next(line for line in listed.stdout.splitlines() if line.endswith("usr/bin/tool"))


def test_apt_rejects_a_changed_and_an_unsigned_index(tmp_path: Path, apt: Apt) -> None:
    top = repository(tmp_path / "top", [DATA], suite="trixie")
    with served(top, "127.0.0.1") as url:
        source = f"deb [signed-by={top / 'gpg'}] {url} trixie stable\n"
        index = top / "dists/trixie/stable/binary-amd64/Packages"
        index.write_text(index.read_text().replace("1.5", "6.6"))
        assert apt("update", "--error-on=any", source=source).returncode != 0
    bare = repository(tmp_path / "bare", [DATA], key="")
    with served(bare, "127.0.0.1") as url:
        assert "is not signed" in apt("update", source=f"deb {url} /\n").stderr


def test_a_rebuilt_repository_keeps_its_key_and_drops_removed_packages(tmp_path: Path, apt: Apt) -> None:
    top = repository(tmp_path / "top", [TOOL, DATA])
    key = (top / "gpg").read_text()
    repository(top, [DATA])
    with served(top, "127.0.0.1") as url:
        source = f"deb [signed-by={top / 'gpg'}] {url} /\n"
        assert (top / "gpg").read_text() == key and apt("update", "--error-on=any", source=source).returncode == 0
        assert apt("install", "--simulate", "tool", source=source).returncode != 0
