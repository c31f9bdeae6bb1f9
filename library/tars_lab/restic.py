# SPDX-License-Identifier: GPL-3.0-or-later
"""The restic and the rest-server of Debian 13, for tests that need no lab.

restic is the same program as in the image that `images/restic` builds. It needs libc 2.34, so it also runs on
Debian 12.
"""

import tempfile
from pathlib import Path

from tars_lab import host
from tars_lab.commands import LabError, run
from tars_lab.layout import CACHE, SUITE

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def binary(cache: Path = CACHE) -> Path:
    """Return the path of restic 0.18 or newer in the cache; download Debian's package if it is not there.

    Raises LabError.
    """
    return _program("restic", cache)


def server(cache: Path = CACHE) -> Path:
    """Return the path of the program rest-server, which stores repositories over HTTP, as binary() does."""
    return _program("restic-rest-server", cache)


def _program(package: str, cache: Path) -> Path:
    """Return the path of a program in the cache; download the package of the same name if it is not there.

    apt runs with the host's own settings for proxy and credentials, and with lists and packages in a temporary folder,
    so that the host's package lists stay as they are. Raises LabError.
    """
    program = cache / "restic" / SUITE / package
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        mirror = host.debian_mirror()
        if mirror is None:
            raise LabError(
                f"{program}: not found, and this host uses no Debian mirror to download it from; put the program "
                f"{package} of Debian 13 or newer there"
            )
        with tempfile.TemporaryDirectory(dir=program.parent) as folder:
            _download(mirror, Path(folder), package)
            (Path(folder) / "tree/usr/bin" / package).rename(program)
    return program


def _download(mirror: str, folder: Path, package: str) -> None:
    """Download and unpack a package to `folder`/tree."""
    for name in ("lists/partial", "archives/partial", "tree"):
        (folder / name).mkdir(parents=True)
    sources = folder / "sources.list"
    sources.write_text(f"deb [signed-by={_KEYRING}] {mirror} {SUITE} main\n")
    options = [
        f"Dir::Etc::sourcelist={sources}",
        "Dir::Etc::sourceparts=-",
        f"Dir::State::lists={folder}/lists",
        f"Dir::Cache={folder}",
        f"Dir::Cache::archives={folder}/archives",
        "APT::Sandbox::User=",
        "Acquire::Languages=none",
    ]
    apt = ["apt-get", "-qq", *(word for option in options for word in ("-o", option))]
    run([*apt, "update"], what=f"reading Debian's package lists for {package}")
    run(
        ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", folder, *apt, "download", package],
        what=f"downloading {package}",
    )
    run(["dpkg-deb", "--extract", *folder.glob(f"{package}_*.deb"), folder / "tree"])
