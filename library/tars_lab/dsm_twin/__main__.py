# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the Web API on its machine: `python3 -m tars_lab.dsm_twin`, as root, started by dsm-twin.service."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import threading
from pathlib import Path

from tars_lab.dsm_twin import scheduled
from tars_lab.dsm_twin.apis import certificate
from tars_lab.dsm_twin.effects import SystemEffects
from tars_lab.dsm_twin.faults import DEFAULT_PATH, Faults
from tars_lab.dsm_twin.listen import serve, tls_server
from tars_lab.dsm_twin.nas import Factory, Nas
from tars_lab.dsm_twin.server import application
from tars_lab.dsm_twin.state import State

log = logging.getLogger(__name__)

ETC = Path("/etc/dsm-twin")
STATE = Path("/var/lib/dsm-twin/state.json")


def main() -> None:
    """Write the saved settings to the machine, then serve the Web API until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    factory = Factory.from_json(json.loads((ETC / "factory.json").read_text(encoding="utf-8")))
    effects = SystemEffects()
    nas = Nas.create(factory, State(STATE), effects, Faults(DEFAULT_PATH))
    for write in (nas.write_principals, nas.write_nfs, nas.write_firewall, nas.write_tasks):
        try:
            write(nas.state.data)
        except (OSError, subprocess.SubprocessError):
            log.exception("%s failed; the Web API starts nevertheless", write.__name__)
    server = tls_server(application(nas), ETC / "cert.pem", ETC / "key.pem")
    effects.restart_web = server.show
    effects.interfaces.cut = server.cut
    certificate.first_start(nas, (ETC / "cert.pem").read_text(encoding="utf-8"))
    threading.Thread(target=scheduled.watch, args=(nas,), daemon=True).start()
    asyncio.run(serve(server))


if __name__ == "__main__":
    main()
