# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own client and readers, for the commands on the NAS itself, which use it as the modules do.

The collection is not in Python's path: Ansible finds it by itself, this program adds the folder.
Import nothing of it elsewhere in `tars_provision`.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from tars_provision.project import collection

COLLECTION = collection()
if str(COLLECTION.parents[2]) not in sys.path:
    sys.path.append(str(COLLECTION.parents[2]))

from ansible_collections.tars.home.plugins.module_utils.dsm import calls  # noqa: E402 - path first
from ansible_collections.tars.home.plugins.module_utils.dsm.calls import Call  # noqa: E402 - as above
from ansible_collections.tars.home.plugins.module_utils.dsm.client.client import Client  # noqa: E402 - as above
from ansible_collections.tars.home.plugins.module_utils.dsm.client.transport import Transport  # noqa: E402 - as above
from ansible_collections.tars.home.plugins.module_utils.dsm.ensure import CONNECTION, connect  # noqa: E402 - as above
from ansible_collections.tars.home.plugins.module_utils.dsm.errors import ApiError, DsmError  # noqa: E402 - as above
from ansible_collections.tars.home.plugins.module_utils.dsm.nas import snapshots  # noqa: E402 - as above
from ansible_collections.tars.home.plugins.modules import dsm_info  # noqa: E402 - as above

PARTS = (*dsm_info.PARTS, *dsm_info.DETAILS)
"""Parts that `dsm_info` can read."""

__all__ = [
    "COLLECTION",
    "PARTS",
    "ApiError",
    "Call",
    "Client",
    "DsmError",
    "Transport",
    "calls",
    "connected",
    "info",
    "snapshots",
]


def connected(**options: Any) -> Client:
    """Return a client with the options of the `dsm_*` modules; what is not given has their defaults."""
    return connect({**{name: option.get("default") for name, option in CONNECTION.items()}, **options})


def info(client: Client, *parts: str) -> dict[str, Any]:
    """Return what the module `dsm_info` makes of these parts of a NAS."""
    return dsm_info.gather(client, _Asking({"gather": list(parts)}))


class _Asking:
    """Stands in for an Ansible module, as far as reading needs one."""

    check_mode = True

    def __init__(self, params: dict[str, Any]) -> None:
        self.params = params

    def warn(self, warning: str) -> None:
        raise DsmError(warning)

    def fail_json(self, msg: str, **_: Any) -> NoReturn:
        raise DsmError(msg)
