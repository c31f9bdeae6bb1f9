# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of the local zone, checked with dig, curl and openssl on ``client``, and with getent elsewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import partial

import pytest

from tars_provision.spec.load import load

from ..conftest import INVENTORY, tars
from .conftest import ADDRESSES, AUTHORITY, Run, eventually, host, playbook

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.usefixtures("provisioned")]

DESKTOP, NAS, CLIENT = (ADDRESSES[name] for name in ("xps8950", "ds1515plus", "client"))
DROP_IN, OWN = "/etc/dnsmasq.d/tars.conf", "/etc/dnsmasq.d/own.conf"

# An upstream name server: one address for every name, and for one name too many of them for UDP.
UPSTREAM = r"""
import socketserver, struct, sys, threading
log = open("/run/upstream.log", "a", buffering=1)
def reply(query, udp):
    end = query.index(b"\0", 12) + 5
    labels, place = [], 12
    while query[place]:
        labels.append(query[place + 1 : place + 1 + query[place]].decode())
        place += query[place] + 1
    name = ".".join(labels)
    print(name, struct.unpack(">H", query[end - 4 : end - 2])[0], "udp" if udp else "tcp", file=log)
    count = 200 if name.startswith("large") else 1
    cut = udp and count > 1
    head = query[:2] + (b"\x87\x80" if cut else b"\x85\x80") + struct.pack(">HHHH", 1, 0 if cut else count, 0, 0)
    record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4"
    records = b"" if cut else b"".join(record + bytes([192, 0, 2, n]) for n in range(1, count + 1))
    return head + query[12:end] + records
class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        self.request[1].sendto(reply(self.request[0], True), self.client_address)
class Tcp(socketserver.StreamRequestHandler):
    def handle(self):
        query = self.rfile.read(struct.unpack(">H", self.rfile.read(2))[0])
        answer = reply(query, False)
        self.wfile.write(struct.pack(">H", len(answer)) + answer)
socketserver.ThreadingTCPServer.allow_reuse_address = True
servers = socketserver.ThreadingUDPServer(("", 53), Udp), socketserver.ThreadingTCPServer(("", 53), Tcp)
threading.Thread(target=servers[0].serve_forever, daemon=True).start()
servers[1].serve_forever()
"""


def on(machine: str, command: str) -> str:
    """Run a command that must succeed; return its output."""
    done = host(machine).run(command)
    assert done.rc == 0, f"{command}: {done.stdout}\n{done.stderr}"
    return str(done.stdout)


def succeeds(machine: str, command: str) -> bool:
    """Return whether a command on a machine succeeds."""
    return bool(host(machine).run(command).rc == 0)


def dig(*questions: str) -> list[tuple[str, list[str]]]:
    """Query the desktop from ``client``; return response code and answers for each question."""
    commands = " ; ".join(
        f"echo ==; dig +noall +comments +answer +time=5 +tries=2 @{DESKTOP} {question}" for question in questions
    )
    responses = []
    for part in on("client", commands).split("==\n")[1:]:
        code = re.search(r"status: (\w+)", part)
        answers = [line.split() for line in part.splitlines() if line and not line.startswith(";")]
        responses.append((code[1] if code else part, sorted(words[4] for words in answers)))
    return responses


def test_every_machine_and_service_has_forward_and_reverse_records() -> None:
    site = load(INVENTORY)
    machines = {name: str(machine.address) for name, machine in (*site.hosts.items(), *site.machines.items())}
    forward = [(f"{full} A", [address]) for name, address in machines.items() for full in site.names_of(name)]
    reverse = [(f"-x {address}", [f"{name}.home.arpa."]) for name, address in machines.items()]
    assert {"tars.home.arpa A", "llm.home.arpa A", "nas.home.arpa A", "client.home.arpa A"} <= dict(forward).keys()
    expected = dict([*forward, *reverse])
    assert dig(*expected) == [("NOERROR", answers) for answers in expected.values()]


def test_the_desktop_itself_answers_for_missing_names() -> None:
    assert dig("nobody.home.arpa A", "tars.home.arpa AAAA", "-x 10.77.0.99") == [
        ("NXDOMAIN", []),
        ("NOERROR", []),
        ("NXDOMAIN", []),
    ]


@pytest.fixture
def upstream() -> Iterator[None]:
    """Make ``client`` the only upstream name server of the desktop, as if its DHCP lease named it."""
    on("client", f"rm -f /run/upstream.log; cat > /run/upstream.py <<'END'\n{UPSTREAM}\nEND")
    on("client", "systemd-run --quiet --collect --unit=upstream python3 /run/upstream.py")
    eventually(lambda: ":53 " in on("client", "ss -Hltn"))
    before = on("xps8950", "cat /etc/resolv.conf")
    on("xps8950", f"printf 'nameserver 127.0.0.1\\nnameserver {CLIENT}\\n' > /etc/resolv.conf")
    eventually(lambda: dig("first.example.org A") == [("NOERROR", ["192.0.2.1"])])
    yield
    on("xps8950", f"printf %s {shlex.quote(before)} > /etc/resolv.conf")
    on("client", "systemctl stop upstream")


