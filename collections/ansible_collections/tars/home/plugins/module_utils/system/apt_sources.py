# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of apt's sources, read from their files, and the addition of an own file that apt accepts.

`apt-get indextargets` lists only entries whose lists were downloaded; a new entry of the owner is not among them. apt
refuses all work when two entries of one address and suite name different keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

FOLDER = "/etc/apt/sources.list.d"
READ_SCRIPT = r"""
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [ ! -f "$file" ] || { printf '\035%s\n' "$file"; cat "$file"; }
done
"""
"""Shell commands whose output `parse_files` reads."""

_CHECK = r"""
own=$1 key=$2; shift 2
only="--option=Dir::Etc::sourcelist=$own --option=Dir::Etc::sourceparts=- --option=APT::Get::List-Cleanup=0"
if ! apt-get --quiet $only --option=APT::Update::Error-Mode=any update || ! apt-get indextargets >/dev/null; then
    rm -f "$own" $key
    echo "apt refuses $own, which is removed again; see the lines above"
    exit 100
fi
exec "$@"
"""
_ONE_LINE = re.compile(
    r"deb\s+(?:\[(?P<options>[^]]*)]\s*)?(?P<uri>(?!cdrom:)\S+)\s+(?P<suite>\S+)(?P<components>[^#]*)"
)


@dataclass(frozen=True)
class Source:
    """An entry for packages: address, suite and components. `entry` is file:line, in a .sources file file:stanza.

    `signed_by` is empty, a path, or an embedded key.
    """

    entry: str
    uri: str
    suite: str
    components: tuple[str, ...] = ()
    signed_by: str = ""


def parse_files(output: str) -> list[Source]:
    """Return the entries in the output of READ_SCRIPT, one for each address and suite."""
    sources: list[Source] = []
    for part in output.split("\x1d")[1:]:
        path, _, text = part.partition("\n")
        sources += parse(path, text)
    return sources


def parse(path: str, text: str) -> list[Source]:
    """Return the enabled entries of a file, in the form that its name demands."""
    return list(_stanzas(path, text) if path.endswith(".sources") else _lines(path, text))


def _lines(path: str, text: str) -> Iterator[Source]:
    for number, line in enumerate(text.splitlines(), 1):
        match = _ONE_LINE.match(line.strip())
        if match:
            options = dict(re.findall(r"([\w-]+)\+?=(\S*)", match["options"] or ""))
            signed_by = next((value for key, value in options.items() if key.lower() == "signed-by"), "")
            yield Source(
                f"{path}:{number}", match["uri"], match["suite"], tuple(match["components"].split()), signed_by
            )


def _stanzas(path: str, text: str) -> Iterator[Source]:
    # A blank line ends a stanza; a comment may stand inside of one, also between the lines of a key.
    for number, match in enumerate(re.finditer(r"(?:^[^\n]*\S[^\n]*(?:\n|\Z))+", text, re.MULTILINE), 1):
        fields: dict[str, str] = {}
        name = ""
        for line in match.group().splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace():
                fields[name] = f"{fields.get(name, '')}\n{line.strip()}"
            else:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        off = fields.get("enabled", "yes").lower() in ("no", "false", "without", "off", "disable", "0")
        if off or "deb" not in fields.get("types", "").split():
            continue
        components = tuple(fields.get("components", "").split())
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(f"{path}:{number}", uri, suite, components, fields.get("signed-by", "").strip())


def place(uri: str) -> str:
    """Return an address without what does not matter for which packages are served: scheme, account, final slash.

    >>> place("https://Mirror.example:443/debian/"), place("http://me:secret@mirror.example/debian")
    ('mirror.example/debian', 'mirror.example/debian')
    """
    host, slash, path = uri.partition("://")[2].rpartition("@")[2].partition("/")
    host = re.sub(r":(80|443)$", "", host.lower())
    return f"{host}{slash}{path}".rstrip("/")


def key_files(sources: Sequence[Source]) -> list[str]:
    """Return the paths of the keyrings that entries name."""
    words = (word for source in sources for word in source.signed_by.replace(",", " ").split())
    return [word for word in dict.fromkeys(words) if word.startswith("/")]


def checked_command(own: str, keys: Sequence[str], then: Sequence[str]) -> list[str]:
    """Return the command that downloads the lists of an own file alone, and then runs another one.

    If apt refuses the file, or no longer reads its sources with it, the file and its keys are removed, and the command
    ends with an error: apt works as before.
    """
    return ["sh", "-c", _CHECK, "sh", own, " ".join(keys), *then]
