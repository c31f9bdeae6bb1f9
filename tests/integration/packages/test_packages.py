# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands from the built wheel and the built collection, in an empty folder, without the checkout."""

from __future__ import annotations

import json
import re
import shlex
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tars_lab.dsm_twin.install import make_certificate
from tars_provision import __version__

from .conftest import Installation

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def nas_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a NAS on loopback that shows a certificate and answers nothing else."""
    where = tmp_path_factory.mktemp("nas")
    make_certificate(where / "cert.pem", where / "key.pem", "nas", ["127.0.77.20"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(where / "cert.pem", where / "key.pem")

    def serve(server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
                context.wrap_socket(connection, server_side=True).close()
            except ssl.SSLError:
                continue
            except OSError:  # the server was closed
                return

    server = socket.create_server(("127.0.77.20", 0))
    thread = threading.Thread(target=serve, args=[server], daemon=True)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()


@pytest.fixture(scope="module")
def site(installed: Installation, nas_port: int) -> Installation:
    """A site made by `init` alone, whose spec names machines on loopback that cannot be set up."""
    written = installed.run("tars-provision", "init")
    assert "tars.yml: written; edit it" in written.stdout
    spec = installed.folder / "tars.yml"
    text = spec.read_text().replace("192.168.1.0/24", "127.0.0.0/8").replace("192.168.1.", "127.0.77.")
    spec.write_text(text.replace("port: 5001", f"port: {nas_port}").replace("user: root ", "port: 9\n      #"))
    password = installed.home / "password"
    password.write_text("secret of the NAS\n")
    installed.run("tars-provision", "init", "--yes", "--dsm-password-file", str(password))
    return installed


def test_init_writes_a_site_folder(site: Installation, root: Path) -> None:
    written = {str(path.relative_to(site.folder)) for path in site.folder.rglob("*") if path.is_file()}
    assert written == {
        "ansible.cfg",
        "group_vars/all/secrets.yml",
        "recorded/dsm.yml",
        "tars.yml",
        *(f"playbooks/{path.name}" for path in (root / "playbooks").glob("*.yml")),
    }
    assert (site.folder / "group_vars/all/secrets.yml").read_text().startswith("$ANSIBLE_VAULT;")


def test_commands_that_need_no_machine_work(site: Installation) -> None:
    assert "no mistakes" in site.run("tars-provision", "spec", "check").stdout
    assert json.loads(site.run("tars-provision", "spec", "schema").stdout)["title"]
    assert "tars.yml" in site.run("tars-provision", "spec", "reference").stdout
    assert site.run("tars-provision", "--version").stdout.split()[-1] == __version__


def test_plain_ansible_understands_the_site_folder(site: Installation) -> None:
    listed = site.run("ansible-playbook", "playbooks/site.yml", "--list-tasks").stdout
    assert "Set up the machine by its profile" in listed
    variables = json.loads(site.run("ansible-inventory", "--host", "xps8950").stdout)
    assert (Path(str(variables["stack_app_sources"])) / "Dockerfile").is_file()


def test_plan_runs_the_roles_of_the_packages(site: Installation) -> None:
    done = site.run("tars-provision", "plan", "--json", check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    failures = {failure["host"]: failure["task"] for failure in json.loads(done.stdout)["failures"]}
    # Each machine gets as far as a role of the collection can get without it.
    assert failures["xps8950"].startswith("base:") and failures["ds1515plus"].startswith("nas:"), failures
    assert "Traceback" not in done.stdout + done.stderr


def test_a_command_in_a_message_works_as_printed(installed: Installation, tmp_path: Path) -> None:
    done = installed.run("tars-provision", "plan", "--json", check=False, folder=tmp_path)
    printed = re.search(r"`(tars-provision init [^`]+)`", json.loads(done.stdout)["error"])
    assert printed, done.stdout
    assert "tars.yml: written" in installed.run(*shlex.split(printed[1]), folder=tmp_path).stdout
    assert installed.run("tars-provision", "spec", "check", folder=tmp_path).returncode == 0


def test_without_the_collection_the_commands_name_the_archive_to_install(site: Installation, tmp_path: Path) -> None:
    (tmp_path / ".config").symlink_to(site.home / ".config")
    bare = replace(site, home=tmp_path)
    for command in (["plan"], ["nas", "facts"]):
        done = bare.run("tars-provision", *command, check=False)
        assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
        assert f"install --force -p ~/.ansible/collections tars-home-{__version__}.tar.gz`" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "ask Why?",
        "benchmark",
        "doctor",
        "certificate fingerprint",
        "certificate renew",
        "names show",
        "nas facts",
        "plan",
        "site --check",
        "spec check",
        "verify",
    ],
)
def test_commands_outside_a_site_name_the_missing_spec(installed: Installation, tmp_path: Path, command: str) -> None:
    done = installed.run("tars-provision", *command.split(), check=False, folder=tmp_path)
    assert done.returncode in (1, 2) and "Traceback" not in done.stderr, done.stdout + done.stderr
    assert "tars.yml" in done.stdout + done.stderr
    assert not list(tmp_path.iterdir())
