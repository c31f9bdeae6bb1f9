# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of the stack: built from Debian 13 and PyPI, tagged with their upstream names, pushed to the registry.

An image is identified by a digest of all its sources. It is not built again while the registry has it.
"""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML

from tars_lab import base, host, processes, registry
from tars_lab.commands import LabError, Progress, run
from tars_lab.layout import Lab
from tars_provision.files import write_atomic

_BUILD = Path(__file__).parent / "images"
_FOLDERS = {"ollama": Path(__file__).parent / "model_server"}
_BASE = "tars-lab/base"
# Images that are built from the python image; the others are built from the common base image.
_ON_PYTHON = ("chroma", "ollama")
_PYTHON = ("python", *_ON_PYTHON)
_record_lock = threading.Lock()
# Paths that a container never reads, and the package lists, which every build downloads again.
_EXCLUDED = [
    "usr/share/doc/*",
    "usr/share/man/*",
    "usr/share/locale/*",
    "var/cache/apt/*",
    "var/lib/apt/lists/*",
    "var/log/*",
]


def up(lab: Lab, progress: Progress) -> None:
    """Build and push the images that the registry lacks. Raises LabError after all other images were built."""
    keys = _keys(lab.images, base.minimal(lab, progress).name)
    pushed = _pushed(lab)
    wanted = [
        name for name in keys if pushed.get(lab.images[name], {}).get("key") != keys[name] or _absent(lab, name, pushed)
    ]
    if wanted:
        local = set(run([*_buildah(lab), "images", "--format", "{{.Name}}:{{.Tag}}"]).split())
        _base_image(lab, local, progress)
        chains = [[name for name in wanted if (name in _PYTHON) is chain] for chain in (True, False)]
        with ThreadPoolExecutor() as pool:
            problems = [p for chain in pool.map(lambda c: _chain(lab, c, keys, local, progress), chains) for p in chain]
        if problems:
            raise LabError("\n".join(problems))
    _forget_digests(lab, progress)


def _chain(lab: Lab, names: list[str], keys: dict[str, str], local: set[str], progress: Progress) -> list[str]:
    """Build images one after the other; return the error messages."""
    problems = []
    for name in names:
        try:
            _build(lab, name, keys, local, progress)
        except LabError as error:
            problems.append(str(error))
    return problems


def _forget_digests(lab: Lab, progress: Progress) -> None:
    """Remove the digests of rebuilt images from the inventory's record: their next pull records the new ones."""
    path = Path(lab.inventory) / "recorded/images.yml"
    if not path.exists():
        return
    yaml = YAML()
    record = yaml.load(path) or {}
    stale = [r for r in lab.images.values() if r in record and record[r] != registry.digest(lab, r)]
    for reference in stale:
        del record[reference]
        progress(f"{reference} was rebuilt: removed its recorded digest")
    if stale:
        text = StringIO()
        yaml.dump(record, text)
        write_atomic(path, text.getvalue().encode())


def _absent(lab: Lab, name: str, pushed: dict[str, dict[str, str]]) -> bool:
    reference = lab.images[name]
    return registry.digest(lab, reference) != pushed[reference]["digest"]


def _build(lab: Lab, name: str, keys: dict[str, str], local: set[str], progress: Progress) -> None:
    began = time.monotonic()
    reference = lab.images[name]
    parent = _parent(lab, name, keys, local, progress)
    tag = _local(lab, name, keys)
    progress(f"building {reference}")
    arguments = ["--build-arg", f"BASE={parent}", "--build-arg", f"VERSION={registry.repository(reference)[1]}"]
    _bud(lab, name, _folder(name), tag, arguments)
    local.add(tag)
    repository, version = registry.repository(reference)
    address = "{}:{}".format(*lab.registry_address)
    push = [*_buildah(lab), "push", "--tls-verify=false", "--quiet", "--format", "v2s2", tag]
    push.append(f"docker://{address}/{repository}:{version}")
    processes.build(lab, push, lab.log(f"image-{name}"), f"pushing {reference}")
    digest = registry.digest(lab, reference)
    if digest is None:
        raise LabError(
            f"image {reference}: pushed, but {lab.registry} does not serve it; see its log {lab.log(registry.NAME)}"
        )
    _record(lab, reference, keys[name], digest)
    progress(f"serving {reference} ({time.monotonic() - began:.0f} s)")


