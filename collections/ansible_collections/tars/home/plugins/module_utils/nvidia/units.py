# SPDX-License-Identifier: GPL-3.0-or-later
"""The units that keep the description of NVIDIA cards (CDI) current, and start the containers that need it.

The toolkit has units of its own from 1.18 on, nvidia-cdi-refresh.service and .path, which write a description to
/var/run/cdi at boot and when the kernel's modules change. For an older one, own units do so with a file that stays.
"""

from __future__ import annotations

FOLDER = "/etc/systemd/system"
THEIRS = "nvidia-cdi-refresh"
OURS = "tars-cdi-refresh"
STARTER = "tars-gpu-containers"
SCRIPT = "/usr/local/lib/tars/start-gpu-containers"

_MARK = "# Written by the role tars.home.nvidia.\n"

_STARTER_SCRIPT = """\
#!/bin/sh
# Written by the role tars.home.nvidia. At boot Docker may start a container before the cards are described, and in
# versions such as 26 before it has read any description (moby issue 49989). Such a container stays down, with that
# error.
set -eu
docker ps --all --quiet --filter status=exited --filter status=created |
  xargs --no-run-if-empty docker inspect --format '{{range .HostConfig.DeviceRequests}}{{if eq .Driver "cdi"}}
{{- $.Id}} {{$.HostConfig.RestartPolicy.Name}} {{$.State.Error}}
{{end}}{{end}}' |
  while read -r id policy error; do
    case "$policy/$error" in
      "/" | no/*) ;;
      */*[Cc][Dd][Ii]*) docker start "$id" ;;
    esac
  done
"""

_STARTER_UNIT = f"""\
{_MARK}[Unit]
Description=Start the containers that waited for the NVIDIA cards
After=docker.service {THEIRS}.service {OURS}.service

[Service]
Type=oneshot
ExecStart={SCRIPT}

[Install]
WantedBy=docker.service
"""

_REFRESH_SERVICE = f"""\
{_MARK}[Unit]
Description=Describe the NVIDIA cards to containers
ConditionPathExists=/usr/bin/nvidia-ctk
Before=docker.service

[Service]
Type=oneshot
ExecStart=/usr/bin/nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml

[Install]
WantedBy=multi-user.target
"""

_REFRESH_PATH = f"""\
{_MARK}[Unit]
Description=Watch for a replaced NVIDIA driver

[Path]
PathChanged=/lib/modules/%v/modules.dep

[Install]
WantedBy=multi-user.target
"""


def refresher(theirs: bool) -> str:
    """Return the name of the units that write the description; `theirs` is whether the toolkit has its own."""
    return THEIRS if theirs else OURS


def files(theirs: bool) -> dict[str, tuple[int, str]]:
    """Return the desired files: path to mode and text. An empty text is a file that must not exist."""
    own = {f"{FOLDER}/{OURS}.service": _REFRESH_SERVICE, f"{FOLDER}/{OURS}.path": _REFRESH_PATH}
    return {
        SCRIPT: (0o755, _STARTER_SCRIPT),
        f"{FOLDER}/{STARTER}.service": (0o644, _STARTER_UNIT),
        **{path: (0o644, "" if theirs else text) for path, text in own.items()},
    }


def units(theirs: bool) -> list[str]:
    """Return the units that must be enabled."""
    name = refresher(theirs)
    return [f"{STARTER}.service", f"{name}.service", f"{name}.path"]
