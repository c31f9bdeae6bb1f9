# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of mount.nfs4, as mount(8) calls it."""

from __future__ import annotations

from dataclasses import dataclass

PORT = 2049
# Longest time for which an answer of the server is cached.
_CACHE_SECONDS = 2
_FLAGS = ("ro", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "noatime", "sync", "dirsync")


@dataclass(frozen=True)
class Mount:
    """The arguments of one mount. All times are in seconds.

    `timeout_s` is the time limit of one request, `limit_s` that of a call with its retries (None: no limit, a hard
    mount), `retry_s` that of the mount itself, and `cache_s` how long answers are cached.
    """

    server: str
    export: str
    mount_point: str
    timeout_s: float = 60.0
    limit_s: float | None = None
    retry_s: float = 120.0
    cache_s: float = _CACHE_SECONDS
    flags: tuple[str, ...] = ()

    @property
    def spec(self) -> str:
        """The source of the mount, SERVER:/PATH."""
        return f"{self.server}:{self.export}"


def parse(words: list[str]) -> Mount:
    """Parse the arguments that mount(8) passes. Raises ValueError with a message for the user.

    Supported: ro, rw, soft, softerr, hard, timeo (tenths of a second), retrans, retry (minutes), actimeo, and the flags
    of the VFS. Other options of the kernel's client are accepted and have no effect.
    """
    options: list[str] = []
    operands: list[str] = []
    remaining = iter(words)
    for word in remaining:
        if word in ("-o", "-t", "-N"):
            value = next(remaining, "")
            options += value.split(",") if word == "-o" else []
        elif not word.startswith("-"):
            operands.append(word)
    if len(operands) != 2:
        raise ValueError(f"arguments: found {operands}, expected SPEC and DIR")
    server, colon, export = operands[0].rpartition(":/")
    if not colon or not server:
        raise ValueError(f"source: found '{operands[0]}', expected SERVER:/PATH")
    values = dict(option.partition("=")[::2] for option in options if option)
    if "remount" in values:
        raise ValueError("option remount: not supported by this helper; unmount and mount again")
    if int(values.get("port", PORT)) not in (0, PORT):
        raise ValueError(f"option port: found {values['port']}, but libnfs 5 supports only port {PORT} for NFS 4")
    timeout_s = int(values.get("timeo", 600)) / 10
    soft = "soft" in values or "softerr" in values
    return Mount(
        server=server.strip("[]"),
        export=f"/{export}",
        mount_point=operands[1],
        timeout_s=timeout_s,
        limit_s=timeout_s * (int(values.get("retrans", 2)) + 1) if soft else None,
        retry_s=float(values.get("retry", 2)) * 60,
        cache_s=min(float(values.get("actimeo", _CACHE_SECONDS)), _CACHE_SECONDS),
        flags=tuple(flag for flag in values if flag in _FLAGS),
    )
