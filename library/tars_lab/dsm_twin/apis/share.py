# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.Share: shared folders, each of them a real folder on its volume."""

from __future__ import annotations

import errno
import fnmatch
import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tars_lab.dsm_twin.nas import Nas, folder, snapshots
from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, invalid, versions

BAD_INPUT = 403
RESERVED = (
    "homes",
    "home",
    "photo",
    "music",
    "video",
    "surveillance",
    "web",
    "web_packages",
    "netbackup",
    "usbshare*",
    "esatashare*",
)
NAME = re.compile(r"\w(?:[\w .-]{0,30}[\w.-])?")
"""Names that this NAS accepts. DSM's rules were not observed, so only harmless characters are accepted."""

SETTINGS: dict[str, tuple[type, Any]] = {
    "desc": (str, ""),
    "hidden": (bool, False),
    "hide_unreadable": (bool, False),
    "enable_recycle_bin": (bool, False),
    "recycle_bin_admin_only": (bool, False),
    "enable_share_cow": (bool, False),
    "enable_share_compress": (bool, False),
    "share_quota": (int, 0),
}
AT_CREATION = ("enable_share_cow", "enable_share_compress")
"""Settings that `set` accepts and silently ignores."""

SHARE_TABLES = ("permissions", "snapshots", "schedules", "retention", "browsing")
"""Tables of the state with an entry for each share, which is renamed and deleted with the share."""

OTHER_FIELDS = {"name", "vol_path", "name_org", "encryption", "enc_passwd", "force"}
ALWAYS_FALSE = {
    "unite_permission",
    "is_sync_share",
    "is_force_readonly",
    "is_exfat_share",
    "is_cluster_share",
    "is_cold_storage_share",
    "is_offline_share",
    "is_share_moving",
    "enable_share_tiering",
}
CODE_BY_ERRNO = {errno.ENOSPC: 3320, errno.EDQUOT: 3320, errno.EROFS: 3314, errno.EEXIST: 3312}


def list_shares(call: Call) -> object:
    """Return the shares, `limit` of them from `offset` on."""
    params = call.params
    if params.text("shareType", "all", bare=True) != "all":
        raise invalid("shareType", "condition")
    offset, limit = params.integer("offset", 0), params.integer("limit", -1)
    additional = _additional(params.raw("additional", "[]"))
    if additional is None:
        return {"shares": [], "total": 0}
    descending = params.text("sort_direction", "ASC", bare=True).upper() == "DESC"
    if params.text("sort_by", "name", bare=True) != "name":
        raise invalid("sort_by", "condition")
    names = sorted(call.nas.state.data["shares"], key=str.casefold, reverse=descending)
    chosen = names[offset:] if limit < 0 else names[offset : offset + limit]
    return {"shares": [_row(call.nas, name, additional) for name in chosen], "total": len(names)}


def get_share(call: Call) -> object:
    """Return one share."""
    name = _known(call.nas, call.params.text("name", bare=True))
    additional = _additional(call.params.raw("additional", "[]"))
    if additional is None:
        raise invalid("additional", "type")
    return _row(call.nas, name, additional)


def _additional(text: str) -> list[str] | None:
    """Return the requested additional fields, None if the parameter is not a JSON array of names."""
    try:
        names = json.loads(text)
    except ValueError:
        return None
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None


def _row(nas: Nas, name: str, additional: list[str]) -> dict[str, Any]:
    share = nas.state.data["shares"][name]
    row = {key: share[key] for key in ("name", "vol_path", "desc", "uuid")} | {"is_usb_share": False}
    for field in additional:
        row |= CONSTANTS.get(field) or ADDITIONAL.get(field, _unknown)(nas, share)
    return row


def _unknown(nas: Nas, share: dict[str, Any]) -> dict[str, Any]:
    """Return nothing, as for names of `additional` that this NAS does not know."""
    return {}


def _quota(nas: Nas, share: dict[str, Any]) -> dict[str, Any]:
    """Return the quota of a share and its use, in MiB."""
    used = round(nas.effects.used_bytes(folder(share)) / 2**20, 6)
    return {
        "quota_value": share["share_quota"],
        "share_quota_used": used,
        "share_quota_logical_size": used,
        "share_quota_status": "v2" if share["share_quota"] else "not_set",
    }


def _if_true(field: str) -> Callable[[Nas, dict[str, Any]], dict[str, Any]]:
    """Return a function that reports a flag only if it is true."""
    return lambda nas, share: {field: True} if share[field] else {}


