# SPDX-License-Identifier: GPL-3.0-or-later
"""The issuer of the page's certificates returns with a restore: the same key and chain as on the lost desktop."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tars_backup import instants
from tars_backup.components import Component
from tars_backup.components.configuration import Configuration
from tars_backup.components.postgres import Postgres
from tars_backup.components.redis import Redis
from tars_backup.errors import BackupError, DestinationError
from tars_backup.restoring import issuer, journal, switch

from ..household import Household
from ..stack import SERVICES, document
from ..test_proof import wrap

CADDY_USER = 70004


class Page:
    """The page's files on the desktop, and authorities made with openssl."""

    def __init__(self, home: Household) -> None:
        self.home = home
        self.secrets = home.folder / "opt/secrets"
        self.secrets.mkdir(parents=True)
        self.key, self.certificate = self.secrets / "issuer.key", self.secrets / "issuer.pem"
        self.data = home.data / "caddy"
        self.root = home.folder / "opt/root.pem"
        self.authority("root")
        self.root.write_bytes((home.folder / "root.pem").read_bytes())
        self.start()

    def openssl(self, *words: str | Path) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=self.home.folder)

    def authority(self, name: str) -> None:
        """Create a root certificate with its key."""
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key"]
        self.openssl("req", "-x509", *new, "-subj", f"/CN={name}", "-days", "30", "-out", f"{name}.pem")

    def issue(self, by: str = "root", names: str = "home.arpa", days: str = "20") -> None:
        """Create a key and its certificate, as the role stack does."""
        extensions = f"basicConstraints=critical,CA:TRUE\nnameConstraints=critical,permitted;DNS:{names}\n"
        (self.home.folder / "extensions").write_text(extensions)
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "new.key"]
        self.openssl("req", *new, "-subj", "/CN=issuer", "-out", "new.csr")
        sign = ["-CA", f"{by}.pem", "-CAkey", f"{by}.key", "-CAcreateserial", "-days", days, "-extfile", "extensions"]
        self.openssl("x509", "-req", "-in", "new.csr", *sign, "-out", "new.pem")
        for source, target in (("new.key", self.key), ("new.pem", self.certificate)):
            target.unlink(missing_ok=True)
            target.write_bytes((self.home.folder / source).read_bytes())
            os.chown(target, CADDY_USER, CADDY_USER)
            target.chmod(0o400)
        self.data.mkdir(exist_ok=True)
        (self.data / "leaf").write_text("a certificate that this issuer signed")

    def start(self) -> None:
        self.issue()
        self.home.services.start(["caddy"], deadline_s=60)

    @property
    def content(self) -> tuple[bytes, bytes]:
        """Return key and certificate."""
        return self.key.read_bytes(), self.certificate.read_bytes()


@pytest.fixture
def page(home: Household, monkeypatch: pytest.MonkeyPatch) -> Page:
    """Return the page of a household whose backup has its first issuer, which was replaced since."""
    opt = home.folder / "opt"
    caddy = {"container": "tars-caddy-1", "image": "caddy", "user": CADDY_USER}
    volumes = [{"source": str(home.data / "caddy"), "target": "/data"}]
    services = document(home.folder, home.ports)["services"] | {"caddy": {**caddy, "volumes": volumes}}
    files = {"key": str(opt / "secrets/issuer.key"), "certificate": str(opt / "secrets/issuer.pem")}
    described: dict[str, Any] = {"service": "caddy", "ca": str(opt / "root.pem"), "issuer": files}
    home.write_contract(services=services, page=described)
    home.write_settings(configuration=[str(opt)])
    components: Sequence[Component] = (Postgres(), Redis(), Configuration())
    monkeypatch.setattr(Household, "components", components)
    home.services = home.context().services
    page = Page(home)
    home.run()
    return page


