# SPDX-License-Identifier: GPL-3.0-or-later
"""apt's sources as files; what apt reads in them is compared where apt is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.tars.home.plugins.module_utils.system import apt_sources
from ansible_collections.tars.home.plugins.module_utils.system.apt_sources import Source

LINES = """\
# deb http://comment.example/debian trixie main
deb http://deb.example/debian trixie main contrib # both
deb [ arch=amd64 signed-by=/usr/share/keyrings/a.gpg ] https://a.example/debian/ trixie stable
  deb [Signed-By=/k.asc arch=amd64,arm64] https://b.example/flat /
deb-src http://src.example/debian trixie main
deb cdrom:[Debian 13]/ trixie main
"""
STANZAS = """\
Types: deb deb-src
URIs: http://a.example/debian https://b.example/debian
# inside a stanza
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/a.gpg

Enabled: no
Types: deb
URIs: http://off.example
Suites: /


types: deb
uris: https://c.example/
suites: ./
signed-by:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBFit
"""


def test_one_line_entries() -> None:
    assert apt_sources.parse("x.list", LINES) == [
        Source("x.list:2", "http://deb.example/debian", "trixie", ("main", "contrib")),
        Source("x.list:3", "https://a.example/debian/", "trixie", ("stable",), "/usr/share/keyrings/a.gpg"),
        Source("x.list:4", "https://b.example/flat", "/", (), "/k.asc"),
    ]


def test_deb822_entries() -> None:
    key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n.\nmQINBFit"
    stanza = [
        Source("x.sources:1", uri, suite, ("main",), "/usr/share/keyrings/a.gpg")
        for uri in ("http://a.example/debian", "https://b.example/debian")
        for suite in ("trixie", "trixie-updates")
    ]
    assert apt_sources.parse("x.sources", STANZAS) == [
        *stanza,
        Source("x.sources:3", "https://c.example/", "./", (), key),
    ]


def test_keyrings_of_entries() -> None:
    sources = apt_sources.parse("x.list", LINES) + apt_sources.parse("x.sources", STANZAS)
    assert apt_sources.key_files(sources) == ["/usr/share/keyrings/a.gpg", "/k.asc"]


@pytest.mark.parametrize(
    "uri",
    [
        "https://download.docker.com/linux/debian",
        "http://download.docker.com/linux/debian/",
        "https://Download.Docker.com:443/linux/debian",
        "https://me:secret@download.docker.com/linux/debian",
    ],
)
def test_addresses_of_one_place(uri: str) -> None:
    assert apt_sources.place(uri) == "download.docker.com/linux/debian"


@pytest.mark.skipif(not shutil.which("apt-get"), reason="there is no apt-get on this computer to compare with")
@pytest.mark.parametrize(
    ("name", "text"), [("x.list", re.sub("(?m)^(deb-src|deb cdrom).*$", "", LINES)), ("x.sources", STANZAS)]
)
def test_apt_reads_the_same(name: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(text.replace("signed-by:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBFit\n", ""))
    options = [f"--option=Dir::Etc::sourcelist={file}", "--option=Dir::Etc::sourceparts=-"]
    listed = subprocess.run(["apt-get", *options, "update", "--print-uris"], capture_output=True, text=True, check=True)
    places = {line.split("'")[1].rpartition("/")[0] for line in listed.stdout.splitlines() if "InRelease" in line}
    sources = apt_sources.parse(str(file), file.read_text())
    assert places == {
        f"{source.uri.rstrip('/')}/dists/{source.suite}"
        if source.components
        else f"{source.uri.rstrip('/')}/{source.suite}".rstrip("/")
        for source in sources
    }


def apt_get(folder: Path, answer: str) -> dict[str, str]:
    """Put an apt-get into PATH that runs the script `answer`."""
    program = folder / "apt-get"
    program.write_text(f"#!/bin/sh\n{answer}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("exit 0", True),
        ('case "$*" in *update) echo NO_PUBKEY >&2; exit 100;; esac', False),
        ('case "$*" in indextargets) echo Conflicting values set for option Signed-By >&2; exit 100;; esac', False),
    ],
    ids=["accepted", "refused by itself", "conflicts with another entry"],
)
def test_an_entry_that_apt_refuses_is_taken_back(answer: str, kept: bool, tmp_path: Path) -> None:
    own, key = tmp_path / "own.sources", tmp_path / "own.asc"
    own.write_text("Types: deb\n")
    key.write_text("key\n")
    command = apt_sources.checked_command(str(own), [str(key)], ["echo", "installed"])
    done = subprocess.run(command, env=apt_get(tmp_path, answer), capture_output=True, text=True, check=False)
    assert (done.returncode == 0, own.exists(), key.exists()) == (kept, kept, kept)
    assert done.stdout == "installed\n" if kept else f"apt refuses {own}, which is removed again" in done.stdout
