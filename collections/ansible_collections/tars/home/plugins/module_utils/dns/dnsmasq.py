# SPDX-License-Identifier: GPL-3.0-or-later
"""dnsmasq and the resolver of a machine: read them, plan the changes, check a configuration, put it into force."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..resource.converge import Probe, Resource
from ..resource.errors import ResourceError
from ..system import files
from ..system.probing import combined, file_text, parts, read_by
from ..system.process import ProcessError, attempt, run
from . import dnsmasq_config as text

UNIT = "dnsmasq.service"
CONFIG = "/etc/dnsmasq.conf"
FOLDER = "/etc/dnsmasq.d"
DROP_IN = f"{FOLDER}/tars.conf"
UNIT_DROP_IN = f"/etc/systemd/system/{UNIT}.d/tars.conf"
UNIT_TEXT = f"""\
{text.MARK}# Restart after a crash, and until the address exists at boot.
[Unit]
StartLimitIntervalSec=0

[Service]
Restart=on-failure
RestartSec=2
"""
RESOLV_CONF = "/etc/resolv.conf"
RESOLVED = "/run/systemd/resolve"
RESOLVED_FOLDERS = ("/usr/lib/systemd", "/usr/local/lib/systemd", "/run/systemd", "/etc/systemd")
RESOLVED_DROP_IN = "/etc/systemd/resolved.conf.d/zz-tars.conf"
LEFT_OVER = ("~", ".dpkg-dist", ".dpkg-old", ".dpkg-new")
"""Endings of files that dnsmasq, or its unit in the distributions, ignores."""
PROGRAM = "/usr/sbin/dnsmasq"


class NameServerError(ResourceError):
    """The zone cannot be served as desired. The message names the obstacle and the next step."""


@dataclass(frozen=True)
class Zone:
    """A zone to serve at an address of this machine, and the servers for the rest. Not `present`: serve nothing."""

    name: str
    networks: Sequence[str]
    records: Sequence[text.Record]
    address: str
    upstream: Sequence[str]
    present: bool = True

    @property
    def servers(self) -> list[str]:
        """Return the servers for the rest; this machine is not one."""
        return [server for server in self.upstream if server not in (self.address, text.LOOPBACK)]


@dataclass(frozen=True)
class Resolver:
    """The resolver of the machine itself: `kind` is resolved, file, or the name of the program that writes resolv.conf.

    `path` is the file to change, empty if it must not be changed; `upstream` are its servers except this machine, and
    `source` is the file that names them. `obstacle` is why the machine cannot ask its own dnsmasq.
    """

    kind: str
    path: str
    content: str
    upstream: tuple[str, ...]
    source: str
    obstacle: str = ""


@dataclass(frozen=True)
class Machine:
    """Our files for dnsmasq and its unit (empty if absent), the resolver, and the service.

    `others` is dnsmasq's other configuration by path; `refusal` is what dnsmasq reports about the whole of it.
    """

    drop_in: str
    unit: str
    resolver: Resolver
    running: bool
    at_boot: bool
    installed: bool
    others: Mapping[str, str] = dataclasses.field(default_factory=dict)
    refusal: str = ""


@dataclass(frozen=True)
class Change:
    """A file to write (or delete, if the text is empty), or the service to start."""

    path: str
    before: str
    after: str

    def __str__(self) -> str:
        return self.path


def resource(zone: Zone, service: bool = True) -> Resource[Machine, Change]:
    """Return the zone as a resource. Without `service` only the files are managed while dnsmasq is not installed."""
    probing = probe(zone)
    return Resource(
        read=lambda: read_by(probing),
        plan=lambda machine: plan(machine, desired(machine, zone, service)),
        predict=lambda machine, changes: desired(machine, zone, service) if changes else machine,
        write=lambda changes: write(zone),
        show=lambda machine: {"upstream": zone.servers or list(machine.resolver.upstream)},
        refused="Every step succeeded, but the machine differs.",
        advice=f"Next: journalctl --unit={UNIT}",
        probe=dataclasses.replace(probing, parse=lambda status, output: accepted(parse(zone, output))),
        diff=diff,
        warnings=lambda machine: warnings(machine, zone),
    )


def plan(machine: Machine, after: Machine) -> list[Change]:
    """Return the changes from the machine to the desired one."""
    pairs = [
        Change(DROP_IN, machine.drop_in, after.drop_in),
        Change(UNIT_DROP_IN, machine.unit, after.unit),
        Change(machine.resolver.path, machine.resolver.content, after.resolver.content),
        Change(UNIT, _service_words(machine), _service_words(after)),
    ]
    return [change for change in pairs if change.before != change.after]


def _service_words(machine: Machine) -> str:
    return f"running: {machine.running}\nat boot: {machine.at_boot}\n"


def diff(before: Machine, after: Machine) -> list[dict[str, str]]:
    """Return Ansible's diff of the files and the service."""
    return [
        {
            "before_header": change.path,
            "after_header": change.path,
            "before": change.before,
            "after": change.after,
        }
        for change in plan(before, after)
    ]


