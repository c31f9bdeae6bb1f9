# SPDX-License-Identifier: GPL-3.0-or-later
"""Sections of the spec about the NAS's shared folders and the desktop's backups."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tars_provision.spec.model.base import USER, VOLUME, Name, Path, Section, ShareName


class Keep(Section):
    """How many snapshots of the backups stay, one for each period. All 0 keeps every one."""

    daily: int = Field(default=7, ge=0)
    """Days that keep one."""
    weekly: int = Field(default=4, ge=0)
    """Weeks that keep one."""
    monthly: int = Field(default=6, ge=0)
    """Months that keep one."""
    yearly: int = Field(default=0, ge=0)
    """Years that keep one."""


class Snapshots(Section):
    """Snapshots of the backups, which the desktop can neither change nor delete."""

    hour: int = Field(default=5, ge=0, le=23)
    """Hour of the day, on the NAS's clock, when one is taken."""
    keep: Keep = Keep()
    """Which of them stay."""


class Backup(Section):
    """Where the NAS keeps the desktop's backups. Left out: nowhere."""

    share: ShareName = "tars_backup"
    """Shared folder of its own that nobody but the backup account may open."""
    volume: str = Field(default="/volume1", pattern=VOLUME)
    """Volume of the NAS it lies on; snapshots need one with btrfs."""
    account: str = Field(default="tars-backup", pattern=USER)
    """Account of the NAS. Its password is `tars_secrets.dsm_backup_password` in the vault."""
    snapshots: Snapshots = Snapshots()
    """Snapshots of it."""


class ShareClient(Section):
    """What one machine may do with a share."""

    access: Literal["ro", "rw"]
    """Read only, or read and write."""
    mount: Path | None = Field(default=None, examples=["/srv/tars/documents/LLM_docs"])
    """Where the desktop mounts it. Left out: nothing is mounted, access alone is granted."""


class Share(Section):
    """A shared folder of the NAS, exported over NFS."""

    volume: str = Field(pattern=VOLUME, examples=["/volume1"])
    """Volume of the NAS it lies on."""
    description: str = Field(default="", max_length=64, examples=["Documents T.A.R.S. answers from"])
    """What DSM shows beside its name."""
    clients: dict[Name, ShareClient] = Field(default_factory=dict, examples=[{"xps8950": {"access": "ro"}}])
    """Who may mount it, by the names under `hosts` and `machines`. All others are refused."""
