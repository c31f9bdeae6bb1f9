# SPDX-License-Identifier: GPL-3.0-or-later
"""How a device learns to trust this service: a page that tells it, and the certificate to download."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from string import Template

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import HTMLResponse

from tars_app.settings import Settings
from tars_app.trust.authority import Authority, load

PAGE = Template((Path(__file__).parent / "page.html").read_text("utf-8"))

FORMS: dict[str, tuple[str, Callable[[Authority], bytes]]] = {
    "crt": ("application/x-x509-ca-cert", lambda authority: authority.der),
    "pem": ("application/x-pem-file", lambda authority: authority.pem.encode()),
    "mobileconfig": ("application/x-apple-aspen-config", Authority.profile),
}
"""File name extension -> media type and content; by its media type a phone offers to install it."""


def make_router(settings: Settings) -> APIRouter:
    """Routes for devices that do not trust this service yet."""
    router = APIRouter(tags=["trust"])

    def authority() -> Authority:
        found = load(settings.authority)
        if found is None:
            raise HTTPException(404, "This service was given no authority to show.")
        return found

    @router.get("/trust", response_class=HTMLResponse)
    def page() -> str:
        """What to do on each kind of device, and the fingerprint to compare."""
        return PAGE.substitute(dict(zip("abcd", authority().fingerprint_groups, strict=True)))

    @router.get("/trust/tars-household.{form}", response_class=Response)
    def certificate(form: str) -> Response:
        """The authority's certificate: crt (DER), pem, or mobileconfig for Apple's devices."""
        if form not in FORMS:
            raise HTTPException(404, f"There is no such form; there are {', '.join(FORMS)}.")
        media_type, content = FORMS[form]
        return Response(content(authority()), media_type=media_type)

    return router