def desired(machine: Machine, zone: Zone, service: bool = True) -> Machine:
    """Return the machine as desired."""
    resolver = machine.resolver
    if not zone.present:
        content = "" if resolver.kind == "resolved" else resolver.content
        if resolver.kind == "file" and machine.drop_in:
            # Without our file, 127.0.0.1 is a resolver of the owner's own.
            content = text.without_loopback(resolver.content)
        # Whether dnsmasq keeps running depends on its other configuration.
        return dataclasses.replace(machine, drop_in="", unit="", resolver=_replaced(resolver, content))
    # dnsmasq itself reads the servers of a machine without systemd-resolved, and follows their changes.
    source = resolver.source if resolver.kind == "resolved" else ""
    # The two options exclude each other, and the configuration of the owner or another package stays.
    dynamic = not any("bind-interfaces" in text.options(other) for other in machine.others.values())
    drop_in = text.drop_in(zone.name, zone.networks, zone.records, zone.address, zone.servers, source, dynamic)
    after = dataclasses.replace(machine, drop_in=drop_in, unit=UNIT_TEXT)
    if not service and not machine.installed:
        return after
    content = resolver.content
    if resolver.kind == "resolved" and resolver.path:
        content = text.resolved_drop_in(zone.name, zone.networks)
    elif resolver.path:
        content = text.with_loopback_first(resolver.content)
    return dataclasses.replace(after, resolver=_replaced(resolver, content), running=True, at_boot=True)


def _replaced(resolver: Resolver, content: str) -> Resolver:
    return dataclasses.replace(resolver, content=content)


def warnings(machine: Machine, zone: Zone) -> list[str]:
    """Return a warning if the machine itself does not ask its dnsmasq."""
    if not zone.present or not machine.resolver.obstacle:
        return []
    return [
        f"this machine does not ask its own dnsmasq for {zone.name}: {machine.resolver.obstacle}. "
        f"Next: name {text.LOOPBACK} there as the first server, and the others after it."
    ]


# Each file after its path.
_SHOW = 'for file in {}; do [ -f "$file" ] && printf "\\035%s\\n" "$file" && cat "$file"; done; true'


def probe(zone: Zone) -> Probe[Machine]:
    """Return the command that reads resolver, service and configuration, and lets dnsmasq test the latter."""
    resolved = [f"{folder}/resolved.conf.d/*.conf" for folder in RESOLVED_FOLDERS]
    config = f"$([ -e {CONFIG} ] && echo {CONFIG} || echo /dev/null)"
    ignored = ",".join(ending for ending in LEFT_OVER if ending != "~")
    test = f"{PROGRAM} --test --conf-file={config} --conf-dir={FOLDER},{ignored} 2>&1"
    command = combined(
        ["cat", RESOLV_CONF],
        ["readlink", "-f", RESOLV_CONF],
        ["cat", f"{RESOLVED}/resolv.conf"],
        ["sh", "-c", _SHOW.format(" ".join(["/etc/systemd/resolved.conf", *resolved]))],
        ["sh", "-c", _SHOW.format(f"{CONFIG} {FOLDER}/*")],
        ["cat", UNIT_DROP_IN],
        ["systemctl", "show", "--property=ActiveState,UnitFileState,FragmentPath", UNIT],
        ["sh", "-c", f"[ ! -x {PROGRAM} ] || {test}"],
    )
    return Probe(command, lambda status, output: parse(zone, output))


