# SPDX-License-Identifier: GPL-3.0-or-later
"""First contact with a NAS that does not have its address yet."""

import hashlib
import socket
import ssl
import threading
from pathlib import Path

import pytest

from tars_lab.dsm_twin.install import make_certificate
from tars_provision.controller import setup, trust
from tars_provision.spec.load import load
from tars_provision.spec.model import Site


def site(root: Path, folder: Path, port: int, connect: str) -> Site:
    text = (root / "inventories/lab/tars.yml").read_text()
    text = text.replace("10.77.0.0/24", "127.0.0.0/8").replace("10.77.0.", "127.0.77.")
    before, _, after = text.partition("    connect: {address: ")
    text = before + connect + after.partition("\n")[2].replace("port: 5001", f"port: {port}")
    (folder / "tars.yml").write_text(text)
    return load(folder / "tars.yml")


def test_the_certificate_is_read_where_the_nas_answers_first(root: Path, tmp_path: Path) -> None:
    make_certificate(tmp_path / "cert.pem", tmp_path / "key.pem", "nas")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with socket.create_server(("127.0.77.120", 0)) as server:

        def answer() -> None:
            context.wrap_socket(server.accept()[0], server_side=True).close()

        thread = threading.Thread(target=answer)
        thread.start()
        port = server.getsockname()[1]
        first = "    connect: {address: 127.0.77.120, serial: LAB0000001}\n"
        presented = setup.certificate(site(root, tmp_path, port, first))
        thread.join()
    pem = (tmp_path / "cert.pem").read_text()
    assert presented == hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    with pytest.raises(trust.TrustError, match=r"127\.0\.77\.20"):
        setup.certificate(site(root, tmp_path, port, ""))
