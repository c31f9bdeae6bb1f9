# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.Storage.Volume and SYNO.Storage.CGI.Storage: volumes, their storage pool and its disks."""

from __future__ import annotations

from typing import Any

from tars_lab.dsm_twin.nas import Nas, Volume
from tars_lab.dsm_twin.protocol import Api, Call, Method, invalid, versions

POOL = "reuse_1"
DEVICE_TYPE = "raid_5"
DISK_BYTES = 4_000_787_030_016


def list_volumes(call: Call) -> object:
    """Return the volumes, `limit` of them from `offset` on."""
    offset = call.params.integer("offset", missing=101)
    limit = call.params.integer("limit", missing=101)
    if call.params.text("location", missing=101) != "internal":
        raise invalid("location", "condition")
    rows = [_core(call.nas, volume) for volume in call.nas.factory.volumes]
    return {"volumes": rows[offset:] if limit < 0 else rows[offset : offset + limit], "total": len(rows)}


def get_volume(call: Call) -> object:
    """Return one volume."""
    volume = call.nas.volume(call.params.text("volume_path", missing=101))
    if volume is None:
        raise invalid("volume_path", "condition")
    return {"volume": _core(call.nas, volume)}


def _core(nas: Nas, volume: Volume) -> dict[str, Any]:
    space = nas.effects.space(volume.path)
    number = int(volume.id.rpartition("_")[2])
    return {
        "display_name": f"Volume {number}",
        "volume_path": volume.path,
        "volume_id": number,
        "status": "normal",
        "fs_type": volume.fs_type,
        "size_total_byte": str(space.total),
        "size_free_byte": str(space.free),
        "container": "internal",
        "location": "internal",
        "device_type": DEVICE_TYPE,
    }


def load_info(call: Call) -> object:
    """Return disks, storage pool and volumes."""
    nas = call.nas
    disks = [_disk(number) for number in range(nas.factory.disks)]
    volumes = [_cgi(nas, volume) for volume in nas.factory.volumes]
    pool = {
        "id": POOL,
        "status": "normal",
        "device_type": DEVICE_TYPE,
        "raid_type": "multiple",
        "disks": [disk["id"] for disk in disks],
        "pool_child": [{"id": volume["id"], "size": {"total": volume["size"]["total"]}} for volume in volumes],
    }
    return {"disks": disks, "storagePools": [pool], "volumes": volumes, "ports": [], "env": {}}


def _disk(number: int) -> dict[str, Any]:
    identity = f"sd{chr(ord('a') + number)}"
    return {
        "id": identity,
        "device": f"/dev/{identity}",
        "name": f"Drive {number + 1}",
        "model": "Lab Disk",
        "vendor": "ATA",
        "serial": f"LAB{number + 1:05d}",
        "firm": "1.0",
        "diskType": "SATA",
        "status": "normal",
        "smart_status": "normal",
        "exceed_bad_sector_thr": False,
        "below_remain_life_thr": False,
        "temp": 30 + number,
        "size_total": str(DISK_BYTES),
        "container": {"type": "internal"},
    }


def _cgi(nas: Nas, volume: Volume) -> dict[str, Any]:
    space = nas.effects.space(volume.path)
    return {
        "id": volume.id,
        "vol_path": volume.path,
        "status": "normal",
        "fs_type": volume.fs_type,
        "device_type": DEVICE_TYPE,
        "pool_path": POOL,
        "size": {"total": str(space.total), "used": str(space.total - space.free)},
    }


APIS = [
    Api(
        "SYNO.Core.Storage.Volume",
        1,
        1,
        {"list": Method(list_volumes, versions(1)), "get": Method(get_volume, versions(1))},
    ),
    Api("SYNO.Storage.CGI.Storage", 1, 1, {"load_info": Method(load_info, versions(1))}),
]
