# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole story in order: new machines, one playbook, a document, a question, an answer that cites the document.

Each test builds on the previous ones; the machines are created once. Every check runs on the machine of a user
(``client``), or with a program that was not involved in the change (``nfs-cat``, ``curl``, ``psql``).
"""

import base64
import json
import shlex
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote as quoted

import pytest
from reportlab.pdfgen.canvas import Canvas

from tars_provision.controller import vault

from ..conftest import INVENTORY, tars
from .conftest import AUTHORITY, Run, eventually, host, playbook

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.usefixtures("provisioned")]

SHARE = "/volume1/LLM_docs"
EXPORT = f"nfs://10.77.0.20{SHARE}"
BOILER = "The boiler in the cellar is a Viessmann Vitodens 200. Its service contract number is KX-4471.\n"


def put(name: str, content: bytes) -> None:
    """Write a document to the share from ``client`` over NFS, as a user would."""
    client = host("client")
    path = shlex.quote(f"/root/{Path(name).name}")
    written = client.run(f"base64 -d > {path} <<'END'\n{base64.encodebytes(content).decode()}END")
    assert written.rc == 0, written.stderr
    copied = client.run(f"nfs-cp {path} {shlex.quote(f'{EXPORT}/{name}')}")
    assert copied.rc == 0, copied.stderr


def on_nas(command: str) -> str:
    """Run a command on the NAS itself, as File Station would."""
    done = host("ds1515plus").run(f"cd {SHARE} && {command}")
    assert done.rc == 0, done.stderr
    return str(done.stdout)


def get(path: str) -> Any:
    """GET a path of the application from ``client``, trusting only the site's authority."""
    response = host("client").run(f"curl -sS --fail --max-time 60 {TRUST} https://tars.home.arpa{path}")
    assert response.rc == 0, response.stderr
    return json.loads(response.stdout)


TRUST = "--cacert /root/tars-ca.pem --resolve tars.home.arpa:443:10.77.0.10"


def ask(question: str) -> dict[str, Any]:
    """Ask from ``client`` and return the stream's events by name (tokens joined)."""
    body = shlex.quote(json.dumps({"question": question}))
    stream = host("client").run(
        f"curl -sSN --fail --max-time 300 {TRUST} -H 'content-type: application/json' -d {body} https://tars.home.arpa/api/ask"
    )
    assert stream.rc == 0, stream.stderr
    events: dict[str, Any] = {"token": ""}
    for block in stream.stdout.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(":"))
        if "event" in fields:
            data = json.loads(fields["data"])
            events["token"] += data["text"] if fields["event"] == "token" else ""
            if fields["event"] != "token":
                events[fields["event"]] = data
    return events


def search(query: str) -> list[str]:
    """Return the paths that a search finds."""
    return [result["path"] for result in get(f"/api/search?q={query}")["results"]]


def states() -> dict[str, str]:
    """Return the state of every document of the application, by path."""
    return {document["path"]: document["state"] for document in get("/api/documents")["documents"]}


def test_check_mode_on_new_machines_completes(planned: Run) -> None:
    assert planned.code == 0, planned.output
    assert planned.recap("xps8950")["changed"] > 0


def test_site_provisions_new_machines(provisioned: Run) -> None:
    assert provisioned.code == 0, provisioned.output
    for name in ("xps8950", "ds1515plus"):
        recap = provisioned.recap(name)
        assert recap["failed"] == recap["unreachable"] == 0, provisioned.output


def test_a_second_run_changes_nothing(repeated: Run) -> None:
    assert repeated.code == 0, repeated.output
    for name in ("xps8950", "ds1515plus"):
        assert repeated.recap(name)["changed"] == 0, repeated.output


def test_verify_reports_no_difference() -> None:
    run = playbook("verify")
    assert run.code == 0, run.output


def test_the_nas_has_left_its_dhcp_address() -> None:
    client = host("client")
    for address, used in (("10.77.0.20", True), ("10.77.0.120", False)):
        client.run(f"ip neighbour flush to {address}; curl -ks --max-time 5 https://{address}:5001/")
        assert ("lladdr" in client.check_output(f"ip neighbour show to {address}")) == used, address


def test_the_web_certificate_is_signed_by_the_sites_authority() -> None:
    authority = AUTHORITY.read_text()
    assert host("client").run(f"cat > /root/tars-ca.pem <<'END'\n{authority}\nEND").rc == 0
    # One of the checks may take too long on a busy computer.
    assert eventually(lambda: get("/ready")["ready"] is True)
    untrusting = host("client").run(
        "curl -sS --max-time 10 --resolve tars.home.arpa:443:10.77.0.10 https://tars.home.arpa/health"
    )
    assert untrusting.rc == 60, "a client without the authority must reject the certificate"


