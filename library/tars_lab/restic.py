# SPDX-License-Identifier: GPL-3.0-or-later
"""The restic of Debian 13, which the lab's backups use, for tests that need no lab.

It is the same program as in the image that `images/restic` builds. It needs libc 2.34, so it also runs on Debian 12.
"""

import tempfile
from pathlib import Path

from tars_lab import host
from tars_lab.commands import LabError, run
from tars_lab.layout import CACHE, SUITE

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def binary(cache: Path = CACHE) -> Path:
    """Return the path of restic 0.18 or newer in the cache; download Debian's package if it is not there.

    apt runs with the host's own settings for proxy and credentials, and with lists and packages in a temporary folder,
    so that the host's package lists stay as they are. Raises LabError.
    """
    program = cache / "restic" / SUITE / "restic"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        mirror = host.debian_mirror()
        if mirror is None:
            raise LabError(
                f"{program}: not found, and this host uses no Debian mirror to download it from; put a restic program "
                "of version 0.18 or newer there"
            )
        with tempfile.TemporaryDirectory(dir=program.parent) as folder:
            _download(mirror, Path(folder)).rename(program)
    return program


def _download(mirror: str, folder: Path) -> Path:
    """Download and unpack the package below `folder`; return the path of the program."""
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
    run([*apt, "update"], what="reading Debian's package lists for restic")
    run(
        ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", folder, *apt, "download", "restic"],
        what="downloading restic",
    )
    run(["dpkg-deb", "--extract", *folder.glob("restic_*.deb"), folder / "tree"])
    return folder / "tree/usr/bin/restic"