CONSTANTS: dict[str, dict[str, Any]] = {
    **{field: {field: False} for field in ALWAYS_FALSE},
    "encryption": {"encryption": 0},
    "is_aclmode": {"is_aclmode": True},
    "is_support_acl": {"is_support_acl": True},
    "force_readonly_reason": {"force_readonly_reason": ""},
}
"""Fields for names of `additional` that are the same for all shares."""

ADDITIONAL: dict[str, Callable[[Nas, dict[str, Any]], dict[str, Any]]] = {
    "hidden": lambda nas, share: {"hidden": share["hidden"]},
    "recyclebin": lambda nas, share: {key: share[key] for key in ("enable_recycle_bin", "recycle_bin_admin_only")},
    "share_quota": _quota,
    "enable_share_cow": _if_true("enable_share_cow"),
    "enable_share_compress": _if_true("enable_share_compress"),
    "support_snapshot": lambda nas, share: {"support_snapshot": on_btrfs(nas, share)},
    "is_missing_share": lambda nas, share: {"is_missing_share": not nas.effects.exists(folder(share))},
}
"""Functions that return the fields for the other names of `additional`."""


def create(call: Call) -> object:
    """Create a share and its folder."""
    nas = call.nas
    info = _shareinfo(call)
    name = call.params.text("name", missing=BAD_INPUT)
    if info.get("name") != name or "vol_path" not in info or not isinstance(info.get("name_org"), str):
        raise DsmError(BAD_INPUT)
    if info["name_org"]:
        raise DsmError(3301)
    _check_name(nas, name)
    if nas.volume(info["vol_path"]) is None:
        raise DsmError(3304)
    if info.get("encryption"):
        raise DsmError(3300)
    settings = {key: info.get(key, default) for key, (_, default) in SETTINGS.items()}
    if settings["enable_share_compress"] and not settings["enable_share_cow"]:
        raise DsmError(3300)
    share = settings | {"name": name, "vol_path": info["vol_path"], "uuid": str(uuid.uuid4()), "created": time.time()}
    _check_settings(nas, share)
    _add(nas, share, lambda: nas.effects.create_folder(folder(share)))
    return {"name": name}


def clone(call: Call) -> object:
    """Create a share as a copy of another one, or of a snapshot of it."""
    nas = call.nas
    info = _shareinfo(call)
    name, snapshot = call.params.text("name", missing=BAD_INPUT), call.params.text("snapshot", "")
    original = nas.state.data["shares"].get(info.get("name_org"))
    if info.get("name") != name or original is None:
        raise DsmError(BAD_INPUT)
    _check_name(nas, name)
    taken = [row["time"] for row in nas.state.data["snapshots"].get(original["name"], [])]
    if (
        info.get("vol_path") != original["vol_path"]
        or not on_btrfs(nas, original)
        or (snapshot and snapshot not in taken)
    ):
        raise DsmError(3300)
    share = original | {"name": name, "uuid": str(uuid.uuid4()), "created": time.time()}
    source = f"{snapshots(original)}/{snapshot}" if snapshot else folder(original)
    _add(nas, share, lambda: nas.effects.copy_folder(source, folder(share)))
    return {"name": name}


def _add(nas: Nas, share: dict[str, Any], make_folder: Callable[[], None]) -> None:
    """Make the folder of a share, and record the share."""
    if nas.effects.exists(folder(share)):
        raise DsmError(3312)
    with _volume_errors():
        make_folder()
        try:
            with nas.state.change() as data:
                share["export_id"] = data["next_export_id"]
                data["next_export_id"] += 1
                data["shares"][share["name"]] = share
        except BaseException:
            # A folder without its share would make the next attempt fail.
            nas.effects.delete_folder(folder(share))
            raise


def set_share(call: Call) -> object:
    """Change settings of a share, and rename it."""
    nas = call.nas
    name = _known(nas, call.params.text("name", missing=BAD_INPUT))
    info = _shareinfo(call)
    before = nas.state.data["shares"][name]
    _check_change(nas, before, info)
    changes = {key: info[key] for key in SETTINGS if key in info and key not in AT_CREATION}
    share = before | changes | {"name": info["name"]}
    _check_settings(nas, share)
    with _volume_errors(), nas.state.change() as data:
        del data["shares"][name]
        data["shares"][share["name"]] = share
        if share["name"] != name:
            _rename(nas, data, before, share)
    return {"name": share["name"]}