def test_queries_for_local_names_are_never_forwarded(upstream: None) -> None:
    own = ["tars.home.arpa A", "tars.home.arpa AAAA", "nobody.home.arpa A", "nobody.home.arpa TXT", "home.arpa SOA"]
    own += ["-x 10.77.0.99", "-x 192.168.9.9", "-x 172.16.1.1", "-x fd00::1", "desk A", "desk AAAA"]
    own += ["printer.local A", "x.onion A", "x.test A", "x.invalid A", "localhost A", "tars.home.arpa MX"]
    answers = dig(*own)
    assert [code for code, _ in answers if code not in ("NOERROR", "NXDOMAIN")] == []
    # Plain DNS, as of old resolvers: an answer of more than 512 bytes is complete only over TCP.
    over_tcp = host("client").run(f"dig +tcp +time=2 +tries=1 @{DESKTOP} first.example.org A")
    assert over_tcp.rc != 0 and "connection refused" in over_tcp.stdout, "TCP is open only after a truncated answer"
    ((code, large),) = dig("+noedns large.example.org A")
    assert (code, len(large)) == ("NOERROR", 200)
    queried = {line.split()[0] for line in on("client", "cat /run/upstream.log").splitlines()}
    # dnsmasq also sends queries to detect loops (dns-loop-detect).
    assert {name for name in queried if not re.fullmatch(r"[0-9a-f]{8}\.test", name)} == {
        "first.example.org",
        "large.example.org",
    }


def test_the_desktop_uses_upstream_servers_while_dnsmasq_is_down(upstream: None) -> None:
    find = "getent ahostsv4 tars.home.arpa; getent ahostsv4 outside.example.org"
    assert {line.split()[0] for line in on("xps8950", find).splitlines()} == {DESKTOP, "192.0.2.1"}
    on("xps8950", "systemctl stop dnsmasq")
    try:
        assert on("xps8950", "getent ahostsv4 outside.example.org").startswith("192.0.2.1 ")
    finally:
        on("xps8950", "systemctl start dnsmasq")


def test_the_nas_and_the_containers_resolve_the_names() -> None:
    assert on("ds1515plus", "cat /etc/resolv.conf").split() == ["nameserver", DESKTOP, "nameserver", "10.77.0.1"]
    assert on("ds1515plus", "getent ahostsv4 tars.home.arpa").startswith(f"{DESKTOP} ")
    script = "import socket; print(socket.gethostbyname('nas.home.arpa'))"
    assert on("xps8950", f'docker exec tars-app-1 python -c "{script}"') == f"{NAS}\n"


@pytest.fixture
def configured_client() -> Iterator[None]:
    """Make the desktop the name server of ``client``, as a router would by DHCP."""
    before = on("client", "cat /etc/resolv.conf")
    on("client", f"echo nameserver {DESKTOP} > /etc/resolv.conf")
    yield
    on("client", f"printf %s {shlex.quote(before)} > /etc/resolv.conf")


def test_the_certificates_are_valid_for_the_names(configured_client: None) -> None:
    on("client", f"cat > /root/household.pem <<'END'\n{AUTHORITY.read_text()}\nEND")
    for name in ("tars", "llm", "xps8950"):
        request = f"curl -sS --fail --max-time 60 --cacert /root/household.pem https://{name}.home.arpa/ready"
        # Earlier tests changed the desktop's address; the worker detects its shares again in its next scan.
        eventually(partial(succeeds, "client", request))
    for name in ("nas", "ds1515plus"):
        full = f"{name}.home.arpa"
        request = f"openssl s_client -connect {full}:5001 -CAfile /root/household.pem -verify_return_error"
        on("client", f"{request} -verify_hostname {full} </dev/null")


def names(*arguments: str) -> Run:
    return playbook("site", "--limit", "xps8950", "--tags", "names", *arguments)


def test_another_name_server_is_reported_and_foreign_files_stay() -> None:
    before = on("xps8950", f"cat {DROP_IN}")
    on("xps8950", "systemctl stop dnsmasq; rm -f /run/answers")
    listen = f"import socket, time; s = socket.socket(2, 2); s.bind(('{DESKTOP}', 53)); time.sleep(600)"
    on("xps8950", f'systemd-run --quiet --collect --unit=their-resolver python3 -c "{listen}"')
    try:
        eventually(lambda: f"{DESKTOP}:53 " in on("xps8950", "ss -Hlun"))
        on("xps8950", f"sed -i s/300/200/ {DROP_IN}")
        refused = names()
        output = " ".join(refused.output.split())
        assert refused.code != 0 and f"port 53 of {DESKTOP} is held by python3" in output, refused.output
        assert "their-resolver.service" in output and "Next: stop that program" in output, refused.output
        assert ",200\n" in on("xps8950", f"cat {DROP_IN}"), "something was changed before the error"
    finally:
        on("xps8950", "systemctl stop their-resolver")

    on("xps8950", f"echo address=/own.example/192.0.2.7 > {OWN}")
    run = names()
    assert run.code == 0 and run.recap("xps8950")["changed"] == 1, run.output
    assert "hand out 10.77.0.10 as the DNS server" in " ".join(run.output.split()), run.output
    assert on("xps8950", f"cat {DROP_IN}") == before
    assert dig("own.example A", "tars.home.arpa A") == [("NOERROR", ["192.0.2.7"]), ("NOERROR", [DESKTOP])]


def test_router_instructions_are_printed_only_after_changes_and_on_request(repeated: Run) -> None:
    assert "hand out" not in repeated.output
    output = tars("names", "show").stdout
    assert f"hand out {DESKTOP} as the DNS server" in output and "02:00:5e:00:00:14" in output, output
