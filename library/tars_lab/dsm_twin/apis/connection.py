# SPDX-License-Identifier: GPL-3.0-or-later
"""SYNO.Core.CurrentConnection: the accounts that are logged in, and their addresses."""

from __future__ import annotations

import os

from tars_lab.dsm_twin.protocol import Api, Call, Method, versions


def list_connections(call: Call) -> object:
    """Return the open sessions."""
    sessions = call.nas.sessions.listed()
    items = [
        {
            "who": session.account,
            "from": session.address,
            "is_current_connected": session.sid == call.caller.sid,
            "pid": os.getpid(),
            "type": "HTTP/HTTPS",
        }
        for session in sessions
    ]
    return {"items": items, "total": len(items)}


APIS = [Api("SYNO.Core.CurrentConnection", 1, 1, {"list": Method(list_connections, versions(1))})]
