# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection's options, and how a dsm_* module brings a resource of the NAS to its desired state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..resource.converge import Change, Outcome, Resource, State, converge
from ..resource.module_task import Module, ModuleTask, failing_typed
from .client.client import Client
from .client.second_factor import SecondFactor
from .client.session import SessionStore
from .client.transport import Endpoint, Transport

SETTLE_S = 2.0
"""Seconds before a change whose answer was lost is read back; DSM may still be making it."""

REFUSED = "DSM reported every change as done, but reading back shows otherwise."
ADVICE = "Check DSM's Log Center, or make the change once in Control Panel to see why DSM refuses it."

CONNECTION: dict[str, dict[str, Any]] = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 5001},
    "account": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "otp_secret": {"type": "str", "no_log": True},
    "device_file": {"type": "path"},
    "fingerprint": {"type": "str"},
    "ca_path": {"type": "path"},
    "session_file": {"type": "path"},
    "timeout": {"type": "int", "default": 30},
}


def connect(params: Mapping[str, Any], report: Callable[[str], None] = lambda text: None) -> Client:
    """Return a client for the options of CONNECTION; `report` is called with the reason when a login has to wait."""
    endpoint = Endpoint(
        params["host"], params["port"], params["fingerprint"], params["ca_path"], float(params["timeout"])
    )
    account, store = params["account"], SessionStore(params["session_file"])
    factor = SecondFactor(account, params["otp_secret"], params["device_file"], report=report)
    return Client(Transport(endpoint), store, account, params["password"], second_factor=factor)


def nas_task(options: dict[str, Any], run: Callable[[Client, Module], dict[str, Any]]) -> ModuleTask:
    """Return the task of a module whose `run` needs a connected client.

    `options` are the module's own, beside those of the connection. An error of DSM becomes the module's failure.
    """

    def run_connected(module: Module) -> dict[str, Any]:
        def work() -> dict[str, Any]:
            with connect(module.params, module.warn) as client:
                return run(client, module)

        return failing_typed(module, work)

    return ModuleTask({**CONNECTION, **options}, run_connected)


def ensure_on_nas(
    client: Client,
    module: Module,
    *,
    read: Callable[[], State],
    plan: Callable[[State], list[Change]],
    predict: Callable[[State, Sequence[Change]], State],
    write: Callable[[Change], None],
    show: Callable[[State], Mapping[str, Any]],
    assume_created: Callable[[State], tuple[State, list[str]]] | None = None,
    undo: Callable[[], None] = lambda: None,
) -> Outcome[State, Change]:
    """Bring a resource of the NAS to its desired state (in check mode: predict it).

    The functions are those of `Resource`, except that `write` makes one change. In check mode `assume_created` adds
    the objects that earlier tasks would have created to the state that was read, and names them for warnings.
    """

    def read_with_assumptions() -> State:
        state, assumed = assume_created(read()) if assume_created else (read(), [])
        for name in assumed:
            module.warn(f"{name} does not exist yet; the plan assumes that an earlier task creates it.")
        return state

    def write_all(changes: Sequence[Change]) -> None:
        for change in changes:
            write(change)

    resource = Resource(
        read=read_with_assumptions if module.check_mode else read,
        plan=plan,
        predict=predict,
        write=write_all,
        show=show,
        undo=undo,
        settle=lambda: client.sleep(SETTLE_S),
        refused=REFUSED,
        advice=ADVICE,
    )
    return converge(resource, module.check_mode)