def _check_change(nas: Nas, before: dict[str, Any], info: dict[str, Any]) -> None:
    """Raise the error for settings with which this share cannot be changed."""
    if not isinstance(info.get("name"), str) or "vol_path" not in info:
        raise DsmError(BAD_INPUT)
    renamed = info["name"] != before["name"]
    if (renamed or info.get("name_org")) and info.get("name_org") != before["name"]:
        raise DsmError(BAD_INPUT)
    if renamed:
        _check_name(nas, info["name"], but=before["name"])
    if nas.volume(info["vol_path"]) is None:
        raise DsmError(3304)
    if info["vol_path"] != before["vol_path"] or info.get("encryption"):
        raise DsmError(3300)


def _rename(nas: Nas, data: dict[str, Any], before: dict[str, Any], share: dict[str, Any]) -> None:
    """Move the folders, the rules and the other entries of a share to its new name."""
    for table in SHARE_TABLES:
        if before["name"] in data[table]:
            data[table][share["name"]] = data[table].pop(before["name"])
    rules = data["rules"].pop(before["name"], [])
    if rules:
        # NFS clients have file handles of the old path; to them the renamed folder is a new export.
        share["export_id"] = data["next_export_id"]
        data["next_export_id"] += 1
        data["rules"][share["name"]] = rules
    nas.effects.rename_folder(folder(before), folder(share))
    if nas.effects.exists(snapshots(before)):
        nas.effects.rename_folder(snapshots(before), snapshots(share))
    if rules:
        nas.write_nfs(data)


def delete(call: Call) -> object:
    """Delete one share or a list of shares, with folders and snapshots."""
    nas = call.nas
    value = call.params.value("name", object, missing=BAD_INPUT)
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) for name in names):
        raise invalid("name", "type")
    for name in names:
        _known(nas, name)
    with _volume_errors(), nas.state.change() as data:
        deleted = [data["shares"].pop(name) for name in dict.fromkeys(names)]
        if any([data["rules"].pop(share["name"], None) for share in deleted]):
            nas.write_nfs(data)
        for share in deleted:
            for table in SHARE_TABLES:
                data[table].pop(share["name"], None)
            nas.effects.delete_folder(snapshots(share))
            nas.effects.delete_folder(folder(share))
    return None


def _shareinfo(call: Call) -> dict[str, Any]:
    """Return the settings of a write. Raises DsmError 403 for an unknown one or another type."""
    try:
        info: dict[str, Any] = call.params.value("shareinfo", dict, missing=BAD_INPUT)
    except DsmError as error:
        raise DsmError(BAD_INPUT) from error
    for key, value in info.items():
        kind, _ = SETTINGS.get(key, (object, None))
        if (key not in SETTINGS and key not in OTHER_FIELDS) or type(value) is not kind is not object:
            raise DsmError(BAD_INPUT)
    return info


def _known(nas: Nas, name: str) -> str:
    if name not in nas.state.data["shares"]:
        raise DsmError(402)
    return name


def _check_name(nas: Nas, name: str, but: str | None = None) -> None:
    if any(fnmatch.fnmatchcase(name.casefold(), pattern) for pattern in RESERVED):
        raise DsmError(3319)
    if not NAME.fullmatch(name):
        raise DsmError(3305)
    if name.casefold() in (taken.casefold() for taken in nas.state.data["shares"] if taken != but):
        raise DsmError(3301)


def _check_settings(nas: Nas, share: dict[str, Any]) -> None:
    """Raise DsmError 3300 for inconsistent or invalid values; drop a quota on ext4 without an error, as DSM does."""
    if len(share["desc"]) > 64 or share["share_quota"] < 0:
        raise DsmError(3300)
    if share["recycle_bin_admin_only"] and not share["enable_recycle_bin"]:
        raise DsmError(3300)
    if not on_btrfs(nas, share):
        share["share_quota"] = 0


def on_btrfs(nas: Nas, share: dict[str, Any]) -> bool:
    """Return whether the volume of a share has the file system btrfs."""
    volume = nas.volume(share["vol_path"])
    return volume is not None and volume.fs_type == "btrfs"


@contextmanager
def _volume_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in CODE_BY_ERRNO:
            raise
        raise DsmError(CODE_BY_ERRNO[error.errno]) from error


APIS = [
    Api(
        "SYNO.Core.Share",
        1,
        1,
        {
            "list": Method(list_shares, versions(1)),
            "get": Method(get_share, versions(1)),
            "create": Method(create, versions(1), write=True),
            "clone": Method(clone, versions(1), write=True),
            "set": Method(set_share, versions(1), write=True),
            "delete": Method(delete, versions(1), write=True),
        },
        busy=3328,
    )
]
