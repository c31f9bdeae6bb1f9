# SPDX-License-Identifier: GPL-3.0-or-later
"""Every call of DSM's Web API that the collection makes. The client takes nothing but these.

docs/tested-against.md lists the same calls, each with the source it is known from.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Call:
    """A method of an API, and the newest version of the API that this client speaks."""

    api: str
    method: str
    version: int

    def __str__(self) -> str:
        return f"{self.api} {self.method}"


API_INFO = Call("SYNO.API.Info", "query", 1)
# Login 7 is what DSM 7.3 wants for privileged changes, 6 is enough for 7.1.
LOGIN = Call("SYNO.API.Auth", "login", 7)
LOGOUT = Call("SYNO.API.Auth", "logout", 7)
COMPOUND = Call("SYNO.Entry.Request", "request", 1)
CONFIRM_PASSWORD = Call("SYNO.Core.User.PasswordConfirm", "auth", 2)

SYSTEM_INFO = Call("SYNO.DSM.Info", "getinfo", 2)
INTERFACES = Call("SYNO.DSM.Network", "list", 2)
CONNECTIONS = Call("SYNO.Core.CurrentConnection", "list", 1)

NETWORK_GET = Call("SYNO.Core.Network", "get", 2)
NETWORK_SET = Call("SYNO.Core.Network", "set", 2)
ETHERNET_LIST = Call("SYNO.Core.Network.Ethernet", "list", 2)
ETHERNET_SET = Call("SYNO.Core.Network.Ethernet", "set", 1)
TIME_GET = Call("SYNO.Core.Region.NTP", "get", 1)
TIME_SET = Call("SYNO.Core.Region.NTP", "set", 1)
TIME_ZONES = Call("SYNO.Core.Region.NTP", "listzone", 1)
TERMINAL_GET = Call("SYNO.Core.Terminal", "get", 3)
TERMINAL_SET = Call("SYNO.Core.Terminal", "set", 3)
SFTP_GET = Call("SYNO.Core.FileServ.FTP.SFTP", "get", 1)
SFTP_SET = Call("SYNO.Core.FileServ.FTP.SFTP", "set", 1)

VOLUME_LIST = Call("SYNO.Core.Storage.Volume", "list", 1)
SHARE_LIST = Call("SYNO.Core.Share", "list", 1)
SHARE_CLONE = Call("SYNO.Core.Share", "clone", 1)
SHARE_CREATE = Call("SYNO.Core.Share", "create", 1)
SHARE_SET = Call("SYNO.Core.Share", "set", 1)
SHARE_DELETE = Call("SYNO.Core.Share", "delete", 1)
NFS_GET = Call("SYNO.Core.FileServ.NFS", "get", 2)
NFS_SET = Call("SYNO.Core.FileServ.NFS", "set", 2)
NFS_RULES_LOAD = Call("SYNO.Core.FileServ.NFS.SharePrivilege", "load", 1)
NFS_RULES_SAVE = Call("SYNO.Core.FileServ.NFS.SharePrivilege", "save", 1)

USER_LIST = Call("SYNO.Core.User", "list", 1)
USER_CREATE = Call("SYNO.Core.User", "create", 1)
USER_SET = Call("SYNO.Core.User", "set", 1)
USER_DELETE = Call("SYNO.Core.User", "delete", 1)
GROUP_LIST = Call("SYNO.Core.Group", "list", 1)
GROUP_CREATE = Call("SYNO.Core.Group", "create", 1)
GROUP_SET = Call("SYNO.Core.Group", "set", 1)
GROUP_DELETE = Call("SYNO.Core.Group", "delete", 1)
MEMBER_LIST = Call("SYNO.Core.Group.Member", "list", 1)
MEMBER_ADD = Call("SYNO.Core.Group.Member", "add", 1)
MEMBER_REMOVE = Call("SYNO.Core.Group.Member", "remove", 1)
PERMISSION_LIST = Call("SYNO.Core.Share.Permission", "list", 1)
PERMISSION_SET = Call("SYNO.Core.Share.Permission", "set", 1)

SNAPSHOT_LIST = Call("SYNO.Core.Share.Snapshot", "list", 2)
SNAPSHOT_SCHEDULE_GET = Call("SYNO.Core.Share.Snapshot", "get_schedule", 1)
SNAPSHOT_SCHEDULE_SET = Call("SYNO.Core.Share.Snapshot", "set_schedule", 1)
SNAPSHOT_CONF_GET = Call("SYNO.Core.Share.Snapshot", "get_share_conf", 1)
SNAPSHOT_CONF_SET = Call("SYNO.Core.Share.Snapshot", "set_share_conf", 1)
RETENTION_GET = Call("SYNO.DisasterRecovery.Retention", "get", 1)
RETENTION_SET = Call("SYNO.DisasterRecovery.Retention", "set", 1)

PACKAGE_LIST = Call("SYNO.Core.Package", "list", 2)
PACKAGE_START = Call("SYNO.Core.Package.Control", "start", 1)
PACKAGE_STOP = Call("SYNO.Core.Package.Control", "stop", 1)

# Each method of this API has a version of its own: list answers nothing usable in 4.
TASK_LIST = Call("SYNO.Core.TaskScheduler", "list", 3)
TASK_GET = Call("SYNO.Core.TaskScheduler", "get", 4)
TASK_CREATE = Call("SYNO.Core.TaskScheduler", "create", 4)
TASK_SET = Call("SYNO.Core.TaskScheduler", "set", 4)
TASK_DELETE = Call("SYNO.Core.TaskScheduler", "delete", 2)
ROOT_TASK_CREATE = Call("SYNO.Core.TaskScheduler.Root", "create", 4)
ROOT_TASK_SET = Call("SYNO.Core.TaskScheduler.Root", "set", 4)

FIREWALL_GET = Call("SYNO.Core.Security.Firewall", "get", 1)
FIREWALL_SET = Call("SYNO.Core.Security.Firewall", "set", 1)
FIREWALL_ADAPTERS = Call("SYNO.Core.Security.Firewall.Adapter", "list", 1)
FIREWALL_PROFILE_GET = Call("SYNO.Core.Security.Firewall.Profile", "get", 1)
FIREWALL_PROFILE_SET = Call("SYNO.Core.Security.Firewall.Profile", "set", 1)
FIREWALL_APPLY_START = Call("SYNO.Core.Security.Firewall.Profile.Apply", "start", 1)
FIREWALL_APPLY_STATUS = Call("SYNO.Core.Security.Firewall.Profile.Apply", "status", 1)
FIREWALL_APPLY_STOP = Call("SYNO.Core.Security.Firewall.Profile.Apply", "stop", 1)

CERTIFICATE_LIST = Call("SYNO.Core.Certificate.CRT", "list", 1)
CERTIFICATE_IMPORT = Call("SYNO.Core.Certificate", "import", 1)
CERTIFICATE_BIND = Call("SYNO.Core.Certificate.Service", "set", 1)

REGISTRY: dict[str, Call] = {name: value for name, value in globals().items() if isinstance(value, Call)}
"""All of these by name."""

APIS = sorted({call.api for call in REGISTRY.values()} - {API_INFO.api})
"""The APIs whose paths and versions a session asks for at its start.

One question for all 1076 of a DSM 7.0 would bring over 100 KiB, these bring about 3.
"""
