# SPDX-License-Identifier: GPL-3.0-or-later
"""The APIs that the collection calls, so that a session learns their paths and versions by one question.

To ask for all of them instead would bring the 1076 of a DSM 7.0, over 100 KiB, where these are about 3.
"""

from __future__ import annotations

NAMES = (
    "SYNO.API.Auth",
    "SYNO.Core.Certificate",
    "SYNO.Core.Certificate.CRT",
    "SYNO.Core.Certificate.Service",
    "SYNO.Core.CurrentConnection",
    "SYNO.Core.FileServ.FTP.SFTP",
    "SYNO.Core.FileServ.NFS",
    "SYNO.Core.FileServ.NFS.SharePrivilege",
    "SYNO.Core.Group",
    "SYNO.Core.Group.Member",
    "SYNO.Core.Network",
    "SYNO.Core.Network.Ethernet",
    "SYNO.Core.Package",
    "SYNO.Core.Package.Control",
    "SYNO.Core.Region.NTP",
    "SYNO.Core.Security.Firewall",
    "SYNO.Core.Security.Firewall.Adapter",
    "SYNO.Core.Security.Firewall.Profile",
    "SYNO.Core.Security.Firewall.Profile.Apply",
    "SYNO.Core.Share",
    "SYNO.Core.Share.Permission",
    "SYNO.Core.Share.Snapshot",
    "SYNO.Core.Storage.Volume",
    "SYNO.Core.TaskScheduler",
    "SYNO.Core.TaskScheduler.Root",
    "SYNO.Core.Terminal",
    "SYNO.Core.User",
    "SYNO.Core.User.PasswordConfirm",
    "SYNO.DSM.Info",
    "SYNO.DSM.Network",
    "SYNO.DisasterRecovery.Retention",
    "SYNO.Entry.Request",
)
