# SPDX-License-Identifier: GPL-3.0-or-later
"""Readings of the machine the NAS runs on, in the units and shapes of DSM's answers."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Any

import psutil


def uptime_s() -> int:
    """Return the seconds since boot."""
    return int(time.time() - psutil.boot_time())


def memory_mib() -> int:
    """Return the size of the memory in MiB."""
    return int(psutil.virtual_memory().total) // 2**20


def processor() -> dict[str, Any]:
    """Return the processor loads in percent; the averages are load averages times 100."""
    share = psutil.cpu_times_percent(interval=None)
    averages = [round(load * 100) for load in os.getloadavg()]
    user, system = round(share.user), round(share.system)
    other = max(0, 100 - user - system - round(share.idle))
    return {
        "device": "System",
        "user_load": user,
        "system_load": system,
        "other_load": other,
        "1min_load": averages[0],
        "5min_load": averages[1],
        "15min_load": averages[2],
    }


def memory() -> dict[str, Any]:
    """Return the memory sizes in KiB and usages in percent."""
    real, swap = psutil.virtual_memory(), psutil.swap_memory()
    return {
        "device": "Memory",
        "memory_size": real.total // 1024,
        "total_real": real.total // 1024,
        "avail_real": real.available // 1024,
        "buffer": real.buffers // 1024,
        "cached": real.cached // 1024,
        "real_usage": round(real.percent),
        "total_swap": swap.total // 1024,
        "avail_swap": swap.free // 1024,
        "swap_usage": round(swap.percent),
        "si_disk": 0,
        "so_disk": 0,
    }


class _Meter:
    """Measures the bytes per second of each interface since the previous reading."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._at = time.monotonic()
        self._before = psutil.net_io_counters(pernic=True)

    def read(self) -> list[dict[str, Any]]:
        with self._guard:
            now, counters = time.monotonic(), psutil.net_io_counters(pernic=True)
            seconds = max(now - self._at, 1e-3)
            rows: list[dict[str, Any]] = []
            for name in sorted(_wired(counters)):
                new, old = counters[name], self._before.get(name, counters[name])
                received = max(0, int((new.bytes_recv - old.bytes_recv) / seconds))
                sent = max(0, int((new.bytes_sent - old.bytes_sent) / seconds))
                rows.append({"device": name, "rx": received, "tx": sent})
            self._at, self._before = now, counters
        total = {"device": "total"} | {way: sum(row[way] for row in rows) for way in ("rx", "tx")}
        return [total, *rows]


_meter = _Meter()


def traffic() -> list[dict[str, Any]]:
    """Return the received and sent bytes per second of each interface, `total` first."""
    return _meter.read()


def network() -> dict[str, Any]:
    """Return hostname, gateway, name servers, and interfaces with their addresses."""
    addresses = psutil.net_if_addrs()
    return {
        "hostname": socket.gethostname(),
        "gateway": _gateway(),
        "dns": resolvers(),
        "interfaces": [_interface(name, addresses[name]) for name in sorted(_wired(addresses))],
    }


def _wired(names: Any) -> list[str]:
    return [name for name in names if name.startswith("eth")]


def _interface(name: str, addresses: list[Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"id": name, "type": "lan", "mac": "", "ip": [], "ipv6": []}
    for entry in addresses:
        if entry.family == socket.AF_INET:
            row["ip"].append({"address": entry.address, "netmask": entry.netmask})
        elif entry.family == socket.AF_INET6:
            address = ipaddress.IPv6Address(entry.address.partition("%")[0])
            prefix = bin(int(ipaddress.IPv6Address(entry.netmask))).count("1")
            scope = "link" if address.is_link_local else "global"
            row["ipv6"].append({"address": str(address), "prefix_length": prefix, "scope": scope})
        elif entry.family == psutil.AF_LINK:
            row["mac"] = entry.address
    return row


def _gateway() -> str:
    for line in Path("/proc/net/route").read_text(encoding="ascii").splitlines()[1:]:
        columns = line.split()
        if columns[1] == "00000000" and columns[2] != "00000000":
            return socket.inet_ntoa(struct.pack("=I", int(columns[2], 16)))
    return ""


def resolvers(path: Path = Path("/etc/resolv.conf")) -> list[str]:
    """Return the name servers of a resolv.conf; [] if the file does not exist."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [line.split()[1] for line in lines if line.startswith("nameserver ")]


def leased_resolvers() -> list[str]:
    """Return the name servers of the DHCP lease, as systemd-networkd stores it; [] without a lease."""
    for lease in sorted(Path("/run/systemd/netif/leases").glob("*")):
        for line in lease.read_text(encoding="utf-8").splitlines():
            if line.startswith("DNS="):
                return line.removeprefix("DNS=").split()
    return []
