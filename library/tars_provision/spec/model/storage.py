# SPDX-License-Identifier: GPL-3.0-or-later
"""Sections of the spec about the NAS's shared folders and the desktop's backups."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tars_provision.spec.model.base import LINE, USER, VOLUME, Name, Path, Section, ShareName


class Keep(Section):
    """How many snapshots of the backups are kept, one for each period. All 0 keeps every snapshot."""

    daily: int = Field(default=7, ge=0)
    """Number of daily snapshots."""
    weekly: int = Field(default=4, ge=0)
    """Number of weekly snapshots."""
    monthly: int = Field(default=6, ge=0)
    """Number of monthly snapshots."""
    yearly: int = Field(default=0, ge=0)
    """Number of yearly snapshots."""


class Snapshots(Section):
    """Snapshots of the backups, which the desktop can neither change nor delete."""

    hour: int = Field(default=5, ge=0, le=23)
    """Hour of the day, by the NAS's clock, at which a snapshot is taken."""
    keep: Keep = Keep()
    """How many are kept."""


class Backup(Section):
    """Share of the NAS for the desktop's backups. Without this section, there is none."""

    share: ShareName = "tars_backup"
    """Separate shared folder that only the backup account can open."""
    volume: str = Field(default="/volume1", pattern=VOLUME)
    """Volume of the NAS; snapshots need btrfs."""
    account: str = Field(default="tars-backup", pattern=USER)
    """Account of the NAS. Its password is `tars_secrets.dsm_backup_password` in the vault."""
    snapshots: Snapshots = Snapshots()
    """Snapshots of the share."""


class ShareClient(Section):
    """Access of one machine to a share."""

    access: Literal["ro", "rw"]
    """Read only, or read and write."""
    mount: Path | None = Field(default=None, examples=["/srv/tars/documents/LLM_docs"])
    """Folder of the desktop where it is mounted, below /srv, /mnt or another folder that the system does not use.
    Default: not mounted; only access is granted."""


class Share(Section):
    """A shared folder of the NAS, exported over NFS."""

    volume: str = Field(pattern=VOLUME, examples=["/volume1"])
    """Volume of the NAS."""
    description: str = Field(default="", max_length=64, pattern=LINE, examples=["Documents T.A.R.S. answers from"])
    """Description shown in DSM."""
    clients: dict[Name, ShareClient] = Field(default_factory=dict, examples=[{"xps8950": {"access": "ro"}}])
    """Machines that may mount it, by their names under `hosts` and `machines`. All others are refused."""