def parse(zone: Zone, output: str) -> Machine | None:
    """Return the machine by the output of the probe; None if systemctl failed."""
    results = parts(output)
    if len(results) != 8 or results[6].status:
        return None
    resolv_conf, real, from_resolved = (file_text(part) for part in results[:3])
    resolved, configuration = (_texts(part.output) for part in results[3:5])
    lines = results[6].output.split("\n")
    others = {
        path: content for path, content in configuration.items() if path != DROP_IN and not path.endswith(LEFT_OVER)
    }
    return Machine(
        drop_in=configuration.get(DROP_IN, ""),
        unit=file_text(results[5]),
        resolver=resolver(zone.address, resolv_conf, real.strip() or RESOLV_CONF, from_resolved, resolved),
        running="ActiveState=active" in lines,
        at_boot="UnitFileState=enabled" in lines,
        installed=any(line.startswith("FragmentPath=/") for line in lines),
        others=others,
        refusal=results[7].output.strip() if results[7].status else "",
    )


def _texts(output: str) -> dict[str, str]:
    """Return texts by path."""
    return dict(item.partition("\n")[::2] for item in output.split("\x1d")[1:])


def accepted(machine: Machine | None) -> Machine | None:
    """Return the machine, or None if dnsmasq refuses its configuration, which the module reports."""
    return None if machine is None or machine.refusal else machine


def resolver(own: str, resolv_conf: str, real: str, from_resolved: str, resolved: Mapping[str, str]) -> Resolver:
    """Return the resolver of a machine.

    Args:
        own: the machine's address, which is not an upstream server.
        resolv_conf: the text of /etc/resolv.conf, and `real` its path without symbolic links.
        from_resolved: the text of systemd-resolved's own resolv.conf.
        resolved: systemd-resolved's configuration files, text by path.
    """
    by_resolved = real.startswith(RESOLVED) or "127.0.0.53" in text.nameservers(resolv_conf)
    source, servers = (f"{RESOLVED}/resolv.conf", from_resolved) if by_resolved else (RESOLV_CONF, resolv_conf)
    upstream = tuple(server for server in text.nameservers(servers) if server not in (own, text.LOOPBACK))
    if by_resolved:
        fixed = global_servers(resolved)
        obstacle = f"it asks {', '.join(fixed)} for everything, by resolved.conf" if fixed else ""
        path = "" if fixed else RESOLVED_DROP_IN
        return Resolver("resolved", path, resolved.get(path, ""), upstream, source, obstacle)
    signed = text.WRITERS.search(resolv_conf)
    writer = signed["program"] if signed else "" if real == RESOLV_CONF else f"the program that writes {real}"
    if writer:
        return Resolver(writer, "", "", upstream, source, f"{RESOLV_CONF} is written by {writer}")
    return Resolver("file", RESOLV_CONF, resolv_conf, upstream, source)


def global_servers(resolved: Mapping[str, str]) -> list[str]:
    """Return the servers that systemd-resolved asks for all links by its configuration, except ours.

    Of two drop-ins of one name the later folder's counts; they are read in the order of their names.
    """
    drop_ins = {
        os.path.basename(path): content
        for folder in RESOLVED_FOLDERS
        for path, content in resolved.items()
        if path.startswith(f"{folder}/resolved.conf.d/") and path != RESOLVED_DROP_IN
    }
    ordered = [resolved.get("/etc/systemd/resolved.conf", ""), *(drop_ins[name] for name in sorted(drop_ins))]
    return text.global_servers("\n".join(ordered))


def require_possible(machine: Machine, zone: Zone) -> None:
    """Raise NameServerError if the zone cannot be served, before anything is changed."""
    if not zone.present:
        return
    require_port(zone.address)
    if not zone.servers:
        require_upstream(machine)
    check(desired(machine, zone).drop_in, machine)


def require_port(address: str) -> None:
    """Raise NameServerError if another program holds port 53."""
    listening = _listeners()
    ours = [item.pid for item in listening if _unit(item.pid) == UNIT]
    for item in text.conflicting(listening, address, ours):
        raise NameServerError(
            f"port 53 of {item.address} is held by {item.program} (process {item.pid}, {_unit(item.pid)}), and dnsmasq "
            f"needs it at {address} and {text.LOOPBACK}. Next: stop that program, or let it listen elsewhere, "
            "then run again."
        )


def require_upstream(machine: Machine) -> None:
    """Raise NameServerError if no server would answer for names outside the zone."""
    others = machine.others.values()
    if not machine.resolver.upstream and not any(text.options(other) & {"server", "resolv-file"} for other in others):
        raise NameServerError(
            f"{machine.resolver.source} names no server but this machine, so names outside the zone would not be "
            "found. Next: set upstream servers, then run again."
        )


