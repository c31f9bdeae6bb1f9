# SPDX-License-Identifier: GPL-3.0-or-later
"""A small signed apt repository over HTTP, for packages that the lab replaces by stand-ins.

dpkg-deb builds the packages, gpg signs the index, and apt on the machine verifies both. This module writes the
index, because Debian's own tool for it (apt-ftparchive) would be one more package on the host for twenty lines of text.
"""

import contextlib
import hashlib
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tars_lab.commands import run

ARCHITECTURE = "amd64"


@dataclass(frozen=True)
class Package:
    """A Debian package made of text files.

    `files` maps paths without the leading slash to their content; a file is executable if its content starts with `#!`.
    `fields` are further fields of the control file (Depends, Conflicts, …). `scripts` are the maintainer scripts that
    dpkg runs (postinst, …); their content starts with `#!` as well.
    """

    name: str
    version: str
    files: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    description: str = "stand-in of the T.A.R.S. lab, not the package of this name"
    architecture: str = "all"


def deb(package: Package, folder: Path) -> Path:
    """Build the package's .deb file in a folder and return its path. Raises LabError."""
    control = {
        "Package": package.name,
        "Version": package.version,
        "Architecture": package.architecture,
        "Maintainer": "T.A.R.S. lab <root@localhost>",
        **package.fields,
        "Description": package.description,
    }
    folder.mkdir(parents=True, exist_ok=True)
    version = package.version.partition(":")[2] or package.version
    target = folder / f"{package.name}_{version}_{package.architecture}.deb"
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name, "tree")
        _write(tree / "DEBIAN/control", "".join(f"{key}: {value}\n" for key, value in control.items()))
        for path, text in {**package.files, **{f"DEBIAN/{key}": text for key, text in package.scripts.items()}}.items():
            _write(tree / path, text)
        run(["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, target])
    return target


def repository(
    top: Path, packages: Iterable[Package], *, suite: str = "", component: str = "stable", key: str = "gpg"
) -> Path:
    """Build or rebuild a repository of the packages below the folder `top`; return `top`.

    With a suite it is used as `deb URL SUITE COMPONENT`, like Docker's; without one as the flat `deb URL /`, like
    NVIDIA's. It is signed with its own key. The armored public key lies in the file `key` below `top`; an empty `key`
    leaves the repository unsigned. Raises LabError.
    """
    pool = top / "pool"
    for old in pool.glob("*.deb"):
        old.unlink()
    entries = []
    for package in packages:
        file = deb(package, pool)
        stanza = run(["dpkg-deb", "--field", file]).strip()
        size, digest = file.stat().st_size, _sha256(file)
        entries.append(f"{stanza}\nFilename: pool/{file.name}\nSize: {size}\nSHA256: {digest}\n")
    folder = top / "dists" / suite if suite else top
    index = folder / component / f"binary-{ARCHITECTURE}" / "Packages" if suite else top / "Packages"
    _write(index, "\n".join(entries))
    release = {"Origin": "T.A.R.S. lab", "Date": formatdate(usegmt=True), "Architectures": f"all {ARCHITECTURE}"}
    if suite:
        release |= {
            "Suite": suite,
            "Codename": suite,
            "Components": component,
            "No-Support-for-Architecture-all": "Packages",
        }
    release["SHA256"] = f"\n {_sha256(index)} {index.stat().st_size} {index.relative_to(folder)}"
    text = "".join(f"{key}: {value}\n" for key, value in release.items())
    _write(folder / "Release", text)
    if key:
        signed, public = _sign(text, top.with_name(f"{top.name}.gnupg"))
        _write(folder / "InRelease", signed)
        _write(top / key, public)
    return top


def _sign(text: str, home: Path) -> tuple[str, str]:
    """Sign a text with the key in the folder `home`, which the first call creates.

    Return the signed text and the armored public key.
    """
    with tempfile.TemporaryDirectory() as short:
        # gpg's agent creates a socket in this folder; the path of a socket has at most 107 characters.
        link = Path(short, "gpg")
        link.symlink_to(home.resolve())
        gpg: list[str | Path] = ["gpg", "--homedir", link, "--batch", "--quiet", "--passphrase", ""]
        if not home.exists():
            home.mkdir(mode=0o700, parents=True)
            run([*gpg, "--quick-generate-key", "stand-in of the T.A.R.S. lab", "ed25519", "sign", "never"])
        signed, public = run([*gpg, "--clear-sign"], input=text), run([*gpg, "--armor", "--export"])
        run(["gpgconf", "--homedir", link, "--kill", "gpg-agent"])
    return signed, public


@contextlib.contextmanager
def served(top: Path, address: str) -> Iterator[str]:
    """Serve a folder over HTTP on an address of this host while the context lasts; yield the URL."""
    server = ThreadingHTTPServer((address, 0), partial(_Quiet, directory=str(top)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{address}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    """A file server that does not log requests on standard error."""

    def log_message(self, format: str, *args: object) -> None:
        pass


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755 if text.startswith("#!") else 0o644)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
