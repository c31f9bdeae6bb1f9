# SPDX-License-Identifier: GPL-3.0-or-later
"""dnsmasq and the resolver of a machine as they are: reading them, judging a configuration, putting one into force."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import Optional

from ..system import files as file_set
from . import dnsmasq_config as text

UNIT = "dnsmasq.service"
CONFIG = "/etc/dnsmasq.conf"
FOLDER = "/etc/dnsmasq.d"
DROP_IN = f"{FOLDER}/tars.conf"
UNIT_DROP_IN = f"/etc/systemd/system/{UNIT}.d/tars.conf"
UNIT_TEXT = f"""\
{text.MARK}# A house without names waits for this: after a crash, and where an address is not there yet.
[Unit]
StartLimitIntervalSec=0

[Service]
Restart=on-failure
RestartSec=2
"""
RESOLV_CONF = "/etc/resolv.conf"
RESOLVED = "/run/systemd/resolve"
RESOLVED_DROP_IN = "/etc/systemd/resolved.conf.d/zz-tars.conf"
LEFT_OVER = ("~", ".dpkg-dist", ".dpkg-old", ".dpkg-new")
"""Endings of files that dnsmasq is told not to read, by itself or by the distributions."""


class NameServerError(Exception):
    """Names cannot be served as wished. The message names what is in the way, and the next step."""


@dataclass(frozen=True)
class Resolver:
    """Whom the machine itself asks: `kind` is resolved, file, or the name of the program that writes resolv.conf.

    `path` is the file to be changed, empty where none is; `upstream` those it names but this machine, and `source` the
    file they stand in.
    """

    kind: str
    path: str
    content: str
    upstream: tuple[str, ...]
    source: str
    hindrance: str = ""


@dataclass(frozen=True)
class State:
    """Our files for dnsmasq and its unit, that of the machine's resolver (each empty where there is none), and the
    service: running, at boot.
    """

    drop_in: str
    unit: str
    resolver: str
    running: bool
    at_boot: bool


def run(*command: str) -> str:
    """What a program prints. Raises NameServerError with what it said where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NameServerError(f"{' '.join(command)} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def content(path: str) -> str:
    """The text of a file, empty where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def resolver(own: str) -> Resolver:
    """Whom the machine asks. `own` is its address, which is no upstream."""
    shown = content(RESOLV_CONF)
    real = os.path.realpath(RESOLV_CONF)
    resolved = real.startswith(RESOLVED) or "127.0.0.53" in text.nameservers(shown)
    source = f"{RESOLVED}/resolv.conf" if resolved else RESOLV_CONF
    upstream = tuple(one for one in text.nameservers(content(source)) if one not in (own, text.LOOPBACK))
    if resolved:
        theirs = _global_servers()
        hindrance = f"it asks {', '.join(theirs)} for everything, by resolved.conf" if theirs else ""
        path = "" if theirs else RESOLVED_DROP_IN
        return Resolver("resolved", path, content(path) if path else "", upstream, source, hindrance)
    signed = text.WRITERS.search(shown)
    writer = signed["who"] if signed else "" if real == RESOLV_CONF else f"whoever writes {real}"
    if writer:
        return Resolver(writer, "", "", upstream, source, f"{RESOLV_CONF} is written by {writer}")
    return Resolver("file", RESOLV_CONF, shown, upstream, source)


def read(here: Resolver) -> State:
    """The present state."""
    lines = run("systemctl", "show", "--property=ActiveState,UnitFileState", UNIT).splitlines()
    running, at_boot = "ActiveState=active" in lines, "UnitFileState=enabled" in lines
    return State(content(DROP_IN), content(UNIT_DROP_IN), here.content, running, at_boot)


def installed() -> bool:
    """Whether dnsmasq is there as a service, not just as the program that libvirt and others start."""
    return "FragmentPath=/" in run("systemctl", "show", "--property=FragmentPath", UNIT)


def others() -> dict[str, str]:
    """The configuration that is not ours, by path."""
    paths = [path for path in sorted(glob.glob(f"{FOLDER}/*")) if not path.endswith(LEFT_OVER) and path != DROP_IN]
    return {path: content(path) for path in [CONFIG, *paths] if os.path.isfile(path)}


def refuse(address: str) -> None:
    """Raise NameServerError where another program holds port 53."""
    found = text.listeners(run("ss", "-Hlntup", "sport = :53"))
    ours = [one.pid for one in found if _unit(one.pid) == UNIT]
    for one in text.in_the_way(found, address, ours):
        raise NameServerError(
            f"port 53 of {one.address} is held by {one.program} (process {one.pid}, {_unit(one.pid)}), and dnsmasq is "
            f"to answer at {address} and {text.LOOPBACK}. Next: stop that program, or have it listen elsewhere, "
            "then run again."
        )


def refuse_nobody(here: Resolver) -> None:
    """Raise NameServerError where all but the zone would be asked of nobody."""
    if not here.upstream and not any(text.options(said) & {"server", "resolv-file"} for said in others().values()):
        raise NameServerError(
            f"{here.source} names no server but this machine, so nobody would answer for what is outside. "
            "Next: name some under network.dns, then run again."
        )


def judge(drop_in: str) -> None:
    """Have dnsmasq read the whole configuration with our file in it. Raises NameServerError with what it says."""
    program = shutil.which("dnsmasq", path="/usr/sbin:/usr/local/sbin:/sbin")
    if program is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        for path, said in {**others(), DROP_IN: drop_in}.items():
            if path != CONFIG:
                with open(os.path.join(folder, os.path.basename(path)), "w", encoding="utf-8") as file:
                    file.write(said)
        main = CONFIG if os.path.exists(CONFIG) else "/dev/null"
        done = subprocess.run(
            [program, "--test", f"--conf-file={main}", f"--conf-dir={folder}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = done.stderr.strip().replace(folder, FOLDER)
            raise NameServerError(f"dnsmasq refuses the configuration, nothing was changed: {said}. Next: correct it.")


def serve(before: State, wanted: State, address: str) -> None:
    """Write our file and have dnsmasq follow it. Where it does not, the old file is back when this raises."""
    if wanted.drop_in != before.drop_in:
        write(DROP_IN, wanted.drop_in)
    if wanted.unit != before.unit:
        write(UNIT_DROP_IN, wanted.unit)
        run("systemctl", "daemon-reload")
    if not installed() or (wanted.drop_in == before.drop_in and before.running and before.at_boot):
        return
    try:
        run("systemctl", "enable", "--quiet", UNIT)
        run("systemctl", "reset-failed", UNIT)
        run("systemctl", "restart", UNIT)
        _answers(address)
    except NameServerError as error:
        log = subprocess.run(
            ["journalctl", "--unit", UNIT, "--lines=5", "--output=cat"], capture_output=True, text=True, check=False
        )
        write(DROP_IN, before.drop_in)
        subprocess.run(["systemctl", "restart", UNIT], capture_output=True, check=False)
        said = " ".join(log.stdout.split())
        raise NameServerError(f"{error}. The earlier configuration is back. dnsmasq says: {said}") from error


def follow(here: Resolver, wanted: str) -> None:
    """Have the machine's own resolver do as its file shall say."""
    if not here.path or wanted == here.content:
        return
    write(here.path, wanted)
    if here.kind == "resolved":
        run("systemctl", "restart", "systemd-resolved.service")


def withdraw() -> None:
    """Take our file away. dnsmasq goes on with the owner's configuration, or ends where there is none."""
    write(DROP_IN, "")
    write(UNIT_DROP_IN, "")
    run("systemctl", "daemon-reload")
    if not installed():
        return
    if any(text.options(said) for said in others().values()):
        run("systemctl", "restart", UNIT)
    else:
        run("systemctl", "disable", "--quiet", "--now", UNIT)


def write(path: str, said: str) -> None:
    """Replace a file, or delete it where nothing is to be said."""
    if said:
        file_set.write_file(path, said)
    elif os.path.exists(path):
        os.unlink(path)


def _answers(address: str, patience_s: float = 15) -> None:
    """Wait until dnsmasq listens where it is to. Raises NameServerError where it does not."""
    deadline = time.monotonic() + patience_s
    while True:
        found = text.listeners(run("ss", "-Hlntup", "sport = :53"))
        missing = {address, text.LOOPBACK} - {one.address for one in found if _unit(one.pid) == UNIT}
        if not missing:
            return
        if time.monotonic() > deadline:
            raise NameServerError(f"{UNIT} does not listen on port 53 of {' and '.join(sorted(missing))}")
        time.sleep(0.1)


def _unit(pid: int) -> str:
    """The systemd unit of a process, by its control group."""
    lines = content(f"/proc/{pid}/cgroup").splitlines()
    units = [part for line in lines for part in line.split("/") if part.endswith((".service", ".scope"))]
    return units[-1] if units else "no unit"


def _global_servers() -> list[str]:
    folders = ("/usr/lib/systemd", "/usr/local/lib/systemd", "/run/systemd", "/etc/systemd")
    paths: dict[str, Optional[str]] = {}
    for folder in folders:
        paths.update({os.path.basename(path): path for path in glob.glob(f"{folder}/resolved.conf.d/*.conf")})
    paths.pop(os.path.basename(RESOLVED_DROP_IN), None)
    ordered = ["/etc/systemd/resolved.conf", *(str(paths[name]) for name in sorted(paths))]
    return text.global_servers("".join(f"{content(path)}\n" for path in ordered))
