# SPDX-License-Identifier: GPL-3.0-or-later
"""Container images by name, and the digests they are held to."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, Mapping, Optional, Sequence


def repository(name: str) -> str:
    """An image's repository as Docker writes it in digests: without tag, default registry and namespace.

    >>> repository("docker.io/library/postgres:17.6"), repository("host:5000/a/b:1")
    ('postgres', 'host:5000/a/b')
    """
    head, slash, last = name.partition("@")[0].rpartition("/")
    full = head + slash + last.partition(":")[0]
    for prefix in ("docker.io/", "library/"):
        if full.startswith(prefix):
            full = full[len(prefix) :]
    return full


def query(names: Sequence[str]) -> List[str]:
    """The command whose answer `digests` reads. It exits with 1 where one is missing, and tells of the others."""
    wanted = '{"tags": {{json .RepoTags}}, "digests": {{json .RepoDigests}}}'
    return ["docker", "image", "inspect", f"--format={wanted}", *names]


def digests(answer: str) -> Dict[str, List[str]]:
    """The images of an answer: tag -> its `repository@sha256:...` names."""
    found: Dict[str, List[str]] = {}
    for line in answer.splitlines():
        image = json.loads(line) if line.startswith("{") else {}
        for tag in image.get("tags") or []:
            found[tag] = list(image["digests"] or [])
    return found


def present(names: Sequence[str], answer: str) -> Dict[str, str]:
    """Those of the images that are here, with their digest."""
    found = digests(answer)
    return {name: digest for name in names if (digest := digest_of(name, found))}


def wanted(names: Sequence[str], here: Mapping[str, str], recorded: Mapping[str, str]) -> List[str]:
    """What is to be pulled. One that is here but not recorded may be older than what its tag means: what counts is
    what a pull brings.
    """
    return [name for name in names if name not in here or name not in recorded]


def report(
    names: Sequence[str], recorded: Mapping[str, str], before: Mapping[str, str], after: Mapping[str, str]
) -> Dict[str, Any]:
    """What the module image_digests says of images to have, of which some were and some are here now."""
    known = {**recorded, **after}
    return {
        "changed": bool(wanted(names, before, recorded)),
        "digests": dict(after),
        "pinned": {name: f"{name}@{known[name]}" if name in known else name for name in names},
        "diff": {
            "before": "".join(f"{name}@{digest}\n" for name, digest in before.items()),
            "after": "".join(f"{name}@{known.get(name, '(met at the pull)')}\n" for name in names),
        },
    }


def digest_of(name: str, found: Mapping[str, List[str]]) -> Optional[str]:
    """The digest (`sha256:...`) the local image of that name came with, None where it is not here."""
    wanted = repository(name)
    tag = name.rsplit("/", 1)[-1].partition(":")[2]
    for local, names in found.items():
        if repository(local) == wanted and local.rsplit("/", 1)[-1].partition(":")[2] == tag:
            for entry in names:
                if repository(entry) == wanted:
                    return entry.partition("@")[2]
    return None


def contradictions(recorded: Mapping[str, str], present: Mapping[str, str]) -> List[str]:
    """A sentence for each image whose tag does not mean the recorded digest any more."""
    return [
        f"{name} is {digest} now, recorded is {recorded[name]}: its tag was moved."
        for name, digest in sorted(present.items())
        if recorded.get(name, digest) != digest
    ]


def unit(name: str) -> str:
    """The systemd unit that pulls an image."""
    return "tars-pull-" + re.sub(r"[^A-Za-z0-9_.-]", "-", name)


def progress(name: str, output: Sequence[str]) -> str:
    """How far a `docker pull` is, from its output: one line per layer and state. For people alone."""
    known, here = set(), set()
    for line in output:
        match = re.match(r"([0-9a-f]{12}): (.*)", line)
        if match:
            known.add(match[1])
            if match[2] in ("Pull complete", "Already exists"):
                here.add(match[1])
    return f"pulling {name}: {len(here)} of {len(known)} layers" if known else f"pulling {name}"