def check(drop_in: str, machine: Machine) -> None:
    """Let dnsmasq test the whole configuration with our file in it.

    Raises:
        NameServerError: dnsmasq refuses it; the message quotes its output.
    """
    if shutil.which(PROGRAM) is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        for path, other in {**machine.others, DROP_IN: drop_in}.items():
            if path != CONFIG:
                with open(os.path.join(folder, os.path.basename(path)), "w", encoding="utf-8") as file:
                    file.write(other)
        main = CONFIG if CONFIG in machine.others else "/dev/null"
        done = attempt([PROGRAM, "--test", f"--conf-file={main}", f"--conf-dir={folder}"])
    if done.status:
        message = done.errors.strip().replace(folder, FOLDER)
        raise NameServerError(
            f"dnsmasq refuses the configuration, nothing was changed: {message}. Next: correct the file that it names, "
            "then run again."
        )


def write(zone: Zone) -> None:
    """Bring the machine to the desired state."""
    machine = read_by(probe(zone))
    after = desired(machine, zone, service=machine.installed)
    if zone.present:
        serve(machine, after, zone.address)
    follow(machine.resolver, after.resolver.content)
    if not zone.present:
        withdraw(machine)


def serve(machine: Machine, after: Machine, address: str) -> None:
    """Write our files and restart dnsmasq if they changed. If it does not start, the old file is back when this raises.

    Raises:
        NameServerError: dnsmasq does not start, or does not listen.
    """
    if after.drop_in != machine.drop_in:
        _write(DROP_IN, after.drop_in)
    if after.unit != machine.unit:
        _write(UNIT_DROP_IN, after.unit)
        run(["systemctl", "daemon-reload"])
    if not machine.installed or (after.drop_in == machine.drop_in and machine.running and machine.at_boot):
        return
    try:
        run(["systemctl", "enable", "--quiet", UNIT])
        run(["systemctl", "reset-failed", UNIT])
        run(["systemctl", "restart", UNIT], timeout_s=120)
        _wait_for_listeners(address)
    except (NameServerError, ProcessError) as error:
        log = attempt(["journalctl", "--unit", UNIT, "--lines=5", "--output=cat"])
        _write(DROP_IN, machine.drop_in)
        attempt(["systemctl", "restart", UNIT], timeout_s=120)
        raise NameServerError(
            f"{error}. The earlier configuration is back. The log of dnsmasq: {' '.join(log.output.split())}"
        ) from error


def follow(resolver: Resolver, content: str) -> None:
    """Write the configuration of the machine's own resolver, and put it into force."""
    if not resolver.path or content == resolver.content:
        return
    _write(resolver.path, content)
    if resolver.kind == "resolved":
        run(["systemctl", "restart", "systemd-resolved.service"], timeout_s=120)


def withdraw(machine: Machine) -> None:
    """Delete our files. dnsmasq keeps running with the owner's configuration, or stops if there is none."""
    files.remove(DROP_IN)
    files.remove(UNIT_DROP_IN)
    run(["systemctl", "daemon-reload"])
    if not machine.installed:
        return
    if any(text.options(other) for other in machine.others.values()):
        run(["systemctl", "restart", UNIT], timeout_s=120)
    else:
        run(["systemctl", "disable", "--quiet", "--now", UNIT], timeout_s=120)


def _write(path: str, content: str) -> None:
    if content:
        files.write_file(path, content)
    else:
        files.remove(path)


def _wait_for_listeners(address: str, timeout_s: float = 15) -> None:
    """Wait until dnsmasq listens. Raises NameServerError if it does not in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        missing = {address, text.LOOPBACK} - {item.address for item in _listeners() if _unit(item.pid) == UNIT}
        if not missing:
            return
        if time.monotonic() > deadline:
            raise NameServerError(f"{UNIT} does not listen on port 53 of {' and '.join(sorted(missing))}")
        time.sleep(0.1)


def _listeners() -> list[text.Listener]:
    return text.listeners(run(["ss", "-Hlntup", "sport = :53"]))


def _unit(pid: int) -> str:
    """Return the systemd unit of a process, by its control group."""
    lines = files.text(f"/proc/{pid}/cgroup").splitlines()
    units = [part for line in lines for part in line.split("/") if part.endswith((".service", ".scope"))]
    return units[-1] if units else "no unit"
