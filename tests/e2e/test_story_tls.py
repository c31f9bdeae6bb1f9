# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates: only the household's root is needed to verify them, with openssl and curl, and its scope is limited."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from tars_provision.controller import vault

from ..conftest import INVENTORY, tars
from .conftest import AUTHORITY, eventually, host, playbook

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.usefixtures("provisioned")]

DESKTOP = "10.77.0.10"
ROOT = "-no-CApath -no-CAstore -CAfile /root/root.pem"
CONNECT = "openssl s_client {options} {root} -verify_return_error -x509_strict -connect {address} < /dev/null"
KEYS = "grep -rlsE 'BEGIN ([A-Z]+ )?PRIVATE KEY' /etc /opt /root /srv /usr/local /var/lib/tars"


@pytest.fixture(autouse=True, scope="module")
def trusted(provisioned: None) -> None:
    """Write the root certificate to ``client``, to a file and to no trust store."""
    put("client", "root.pem", AUTHORITY.read_text())


def put(machine: str, name: str, text: str) -> None:
    written = host(machine).run(f"cat > /root/{name} <<'END'\n{text}\nEND")
    assert written.rc == 0, written.stderr


def run(machine: str, command: str) -> str:
    done = host(machine).run(command)
    assert done.rc == 0, f"{command}: {done.stdout}{done.stderr}"
    return str(done.stdout)


def connect(options: str, address: str, root: str = ROOT) -> tuple[int, str]:
    """Connect to a TLS server from ``client``; return openssl's exit code and output."""
    done = host("client").run(CONNECT.format(options=options, root=root, address=address))
    return done.rc, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["tars.home.arpa", "llm.home.arpa", "xps8950.home.arpa"])
def test_the_root_verifies_the_desktop_by_name(name: str) -> None:
    code, output = connect(f"-servername {name} -verify_hostname {name}", f"{DESKTOP}:443")
    assert code == 0 and f"Verified peername: {name}" in output, output
    run(
        "client",
        f"curl -sSf --capath /dev/null --cacert /root/root.pem --resolve {name}:443:{DESKTOP} https://{name}/health",
    )
    assert connect(f"-servername {name}", f"{DESKTOP}:443", root="")[0] != 0, (
        "the authorities of the system must not verify it"
    )


def test_the_root_verifies_the_desktop_by_address() -> None:
    code, output = connect(f"-noservername -verify_ip {DESKTOP}", f"{DESKTOP}:443")
    assert code == 0, output
    run("client", f"curl -sSf --capath /dev/null --cacert /root/root.pem https://{DESKTOP}/health")


@pytest.mark.parametrize("version", ["tls1", "tls1_1"])
def test_old_versions_of_tls_are_rejected(version: str) -> None:
    code, output = connect(f"-{version} -cipher ALL:@SECLEVEL=0 -servername tars.home.arpa", f"{DESKTOP}:443")
    assert code != 0 and "protocol version" in output, output


def test_the_page_for_devices_offers_this_root() -> None:
    page = run("client", f"curl -sSk https://{DESKTOP}/trust")
    groups = (
        run("client", "openssl x509 -in /root/root.pem -noout -fingerprint -sha256").strip().split("=")[1].split(":")
    )
    assert all(":".join(groups[start : start + 8]) in page for start in range(0, 32, 8)), page
    offered = run("client", f"curl -sSk https://{DESKTOP}/trust/tars-household.pem")
    assert offered == AUTHORITY.read_text()


