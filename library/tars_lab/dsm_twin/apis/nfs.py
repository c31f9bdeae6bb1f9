# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.FileServ.NFS and its SharePrivilege: the NFS service and each share's list of export rules."""

from __future__ import annotations

import re
import time
from typing import Any

from tars_lab.dsm_twin.ganesha import SECURITY, SQUASH
from tars_lab.dsm_twin.protocol import Api, Call, DsmError, Method, versions

BAD_VALUE = 2301
NO_SUCH_SHARE = 2370
FRESH_S = 60
"""Age in seconds below which the fault `nfs_2370_after_create` affects a share."""

SUPPORT_MINOR_VER = 1
CLIENT = re.compile(r"@?[A-Za-z0-9*?][A-Za-z0-9.:*?/_-]{0,254}|::[0-9A-Fa-f:./]*")
FLAGS = ("async", "insecure", "crossmnt")
KEYS = {"client", "privilege", "root_squash", "security_flavor", *FLAGS}


def get_service(call: Call) -> object:
    """Return the settings of the NFS service."""
    return call.nas.state.data["nfs"] | {
        "nfs_v4_domain": "",
        "read_size": 8192,
        "write_size": 8192,
        "support_major_ver": 4,
        "support_minor_ver": SUPPORT_MINOR_VER,
        "support_encrypt_share": True,
        "unix_pri_enable": True,
    }


def set_service(call: Call) -> object:
    """Set the NFS service. All three values must be sent, as in every call that was observed."""
    wanted = {
        "enable_nfs": call.params.flag("enable_nfs"),
        "enable_nfs_v4": call.params.flag("enable_nfs_v4"),
        "enabled_minor_ver": call.params.integer("enabled_minor_ver"),
    }
    if not 0 <= wanted["enabled_minor_ver"] <= SUPPORT_MINOR_VER:
        raise DsmError(BAD_VALUE)
    with call.nas.state.change() as data:
        data["nfs"] = wanted
        call.nas.write_nfs(data)
    return None


def load(call: Call) -> object:
    """Return the rules of a share, with 0 and 1 for booleans, as some builds of DSM do."""
    rules = call.nas.state.data["rules"].get(_share(call), [])
    return {"rule": [rule | {flag: int(rule[flag]) for flag in FLAGS} | {"id": rule["client"]} for rule in rules]}


def save(call: Call) -> object:
    """Replace all rules of a share; [] ends the export. After an error the previous rules stay in force."""
    name = _share(call)
    share = call.nas.state.data["shares"][name]
    fresh = time.time() - share["created"] < FRESH_S
    if fresh and call.nas.faults.take("nfs_2370_after_create", "SYNO.Core.FileServ.NFS.SharePrivilege.save"):
        raise DsmError(NO_SUCH_SHARE)
    if not call.nas.state.data["nfs"]["enable_nfs"]:
        raise DsmError(BAD_VALUE)
    try:
        sent = call.params.value("rule", list, missing=BAD_VALUE)
    except DsmError as error:
        raise DsmError(BAD_VALUE) from error
    rules = [_rule(rule) for rule in sent]
    with call.nas.state.change() as data:
        data["rules"][name] = rules
        call.nas.write_nfs(data)
    return None


def _share(call: Call) -> str:
    name = call.params.text("share_name", missing=BAD_VALUE)
    if name not in call.nas.state.data["shares"]:
        raise DsmError(NO_SUCH_SHARE)
    return name


def _rule(rule: Any) -> dict[str, Any]:
    """Return a rule without its `id`. Raises DsmError 2301 unless it has exactly the known keys with valid values."""
    if not isinstance(rule, dict) or rule.keys() - {"id"} != KEYS or not isinstance(rule.get("id", ""), str):
        raise DsmError(BAD_VALUE)
    flavor = rule["security_flavor"]
    valid = (
        isinstance(rule["client"], str)
        and CLIENT.fullmatch(rule["client"]) is not None
        and rule["privilege"] in ("rw", "ro")
        and rule["root_squash"] in tuple(SQUASH)
        and all(isinstance(rule[flag], bool) for flag in FLAGS)
        and isinstance(flavor, dict)
        and flavor.keys() == SECURITY.keys()
        and all(isinstance(on, bool) for on in flavor.values())
        and any(flavor.values())
    )
    if not valid:
        raise DsmError(BAD_VALUE)
    return {key: rule[key] for key in sorted(KEYS)}


APIS = [
    Api(
        "SYNO.Core.FileServ.NFS",
        1,
        3,
        {
            "get": Method(get_service, versions(2)),
            "set": Method(set_service, versions(2), write=True),
        },
    ),
    Api(
        "SYNO.Core.FileServ.NFS.SharePrivilege",
        1,
        1,
        {"load": Method(load, versions(1)), "save": Method(save, versions(1), write=True)},
    ),
]
