# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files and folders are not documents by their name alone: those of systems, hidden and temporary ones.

The names of Synology's folders are those of its own manuals (File Station, Drive, Snapshot Replication) and of shares
that people describe: metadata in @eaDir, its streams as @SynoResource and @SynoEAStream, @tmp, @sharebin, #recycle,
#snapshot. Exact names, so that `#12 Rechnung.txt` and `@home` are read.
"""

from __future__ import annotations

SYSTEM, HIDDEN, TEMPORARY = "system", "hidden", "temporary"
_SYSTEM_NAMES = frozenset(
    {
        # Synology
        "@eadir",
        "@sharebin",
        "@synoeastream",
        "@synoresource",
        "@tmp",
        "#recycle",
        "#snapshot",
        ".synologyworkingdirectory",
        # QNAP
        "@recently-snapshot",
        "@recycle",
        # macOS
        ".apdisk",
        ".ds_store",
        ".fseventsd",
        ".spotlight-v100",
        ".temporaryitems",
        ".trashes",
        "network trash folder",
        "temporary items",
        # Windows
        "$recycle.bin",
        "desktop.ini",
        "ehthumbs.db",
        "recycler",
        "system volume information",
        "thumbs.db",
        # Linux
        "lost+found",
    }
)
_TEMPORARY_PREFIXES = ("~$", ".~lock.", ".nfs", ".smbdelete")
_TEMPORARY_SUFFIXES = (".crdownload", ".download", ".part", ".partial", ".swp", ".temp", ".tmp", "~")


def ignored_because(name: str) -> str | None:
    """Return why an entry of this name is not read: `system`, `temporary` or `hidden`; None: not for its name."""
    lower = name.lower()
    if lower in _SYSTEM_NAMES:
        return SYSTEM
    if lower.startswith(_TEMPORARY_PREFIXES) or lower.endswith(_TEMPORARY_SUFFIXES):
        return TEMPORARY
    return HIDDEN if name.startswith(".") else None