@pytest.mark.parametrize("address", ["10.77.0.10", "fd77:7a52::10"])
def test_every_other_port_is_closed(address: str) -> None:
    family = "-6" if ":" in address else ""
    scan = host("client").run(f"nmap {family} -Pn -n -sT -p- -T5 --max-retries 1 -oG - {address}")
    assert scan.rc == 0, scan.stderr
    line = next(line for line in scan.stdout.splitlines() if "Ports:" in line)
    ports = {int(port.split("/")[0]) for port in line.split("Ports:")[1].split("\t")[0].split(",") if "/open/" in port}
    assert ports == {22, 443}, scan.stdout


def test_a_document_on_the_share_is_readable_on_the_desktop() -> None:
    put("boiler.txt", BOILER.encode())
    read = host("client").run(f"nfs-cat {EXPORT}/boiler.txt")
    assert read.stdout == BOILER, read.stderr
    assert host("xps8950").file("/srv/tars/documents/LLM_docs/boiler.txt").content_string == BOILER
    refused = host("xps8950").run("touch /srv/tars/documents/LLM_docs/x")
    assert refused.rc != 0, "the desktop must not write documents"
    assert "x" not in on_nas("ls -A").split()


def test_a_question_is_answered_with_a_citation_of_the_document(tmp_path: Path) -> None:
    pdf = Canvas(str(tmp_path / "roof.pdf"))
    pdf.drawString(72, 720, "Cover sheet of the roof survey.")
    pdf.showPage()
    pdf.drawString(72, 720, "The slate roof was last inspected in March 2024 by Hollander and Sons.")
    pdf.save()
    put("roof.pdf", (tmp_path / "roof.pdf").read_bytes())
    eventually(lambda: {"boiler.txt", "roof.pdf"} <= {path for path, state in states().items() if state == "indexed"})

    events = ask("What is the service contract number of the boiler?")
    assert events["token"].strip(), events
    cited = {source["id"]: source for source in events["sources"]["sources"]}
    quotes = [(cited[c["source"]]["path"], c["quote"]) for c in events["done"]["citations"]]
    assert quotes and any(path == "boiler.txt" and "KX-4471" in quote for path, quote in quotes), events
    assert all(quote in BOILER for path, quote in quotes if path == "boiler.txt")

    events = ask("Who inspected the slate roof?")
    cited = {source["id"]: source for source in events["sources"]["sources"]}
    citations = [c for c in events["done"]["citations"] if cited[c["source"]]["path"] == "roof.pdf"]
    page, quote = citations[0]["page"], citations[0]["quote"]
    (tmp_path / "again.pdf").write_bytes(host("ds1515plus").file(f"{SHARE}/roof.pdf").content)
    reader = ["pdftotext", "-f", str(page), "-l", str(page), str(tmp_path / "again.pdf"), "-"]
    text = subprocess.run(reader, capture_output=True, text=True, check=True).stdout
    assert page == 2 and " ".join(quote.split()) in " ".join(text.split())

    tars("original", "roof.pdf", "--output", str(tmp_path / "downloaded.pdf"))
    assert (tmp_path / "downloaded.pdf").read_bytes() == (tmp_path / "roof.pdf").read_bytes()
    chunk = cited[citations[0]["source"]]["chunk_id"]
    assert get(f"/api/passages/{chunk}/page?quote={quoted(quote)}")["marks"]


def test_a_changed_document_is_answered_accordingly() -> None:
    on_nas("sed -i s/KX-4471/ZZ-9902/ boiler.txt")
    eventually(lambda: "ZZ-9902" in str(get("/api/search?q=service+contract+number")))
    assert "KX-4471" not in str(get("/api/search?q=service+contract+number"))
    assert "KX-4471" not in json.dumps(ask("What is the service contract number of the boiler?"))


def test_a_renamed_document_is_cited_by_its_new_name() -> None:
    before = {d["path"]: d["document_id"] for d in get("/api/documents")["documents"]}
    on_nas("mv boiler.txt heating.txt")
    eventually(lambda: "heating.txt" in search("service+contract") and "boiler.txt" not in search("service+contract"))
    after = {d["path"]: d["document_id"] for d in get("/api/documents")["documents"]}
    assert after["heating.txt"] == before["boiler.txt"], "a rename must not create another document"


def test_a_deleted_document_is_no_longer_found() -> None:
    on_nas("rm heating.txt")
    eventually(lambda: "heating.txt" not in search("service+contract"))


def test_both_stores_have_the_same_passages() -> None:
    def stores() -> tuple[set[str], set[str]]:
        query = """select encode(hash, 'hex') from passages where searchable"""
        rows = host("xps8950").run(f'docker exec tars-postgres-1 psql -U tars -d tars -Atc "{query}"')
        assert rows.rc == 0, rows.stderr
        vectors = host("xps8950").run(f"python3 - <<'END'\n{CHROMA_IDS}\nEND")
        assert vectors.rc == 0, vectors.stderr
        return set(rows.stdout.split()), set(vectors.stdout.split())

    def same() -> bool:
        passages, vectors = stores()
        return bool(passages) and passages == vectors

    eventually(same)


