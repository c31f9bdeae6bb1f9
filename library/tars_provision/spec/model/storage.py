# SPDX-License-Identifier: GPL-3.0-or-later
"""Sections of the spec about the NAS's shared folders and the desktop's backups."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tars_provision.spec.model.base import (
    DISK,
    EXPORT,
    FILE,
    FOLDER,
    LINE,
    SERVER_URL,
    USER,
    VOLUME,
    Email,
    HookUrl,
    Host,
    Image,
    Name,
    Path,
    Port,
    Section,
    ShareName,
    TimeZone,
)


class Keep(Section):
    """How many snapshots of the backups are kept, one for each period. All 0 keeps every snapshot."""

    hourly: int = Field(default=0, ge=0)
    """Number of hourly snapshots."""
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
    every_hours: Literal[0, 1, 2, 3, 4, 6, 8, 12] = 0
    """Take further snapshots at this interval until the end of the day; 0 takes one a day. Snapshots are taken at full
    hours, and the desktop backs up at half past."""
    keep: Keep = Keep()
    """How many are kept."""


class Retention(Section):
    """How many backups are kept: the newest ones, and the last one of each period that has one."""

    last: int = Field(default=3, ge=3)
    """Number of newest backups."""
    hourly: int = Field(default=48, ge=0)
    """Number of hours."""
    daily: int = Field(default=30, ge=0)
    """Number of days."""
    weekly: int = Field(default=8, ge=0)
    """Number of weeks."""
    monthly: int = Field(default=24, ge=0)
    """Number of months."""
    yearly: int = Field(default=10, ge=0)
    """Number of years."""


class DrillQuestion(Section):
    """A question that a drill asks of the restored services."""

    question: str = Field(min_length=1, max_length=2000, pattern=LINE, examples=["When was the boiler serviced?"])
    """The question."""
    path: str = Field(min_length=1, pattern=LINE, examples=["LLM_docs/boiler.pdf"])
    """Document that must be among the sources of the answer, with or without its share."""


class Drill(Section):
    """Rehearsals of a recovery: the newest backup is restored to services of its own, which are asked."""

    schedule: Literal["weekly", "monthly"] = "monthly"
    """How often, in the night of a Sunday."""
    questions: tuple[DrillQuestion, ...] = ()
    """Questions of the household. Sentences of some documents are asked in any case."""


class MailAlarm(Section):
    """Mail about the backups. Without `server`, it is given to the desktop's own sendmail."""

    to: tuple[Email, ...] = Field(min_length=1, examples=[["owner@example.org"]])
    """Recipients of the mail."""
    sender: Email = Field(examples=["tars@example.org"])
    """Sender of the mail."""
    server: Host | None = Field(default=None, examples=["smtp.example.org"])
    """Mail server that takes the mail. Default: /usr/sbin/sendmail of the desktop."""
    port: Port = 587
    """Port of the mail server."""
    encryption: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is encrypted: starttls (port 587), tls from the start (port 465), or none."""
    user: str = Field(default="", pattern=LINE)
    """Account on the mail server; empty for no login. Its password is `tars_secrets.backup_mail_password`."""


class NtfyAlarm(Section):
    """Notifications by ntfy, which phones show."""

    url: HookUrl = Field(examples=["https://ntfy.sh/{secret}"])
    """Address of the topic. `{secret}` in it stands for `tars_secrets.backup_ntfy_secret` in the vault. An address
    without it gets that secret as an access token, if the vault has one."""


class WebhookAlarm(Section):
    """A POST with a JSON object, which chat services and home automation take."""

    url: HookUrl = Field(examples=["https://home.example.org/api/webhook/{secret}"])
    """Address that is called. `{secret}` in it stands for `tars_secrets.backup_webhook_secret` in the vault. An address
    without it gets that secret as a bearer token, if the vault has one."""


class Alarms(Section):
    """When the backups need attention, and who receives a message. The page shows it in any case."""

    silence_h: int | None = Field(default=None, ge=1)
    """Hours without a good backup, while the desktop is on. Default: 3 if it backs up hourly, 27 if daily."""
    drill_days: int = Field(default=45, ge=1)
    """Days since the last drill."""
    sheet_days: int = Field(default=180, ge=1)
    """Days after which the page asks to try the recovery sheet."""
    free_percent: int = Field(default=10, ge=0, le=90)
    """Free part of the share, in percent, below which it counts as nearly full. A quota counts as its size."""
    mail: MailAlarm | None = None
    """Send mail."""
    ntfy: NtfyAlarm | None = None
    """Send a notification to an ntfy topic."""
    webhook: WebhookAlarm | None = None
    """Call an address."""


class CopyServer(Section):
    """A restic rest-server in append-only mode, which another person or company may run."""

    url: str = Field(pattern=SERVER_URL, examples=["https://backup.example.org:8000/tars/"])
    """Address of the repository."""
    account: str = Field(pattern=USER, examples=["tars"])
    """Account. Its password is `tars_secrets.backup_copy_NAME` in the vault, with the name of the copy."""
    ca: str | None = Field(default=None, pattern=FILE, examples=["~/backup-ca.pem"])
    """File on the controller with the certificate authority of the server. Default: those that the desktop trusts."""


class BackupCopy(Section):
    """A second repository of the backups, in exactly one of three places."""

    disk: str | None = Field(default=None, pattern=DISK, examples=["0f3a8d1e-2b7c-4e55-9d60-1c2f3a4b5c6d"])
    """UUID of a file system on a disk of the desktop. The disk is mounted only while a command uses it, and need not be
    connected at other times."""
    nfs: str | None = Field(default=None, pattern=EXPORT, examples=["192.168.1.30:/volume1/tars_copy"])
    """Export of a second NAS that the desktop may write to."""
    server: CopyServer | None = None
    """Server that the desktop can add backups to, and delete none from."""
    retention: Retention = Retention()
    """Which backups are kept there; on a server, which are copied."""


class Backup(Section):
    """Backups of the desktop on a share of the NAS. Without this section, there are none."""

    share: ShareName = "tars_backup"
    """Separate shared folder that only the backup account can open."""
    volume: str = Field(default="/volume1", pattern=VOLUME)
    """Volume of the NAS; snapshots need btrfs."""
    account: str = Field(default="tars-backup", pattern=USER)
    """Account of the NAS. Its password is `tars_secrets.dsm_backup_password` in the vault."""
    quota_gib: int = Field(default=0, ge=0)
    """Largest size of the share in GiB; 0 for no limit. Needs btrfs."""
    snapshots: Snapshots = Snapshots()
    """Snapshots of the share."""
    mount: Path = "/srv/tars/backup"
    """Folder of the desktop where the share is mounted."""
    image: Image = "restic/restic:0.18.1"
    """Image with the program restic, version 0.18 or newer, which stores the backups. The desktop copies the program
    out of it; the digest is recorded at the first pull and enforced from then on."""
    schedule: Literal["hourly", "daily"] = "hourly"
    """How often the desktop backs up. A backup is stored only if something has changed."""
    zone: TimeZone = Field(default="UTC", examples=["Europe/Amsterdam"])
    """Time zone of the days, weeks, months and years that `retention` counts."""
    retention: Retention = Retention()
    """Which backups are kept."""
    drill: Drill = Drill()
    """Rehearsals of a recovery."""
    alarms: Alarms = Alarms()
    """When the backups need attention, and who receives a message."""
    copies: dict[Name, BackupCopy] = Field(default_factory=dict, examples=[{"cellar": {"disk": "0f3a8d1e-2b7c"}}])
    """Copies of the backups, by name. Each backup is copied after it was made, to all that are connected."""


class History(Section):
    """Earlier versions of documents, from the snapshots that the NAS has taken of their shares. Without this section,
    the history begins with the first scan, and the snapshots' visibility stays as it is."""

    enabled: bool = True
    """Show the snapshots to the clients of the shares, read only in the folder #snapshot, and import them. `false`
    hides them again; what was imported stays."""
    shares: tuple[ShareName, ...] | None = Field(default=None, examples=[["LLM_docs"]])
    """Shares on btrfs volumes that the desktop mounts below /srv/tars/documents. Default: all of these."""
    days: int = Field(default=1826, ge=1, le=36525)
    """Age in days up to which snapshots are imported, five years by default."""


class Versions(Section):
    """How long versions of documents are kept after they were replaced, or their file was deleted."""

    years: int | None = Field(default=None, ge=1, le=100, examples=[10])
    """Versions that ended more years ago are removed with what only they contain, the first ones a week after this is
    set. Current versions always stay. Default: every version is kept for ever."""


class Uploads(Section):
    """Folder in which the page adds documents. Without this section, it adds none."""

    share: ShareName = Field(examples=["uploads"])
    """Share of documents that the desktop has the access `rw` to, best one for this alone: DSM grants write access to
    whole shares."""
    folder: str | None = Field(default=None, pattern=FOLDER, examples=["Incoming"])
    """Folder of this share, created by you. It alone is mounted writable, for the application alone. Default: the share
    itself."""


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
