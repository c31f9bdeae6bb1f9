# SPDX-License-Identifier: GPL-3.0-or-later
"""The page with instructions to trust this service, and the certificate to download."""

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
"""File name extension -> media type and content. Phones offer to install a file of these media types."""


def make_router(settings: Settings) -> APIRouter:
    """Return the routes for devices that do not trust this service yet."""
    router = APIRouter(tags=["trust"])

    def authority() -> Authority:
        loaded = load(settings.authority)
        if loaded is None:
            raise HTTPException(404, "This service has no certificate authority to show.")
        return loaded

    @router.get("/trust", response_class=HTMLResponse)
    def page() -> str:
        """Instructions for each kind of device, and the fingerprint to compare."""
        return PAGE.substitute(dict(zip("abcd", authority().fingerprint_groups, strict=True)))

    @router.get("/trust/tars-household.{form}", response_class=Response)
    def certificate(form: str) -> Response:
        """The certificate: crt (DER), pem, or mobileconfig for Apple devices."""
        if form not in FORMS:
            raise HTTPException(404, f"The certificate has no format {form!r}. Use one of {', '.join(FORMS)}.")
        media_type, content = FORMS[form]
        return Response(content(authority()), media_type=media_type)

    return router