# Reads Chroma's HTTP API with the standard library, at the address of the container.
CHROMA_IDS = """
import json, subprocess, urllib.request
find = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
inspect = ["docker", "inspect", "-f", find, "tars-chroma-1"]
address = subprocess.run(inspect, capture_output=True, text=True, check=True).stdout.split()[0]
base = f"http://{address}:8000/api/v2/tenants/default_tenant/databases/default_database/collections"
def call(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=60))
for collection in call(base):
    print(*call(f"{base}/{collection['id']}/get", {"include": [], "limit": 100000})["ids"], sep="\\n")
"""


def test_a_forgotten_document_is_in_no_file_of_the_stores() -> None:
    """Nor is its first version, which only the history still has."""
    put("diary.txt", b"The canary of the diary sings about the number PX-77192.\n")
    eventually(lambda: "PX-77192" in str(get("/api/search?q=canary+diary")))
    on_nas("sed -i s/PX-77192/PX-77193/ diary.txt")
    eventually(lambda: "PX-77193" in str(get("/api/search?q=canary+diary")))
    held = "grep -rliE 'PX-7719[23]' /var/lib/tars"
    assert host("xps8950").run(held).stdout, "the stores hold it in files that grep reads"

    preview = tars("forget", "diary.txt", "--dry-run", "--json", check=False)
    assert preview.returncode == 3 and json.loads(preview.stdout)["documents"][0]["versions"] == 2, preview
    forgotten = tars("forget", "diary.txt", "--yes", "--json", check=False)
    [document] = json.loads(forgotten.stdout)["documents"]
    assert forgotten.returncode == (0 if document["erased"] else 3), forgotten
    listed = "/api/forgotten"
    eventually(lambda: {e["id"]: e["erased_at"] for e in get(listed)["forgotten"]}[document["forgotten_id"]])
    assert "diary.txt" not in states() and "PX-7719" not in str(get("/api/search?q=canary+diary"))
    left = host("xps8950").run(held)
    assert (left.rc, left.stdout) == (1, ""), left
    assert "PX-77193" in on_nas("cat diary.txt"), "the file stays"


def test_invalid_files_fail_with_a_reason_and_others_are_indexed() -> None:
    put("keep.txt", b"The spare key hangs behind the garden shed.\n")
    put("broken.pdf", b"%PDF-1.7\n" + bytes(range(256)) * 40)
    on_nas(": > empty.txt")
    eventually(lambda: states().get("broken.pdf") == "failed" and states().get("empty.txt") == "failed")
    eventually(lambda: states().get("keep.txt") == "indexed")
    errors = {d["path"]: d["error"] for d in get("/api/documents")["documents"]}
    assert errors["broken.pdf"] and errors["empty.txt"] and errors["keep.txt"] is None
    assert "keep.txt" in search("spare+key")


def test_a_wrong_nas_password_is_reported_without_the_password(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    secrets = vault.read(INVENTORY.parent) | {"dsm_password": "not-it"}
    wrong.write_text(json.dumps({"tars_secrets": secrets}))
    run = playbook("site", "--limit", "ds1515plus", "-e", f"@{wrong}")
    assert run.code != 0
    assert "password" in run.output and "not-it" not in run.output, run.output


def test_a_nas_that_is_off_is_reported_and_loses_nothing(tmp_path: Path) -> None:
    known = states()
    tars("lab", "stop", "ds1515plus")
    try:
        run = tars("site", "--limit", "ds1515plus", check=False)
        assert run.returncode == 1 and "10.77.0.20" in run.stdout + run.stderr, run
        eventually(lambda: not get("/api/documents")["sources"][0]["available"])
        assert states() == known
        assert "keep.txt" in search("spare+key"), "indexed documents must still be found"
        refused = tars("original", "keep.txt", "--output", str(tmp_path / "keep.txt"), check=False)
        assert refused.returncode == 1 and "NAS is on" in refused.stdout + refused.stderr, refused
    finally:
        tars("lab", "start", "ds1515plus")
    eventually(lambda: get("/api/documents")["sources"][0]["available"])
    put("later.txt", b"The neighbour waters the plants in August.\n")
    eventually(lambda: states().get("later.txt") == "indexed")


def test_a_full_disk_on_the_desktop_is_reported_before_any_change() -> None:
    desktop = host("xps8950")
    known = states()
    # A file system of 1 MiB over the stack's folder is really full; the running containers do not see it.
    assert desktop.run("mount -t tmpfs -o size=1m tars-full /opt/tars").rc == 0
    try:
        run = tars("site", "--limit", "xps8950", check=False)
        assert desktop.run("ls -A /opt/tars").stdout == "", "something was written to a full disk"
    finally:
        assert desktop.run("umount /opt/tars").rc == 0
    output = run.stdout + run.stderr
    assert run.returncode == 1 and "/opt/tars" in output and "MiB free" in output, output
    assert states() == known