def _parent(lab: Lab, name: str, keys: dict[str, str], local: set[str], progress: Progress) -> str:
    """Return the tag of the local image that `name` is built from; build it if it is missing."""
    if name not in _ON_PYTHON:
        return _base_image(lab, local, progress)
    tag = _local(lab, "python", keys)
    if tag not in local:
        _build(lab, "python", keys, local, progress)
    return tag


def _base_image(lab: Lab, local: set[str], progress: Progress) -> str:
    """Return the tag of the common base image, made from the minimal tree; build it if it is missing."""
    tree = base.minimal(lab, progress)
    tag = f"localhost/{_BASE}:{tree.name.rsplit('-', 1)[1]}"
    if tag not in local:
        folder = lab.state_dir / "build/base"
        folder.mkdir(parents=True, exist_ok=True)
        archive = folder / "root.tar"
        exclude = [f"--exclude=./{pattern}" for pattern in _EXCLUDED]
        tar = ["tar", "--create", "--numeric-owner", *exclude, "--directory", str(tree), "--file", str(archive), "."]
        processes.build(lab, tar, lab.log("image-base"), "packing the base image")
        (folder / "Dockerfile").write_text("FROM scratch\nADD root.tar /\n")
        _bud(lab, "base", folder, tag, [])
        archive.unlink()
        local.add(tag)
    return tag


def _bud(lab: Lab, name: str, folder: Path, tag: str, arguments: list[str]) -> None:
    """Build one image. The build gets the host's pip settings as a secret, which is stored in no layer."""
    settings = lab.state_dir / "build/pip.conf"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(host.pip_settings())
    command = [*_buildah(lab), "bud", "--quiet", "--isolation", "chroot", "--format", "docker", "--layers"]
    command += ["--secret", f"id=pip.conf,src={settings}", "--tag", tag, *arguments, str(folder)]
    processes.build(lab, command, lab.log(f"image-{name}"), f"building image {name}")


def _buildah(lab: Lab) -> list[str]:
    store, run_root = lab.cache_dir / "containers", lab.state_dir / "containers"
    return ["buildah", "--storage-driver", "overlay", "--root", str(store), "--runroot", str(run_root)]


def _local(lab: Lab, name: str, keys: dict[str, str]) -> str:
    return f"localhost/tars-lab/{name}:{keys[name]}"


def _folder(name: str) -> Path:
    folder = _FOLDERS.get(name, _BUILD / name)
    if not (folder / "Dockerfile").exists():
        raise LabError(
            f"image {name}: listed in stack.images of the lab, but {folder / 'Dockerfile'} does not exist; "
            "add that file or remove the image from the spec"
        )
    return folder


def _keys(images: dict[str, str], root: str) -> dict[str, str]:
    """Return for each image a digest of its files, its version and the image that it is built from."""
    keys: dict[str, str] = {}
    for name in sorted(images, key=lambda name: (name in _ON_PYTHON, name)):
        parent = keys["python"] if name in _ON_PYTHON else root
        content = hashlib.sha256(f"{parent}\0{images[name]}\0".encode())
        for path in _files(_folder(name)):
            content.update(f"{path.relative_to(_folder(name))}\0{path.stat().st_mode & 0o111}\0".encode())
            content.update(path.read_bytes())
        keys[name] = content.hexdigest()[:12]
    return keys


def _files(folder: Path) -> Iterator[Path]:
    return (p for p in sorted(folder.rglob("*")) if p.is_file() and "__pycache__" not in p.parts)


def _pushed(lab: Lab) -> dict[str, dict[str, str]]:
    path = lab.cache_dir / "images.json"
    try:
        return dict(json.loads(path.read_text()))
    except (FileNotFoundError, ValueError):
        return {}


def _record(lab: Lab, reference: str, key: str, digest: str) -> None:
    with _record_lock:
        images = {**_pushed(lab), reference: {"key": key, "digest": digest}}
        write_atomic(lab.cache_dir / "images.json", json.dumps(images, indent=1).encode())
