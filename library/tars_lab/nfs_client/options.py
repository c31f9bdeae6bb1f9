# SPDX-License-Identifier: GPL-3.0-or-later
"""What mount(8) asks for on mount.nfs4's command line."""

from __future__ import annotations

from dataclasses import dataclass

PORT = 2049
# Nothing the server said is believed for longer than this.
_CACHE_SECONDS = 2
_FLAGS = ("ro", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "noatime", "sync", "dirsync")


@dataclass(frozen=True)
class Mount:
    """What mount(8) asked for. `patience` is how many seconds a call may take; None is for ever (hard)."""

    server: str
    export: str
    place: str
    timeout: float = 60.0
    patience: float | None = None
    retry: float = 120.0
    cache: float = _CACHE_SECONDS
    flags: tuple[str, ...] = ()

    @property
    def spec(self) -> str:
        return f"{self.server}:{self.export}"


def parse(words: list[str]) -> Mount:
    """Read mount(8)'s command line. Raises ValueError with a sentence.

    Understood: ro, rw, soft, softerr, hard, timeo (tenths of a second), retrans, retry (minutes), actimeo, and the
    flags of the VFS. What else the kernel's client knows is accepted and has no effect.
    """
    options: list[str] = []
    places: list[str] = []
    remaining = iter(words)
    for word in remaining:
        if word in ("-o", "-t", "-N"):
            value = next(remaining, "")
            options += value.split(",") if word == "-o" else []
        elif not word.startswith("-"):
            places.append(word)
    if len(places) != 2:
        raise ValueError(f"wanted SPEC and DIR, found {places}")
    server, colon, export = places[0].rpartition(":/")
    if not colon or not server:
        raise ValueError(f"{places[0]}: wanted SERVER:/PATH")
    given = dict(option.partition("=")[::2] for option in options if option)
    if "remount" in given:
        raise ValueError("remount is not possible with this helper: unmount and mount again")
    if int(given.get("port", PORT)) not in (0, PORT):
        raise ValueError(f"port={given['port']}: libnfs 5 reaches NFS 4 on port {PORT} alone")
    timeout = int(given.get("timeo", 600)) / 10
    soft = "soft" in given or "softerr" in given
    return Mount(
        server=server.strip("[]"),
        export=f"/{export}",
        place=places[1],
        timeout=timeout,
        patience=timeout * (int(given.get("retrans", 2)) + 1) if soft else None,
        retry=float(given.get("retry", 2)) * 60,
        cache=min(float(given.get("actimeo", _CACHE_SECONDS)), _CACHE_SECONDS),
        flags=tuple(flag for flag in given if flag in _FLAGS),
    )