def restore(page: Page, parts: Sequence[str] | None = None, *, preview: bool = False) -> Any:
    from tars_backup.actions.restore import restore

    home = page.home
    return restore(home.configuration, home.components, home.context, name="latest", parts=parts, preview=preview)


def test_the_issuer_returns_with_its_rights_and_can_be_taken_back(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = page.content
    page.issue()
    replaced = page.content
    preview = restore(page, preview=True)
    assert preview.code == 3 and preview.components == ("configuration",) and preview.issuer
    assert "certificates" in "\n".join(preview.lines()) and page.content == replaced

    restored = restore(page)

    assert restored.components == ("configuration",) and restored.issuer and restored.services == ("caddy",)
    assert page.content == saved and saved != replaced
    for path in (page.key, page.certificate):
        status = path.stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (CADDY_USER, CADDY_USER, 0o400)
    assert list(page.data.iterdir()) == [], "certificates of the other issuer are not served"
    assert page.home.services.running(["caddy"]) == ["caddy"]
    assert not restore(page).changed and restore(page, preview=True).code == 0
    assert not page.home.run().changed, "files that are kept for a rollback are not part of a backup"

    now = instants.now()  # the kept files are named by the second
    monkeypatch.setattr(instants, "now", lambda: now + timedelta(minutes=1))
    rolled_back = page.home.roll_back()
    assert rolled_back.issuer and page.content == replaced and (page.data / "leaf").exists()


def test_database_and_issuer_return_together(page: Page) -> None:
    saved = page.content
    page.key.unlink()
    page.certificate.unlink()
    page.home.execute("DELETE FROM documents")
    restored = restore(page)
    assert restored.components == ("postgres", "configuration") and page.content == saved
    assert sorted(restored.services) == sorted([*SERVICES, "caddy"])
    assert page.home.documents_now == {"boiler", "roof"}
    later = instants.now() + switch.KEPT
    expired = switch.remove_expired(issuer.all_replaceable(page.home.context().contract), later)
    assert len(expired) == 4 and not any(path.exists() for path in expired)

    # A page that does not start returns to the issuer of before.
    page.issue()
    present = page.content
    (page.home.folder / "run/caddy.broken").write_text("0")
    with pytest.raises(BackupError, match="ends in succession"):
        restore(page)
    assert page.content == present and (page.data / "leaf").exists()


def test_a_share_that_fails_is_no_reason_to_leave_the_issuer_out(page: Page) -> None:
    page.issue()
    wrap(page.home, "/configuration/files.json", run=False, after="echo stale file handle >&2; exit 1")
    with pytest.raises(DestinationError, match="stale file handle"):
        restore(page)


def test_an_issuer_that_cannot_be_used_is_left_out_or_refused(page: Page) -> None:
    home = page.home
    page.issue(names="other.arpa")
    present = page.content
    assert "other names or addresses" in restore(page).left_out and page.content == present

    page.authority("other")
    page.root.write_bytes((home.folder / "other.pem").read_bytes())
    restored = restore(page)
    assert not restored.changed and "openssl verify" in restored.left_out and page.content == present
    assert restored.left_out in "\n".join(restored.lines())
    with pytest.raises(BackupError, match="openssl verify"):
        restore(page, ["configuration"])
    page.root.write_bytes((home.folder / "root.pem").read_bytes())

    page.issue()
    page.key.write_bytes((home.folder / "root.key").read_bytes())
    home.run()
    page.issue()
    present = page.content
    with pytest.raises(BackupError, match=r"a key that is not the one of issuer\.pem"):
        restore(page)
    assert page.content == present and home.services.running(["caddy"]) == ["caddy"]
    assert journal.read(home.context()) is None and not list(page.secrets.glob("*.restoring"))

    page.key.unlink()
    home.run()
    assert "issuer.key; expected the issuer" in restore(page).left_out
    home.write_contract()
    assert restore(page).components == ("postgres",)
    with pytest.raises(BackupError, match="no issuer of the page's certificates"):
        restore(page, ["configuration"])
