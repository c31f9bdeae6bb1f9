# SPDX-License-Identifier: GPL-3.0-or-later
"""What the dsm_* modules have in common: the connection's options, and errors as one clear failure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol

from .dsm_client import Client
from .dsm_converge import Incomplete
from .dsm_errors import DsmError
from .dsm_session import SessionStore
from .dsm_transport import Endpoint, Transport

CONNECTION: dict[str, dict[str, Any]] = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 5001},
    "account": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "fingerprint": {"type": "str"},
    "ca_path": {"type": "path"},
    "session_file": {"type": "path"},
    "timeout": {"type": "int", "default": 30},
}


class Module(Protocol):
    """All that the shared code uses of AnsibleModule."""

    params: dict[str, Any]
    check_mode: bool

    def warn(self, warning: str) -> None: ...

    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn: ...


def connect(params: Mapping[str, Any]) -> Client:
    endpoint = Endpoint(
        params["host"], params["port"], params["fingerprint"], params["ca_path"], float(params["timeout"])
    )
    return Client(Transport(endpoint), SessionStore(params["session_file"]), params["account"], params["password"])


def run(module: Module, work: Callable[[Client, Module], dict[str, Any]]) -> dict[str, Any]:
    """The result of `work` with a connected client; whatever is wrong with the NAS becomes the module's failure."""
    try:
        with connect(module.params) as client:
            return work(client, module)
    except Incomplete as error:
        module.fail_json(msg=str(error), changed=bool(error.done), changes=error.done)
    except DsmError as error:
        module.fail_json(msg=str(error))
