# SPDX-License-Identifier: GPL-3.0-or-later
"""The APIs of this NAS, one subject a file. A new subject is a new file, listed in MODULES."""

from tars_lab.dsm_twin.apis import (
    auth,
    certificate,
    confirm,
    connection,
    ethernet,
    firewall,
    group,
    info,
    network,
    nfs,
    package,
    permission,
    region,
    share,
    snapshot,
    storage,
    system,
    task,
    terminal,
    user,
)
from tars_lab.dsm_twin.protocol import Api

MODULES = (
    auth,
    system,
    storage,
    share,
    nfs,
    network,
    ethernet,
    region,
    terminal,
    firewall,
    connection,
    certificate,
    user,
    group,
    permission,
    snapshot,
    confirm,
    task,
    package,
)
BY_NAME: dict[str, Api] = {api.name: api for module in MODULES for api in module.APIS}
BY_NAME["SYNO.API.Info"] = info.make_api(BY_NAME)