def openssl(*arguments: object, text: str = "") -> str:
    """Run openssl on the controller."""
    command = ["openssl", *map(str, arguments)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_certificate_for_a_name_outside_the_zone_is_rejected(tmp_path: Path) -> None:
    """Also if it is signed with the real key of the authority, which needs the vault."""
    (tmp_path / "san").write_text("subjectAltName=DNS:bank.example\nextendedKeyUsage=serverAuth\n")
    make = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", tmp_path / "key"]
    openssl("req", "-new", *make, "-subj", "/CN=bank.example", "-out", tmp_path / "request")
    by = [
        "-CA",
        AUTHORITY,
        "-CAkey",
        AUTHORITY.with_name("root.key"),
        "-passin",
        "stdin",
        "-CAserial",
        tmp_path / "serial",
    ]
    certificate = openssl(
        *["x509", "-req", "-in", tmp_path / "request", *by, "-CAcreateserial", "-extfile", tmp_path / "san"],
        text=vault.read(INVENTORY.parent)["authority_passphrase"],
    )
    put("client", "outside.pem", certificate)
    put("client", "outside.key", (tmp_path / "key").read_text())
    client = host("client")
    verification = client.run("openssl verify -CAfile /root/root.pem /root/outside.pem")
    assert verification.rc != 0 and "permitted subtree violation" in verification.stderr, verification
    serve = "openssl s_server -accept 127.0.0.1:8443 -cert /root/outside.pem -key /root/outside.key -www"
    run("client", f"systemd-run --quiet --unit=outside {serve}")
    try:
        refused = client.run(
            "curl -sS --retry 20 --retry-delay 1 --retry-connrefused --capath /dev/null --cacert /root/root.pem "
            "--resolve bank.example:8443:127.0.0.1 https://bank.example:8443/"
        )
    finally:
        run("client", "systemctl stop outside")
    assert refused.rc == 60 and "permitted subtree violation" in refused.stderr, refused


def test_the_desktop_cannot_sign_certificates_of_the_nas() -> None:
    """The key on the desktop can sign only for the names of the desktop, also for an attacker."""
    sign = (
        "cd /root && printf 'subjectAltName=DNS:nas.home.arpa,IP:10.77.0.20\\nextendedKeyUsage=serverAuth\\n' > san && "
        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=nas | "
        "openssl x509 -req -CA /opt/tars/secrets/issuer.pem -CAkey /opt/tars/secrets/issuer.key -CAserial serial "
        "-CAcreateserial -extfile san 2>/dev/null"
    )
    put("client", "forged.pem", run("xps8950", sign))
    put("client", "issuer.pem", run("xps8950", "cat /opt/tars/secrets/issuer.pem"))
    verification = host("client").run(
        "openssl verify -CAfile /root/root.pem -untrusted /root/issuer.pem /root/forged.pem"
    )
    assert verification.rc != 0 and "permitted subtree violation" in verification.stderr, verification


def test_the_authoritys_key_is_encrypted_and_only_on_the_controller() -> None:
    key = AUTHORITY.with_name("root.key")
    assert subprocess.run(["openssl", "pkey", "-in", key, "-noout", "-passin", "pass:"], capture_output=True).returncode
    passphrase = vault.read(INVENTORY.parent)["authority_passphrase"]
    openssl("pkey", "-in", key, "-noout", "-passin", "stdin", text=passphrase)
    root = openssl("x509", "-in", AUTHORITY, "-noout", "-pubkey")
    for machine in ("xps8950", "ds1515plus"):
        keys = host(machine).run(KEYS).stdout.split()
        publics = [
            run(machine, f"openssl pkey -in {shlex.quote(path)} -pubout -passin pass:")
            for path in keys
            if "/ssh/" not in path
        ]
        assert root not in publics, keys
        leaks = host(machine).run(
            f"grep -rlsF -e {shlex.quote(passphrase)} /etc /opt /root /var/lib/tars /var/log /tmp"
        )
        assert leaks.stdout == "", leaks.stdout
    kept = {path for path in host("xps8950").run(KEYS).stdout.split() if path.startswith("/opt/")}
    # A restore keeps the key that it replaced, for a rollback.
    assert {path.partition(".before-")[0] for path in kept} == {"/opt/tars/secrets/issuer.key"}


def test_caddy_renews_certificates_without_a_restart() -> None:
    """The caddy and configuration of the stack, with certificates valid for 21 seconds instead of a month."""
    desktop = host("xps8950")
    image = run("xps8950", "docker inspect -f '{{.Config.Image}}' tars-caddy-1").strip()
    short = (
        "sed -e 's/lifetime 30d/lifetime 21s/' -e 's/admin off/admin off\\n\\trenew_interval 1s/' /opt/tars/Caddyfile"
    )
    run("xps8950", f"{short} > /root/Shortfile")
    volumes = " ".join(
        f"-v {source}:{target}:ro"
        for source, target in (
            ("/root/Shortfile", "/etc/caddy/Caddyfile"),
            ("/opt/tars/secrets/issuer.pem", "/run/secrets/issuer.pem"),
            ("/opt/tars/secrets/issuer.key", "/run/secrets/issuer.key"),
        )
    )
    run(
        "xps8950",
        f"docker run --detach --name short --user 10004:10004 --tmpfs /data:uid=10004 --tmpfs /config:uid=10004 "
        f"{volumes} {image} caddy run --config /etc/caddy/Caddyfile --adapter caddyfile",
    )
    try:
        address = run("xps8950", "docker inspect -f '{{.NetworkSettings.IPAddress}}' short").strip()
        request = CONNECT.format(
            options="-servername tars.home.arpa", root="-CAfile /opt/tars/authority/root.pem", address=f"{address}:8443"
        )
        serial = f"{request} 2>/dev/null | openssl x509 -noout -serial"
        first = eventually(lambda: desktop.run(serial).stdout)
        second = eventually(lambda: (now := desktop.run(serial).stdout) != first and now)
        assert second and eventually(lambda: desktop.run(request).rc == 0)
        assert run("xps8950", "docker inspect -f '{{.RestartCount}} {{.State.Running}}' short").split() == ["0", "true"]
    finally:
        run("xps8950", "docker rm --force short")


def test_a_certificate_lost_on_the_controller_is_taken_over_from_the_desktop() -> None:
    issued = AUTHORITY.parent / "issued" / "xps8950.pem"
    before = issued.read_text()
    issued.unlink()
    again = playbook("site", "--limit", "xps8950", "--tags", "stack")
    assert again.code == 0, again.output
    assert issued.read_text() == before


def test_a_certificate_lost_on_both_is_issued_again_and_only_caddy_restarts() -> None:
    issued = AUTHORITY.parent / "issued" / "xps8950.pem"
    before = issued.read_text()
    key = run("xps8950", "sha256sum /opt/tars/secrets/issuer.key")
    started = "docker ps --filter label=com.docker.compose.project=tars --format '{{.Names}} {{.ID}}'"
    before_containers = set(run("xps8950", started).splitlines())
    issued.unlink()
    run("xps8950", "rm /opt/tars/secrets/issuer.pem")
    again = playbook("site", "--limit", "xps8950", "--tags", "stack")
    assert again.code == 0, again.output
    assert issued.read_text() != before and run("xps8950", "sha256sum /opt/tars/secrets/issuer.key") == key
    assert {line.split()[0] for line in before_containers - set(run("xps8950", started).splitlines())} == {
        "tars-caddy-1"
    }
    code, output = connect("-showcerts -servername tars.home.arpa", f"{DESKTOP}:443")
    assert code == 0 and issued.read_text().strip() in output, "the served chain must contain the new certificate"


def test_renew_gives_the_nas_a_new_certificate_and_changes_nothing_else() -> None:
    issued = AUTHORITY.parent / "issued" / "ds1515plus.pem"
    before = issued.read_text()
    issued.unlink()
    once, again = (json.loads(tars("certificate", "renew", "--json").stdout)["changes"] for _ in range(2))
    assert issued.read_text() != before
    # One change is the file, the other the certificate of the NAS.
    assert (len(once), again) == (2, [])
    code, output = connect("-showcerts -servername nas.home.arpa", "10.77.0.20:5001")
    assert code == 0 and issued.read_text().strip() in output
