# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether DSM itself answers at an address: its Web API describes itself without a login."""

from __future__ import annotations

import http.client
import json
import ssl

from tars_provision.errors import ProvisionError, message

QUERY = "/webapi/query.cgi?api=SYNO.API.Info&version=1&method=query&query=SYNO.API.Auth"
"""Asks for the paths and versions of the login API (DSM Login Web API Guide, SYNO.API.Info)."""


class WebApiError(ProvisionError):
    """Something else than DSM answers."""


def login_version(host: str, port: int, timeout_s: float = 10) -> int:
    """Return the newest version of the login API that DSM offers. Raises WebApiError.

    Nothing secret is sent, and the certificate is not verified.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
    try:
        connection.request("GET", QUERY)
        response = connection.getresponse()
        actual = f"HTTP {response.status} without such an answer"
        return int(json.loads(response.read())["data"]["SYNO.API.Auth"]["maxVersion"])
    except (OSError, http.client.HTTPException) as error:
        actual = f"no answer ({error or type(error).__name__})"
        raise WebApiError(_text(host, port, actual)) from error
    except (LookupError, TypeError, ValueError) as error:
        raise WebApiError(_text(host, port, actual)) from error
    finally:
        connection.close()


def _text(host: str, port: int, actual: str) -> str:
    step = "Wait until DSM has started, and check that the port in the spec is DSM's HTTPS port"
    expected = "DSM's answer to SYNO.API.Info"
    return message(
        f"{host}:{port}", found=actual, expected=expected, next_step=f"{step} (Control Panel > Login Portal)"
    )
