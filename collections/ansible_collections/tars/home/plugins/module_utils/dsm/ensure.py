# SPDX-License-Identifier: GPL-3.0-or-later
"""What the dsm_* modules have in common: the connection's options, and errors as one clear failure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

from ..resource.converge import Change, Outcome, Resource, State, converge
from ..resource.module_task import Module, ModuleTask, failing_typed
from .client.client import Client
from .client.second_factor import SecondFactor
from .client.session import SessionStore
from .client.transport import Endpoint, Transport

SETTLE_S = 2.0
"""Seconds until a change whose answer was lost is read back; DSM may still be at work on it."""

REFUSED = "DSM answered that everything is done, but reading back shows otherwise."
ADVICE = "Look in DSM's Log Center, or make the change once in Control Panel to see its objection."

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


def connect(params: Mapping[str, Any], say: Callable[[str], None] = lambda text: None) -> Client:
    """A client by the options of CONNECTION; `say` is told why a login had to wait."""
    endpoint = Endpoint(
        params["host"], params["port"], params["fingerprint"], params["ca_path"], float(params["timeout"])
    )
    account, store = params["account"], SessionStore(params["session_file"])
    factor = SecondFactor(account, params["otp_secret"], params["device_file"], say=say)
    return Client(Transport(endpoint), store, account, params["password"], second_factor=factor)


def run(module: Module, work: Callable[[Client, Module], dict[str, Any]]) -> dict[str, Any]:
    """Return the result of `work` with a connected client; whatever is wrong with the NAS becomes a failure."""

    def connected() -> dict[str, Any]:
        with connect(module.params, module.warn) as client:
            return work(client, module)

    return failing_typed(module, connected)


def on_nas(options: dict[str, Any], ensure: Callable[[Client, Module], dict[str, Any]]) -> ModuleTask:
    """The work of a module that takes `options` beside the connection's."""
    return ModuleTask({**CONNECTION, **options}, lambda module: run(module, ensure))


def bring_about(
    client: Client,
    module: Module,
    read: Callable[[], State],
    plan: Callable[[State], list[Change]],
    apply: Callable[[State, Sequence[Change]], State],
    write: Callable[[Change], None],
    show: Callable[[State], Mapping[str, Any]],
    with_unborn: Optional[Callable[[State], tuple[State, list[str]]]] = None,
    take_back: Callable[[], None] = lambda: None,
) -> Outcome[State, Change]:
    """`converge` for a module, in check mode without the writing.

    There, `with_unborn` adds to what was read what an earlier task would have made by now, and names that.
    `take_back` undoes what must not stay half done.
    """

    def read_ahead() -> State:
        found, unborn = with_unborn(read()) if with_unborn else (read(), [])
        for each in unborn:
            module.warn(f"{each} does not exist yet; the plan takes it as made before.")
        return found

    def write_each(changes: Sequence[Change]) -> None:
        for change in changes:
            write(change)

    resource = Resource(
        read=read_ahead if module.check_mode else read,
        plan=plan,
        predict=apply,
        write=write_each,
        show=show,
        undo=take_back,
        settle=lambda: client.sleep(SETTLE_S),
        refused=REFUSED,
        advice=ADVICE,
    )
    return converge(resource, module.check_mode)
