# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors of the Web API of Synology DSM, each code as a sentence with the next step.

The codes are those of DSM's own string bundle and of the vendor's CSI driver; `AUTH`, `SHARE` and `NFS` codes overlap
with the common ones, so the table of the API is searched first.
"""

from __future__ import annotations

from typing import Any

from ..resource.errors import OutcomeUnknown, ResourceError

# The session is gone; one new login may repair it.
SESSION_CODES = frozenset({105, 106, 107, 119, 150})
# DSM did nothing; the same read may be repeated.
BUSY_READ_CODES = frozenset({109, 110, 111, 117, 118})
# DSM did nothing because another change is running.
BUSY_WRITE_CODES = frozenset({117, 3328, 3330})

_AUTO_BLOCK = "Every failed login counts towards DSM's auto block, so no second attempt was made."

AUTH = {
    400: ("there is no such account, or the password is wrong", "Set the account and its password. " + _AUTO_BLOCK),
    401: ("the account is disabled", "Enable it in Control Panel > User & Group. " + _AUTO_BLOCK),
    402: (
        "the account may not use this application",
        "Make it a member of 'administrators' with the application privilege for DSM. " + _AUTO_BLOCK,
    ),
    403: (
        "the account needs a 2-factor code",
        "Set otp_secret and device_file. Or use a dedicated administrator account without 2-factor authentication, "
        "limited to this machine's address.",
    ),
    404: (
        "the 2-factor code was refused",
        "Compare the clocks of this machine and of the NAS, and otp_secret with the account's. " + _AUTO_BLOCK,
    ),
    406: (
        "2-factor authentication is enforced and the account has none yet",
        "Set it up in DSM's web page (Personal > Security), and give the secret shown there as otp_secret.",
    ),
    407: (
        "this machine's address is blocked after failed logins (auto block)",
        "Remove it in Control Panel > Security > Protection and put it on the allow list.",
    ),
    408: ("the password has expired and may not be changed", "Let an administrator set a new one."),
    409: ("the password has expired", "Log in to DSM's web page once and change it."),
    410: ("the password must be changed first", "Log in to DSM's web page once and change it."),
    411: ("the account is locked after failed logins", "Wait until DSM unlocks it, or let an administrator do so."),
}

COMMON = {
    100: ("unknown error", "Check DSM's Log Center for the time of this call."),
    101: ("the request lacks a parameter", "This is a mistake in the client: report it with the DSM version."),
    102: ("this DSM does not have the API", "Install the package that brings it, or update DSM."),
    103: ("this DSM does not have the method", "Report it with the DSM version."),
    104: ("this DSM does not have that version of the API", "Report it with the DSM version."),
    105: (
        "the session may not do this",
        "Make the account a member of 'administrators' with the application privilege for DSM.",
    ),
    106: ("the session has expired", "Run again."),
    107: ("another login of the same account ended the session", "Use an account that nothing else uses."),
    109: ("DSM's network is unstable", "Run again in a minute."),
    110: ("DSM's network is unstable", "Run again in a minute."),
    111: ("DSM is busy", "Run again in a minute."),
    114: ("the request lacks a parameter", "This is a mistake in the client: report it with the DSM version."),
    116: ("this is a demonstration NAS", "Use a real one."),
    117: ("DSM is busy applying another change", "Run again when it has finished."),
    118: ("DSM is busy", "Run again in a minute."),
    119: (
        "the session is not known, or the account is not an administrator",
        "Make the account a member of 'administrators'.",
    ),
    120: ("a parameter has a value that DSM does not accept", "Change the value named in the details."),
    150: (
        "the session belongs to another source address",
        "Reach the NAS over one address only (no alternating routes or proxies).",
    ),
    160: ("the account lacks the application privilege", "Grant it in Control Panel > Application Privileges."),
    402: ("the account may not do this", "Make the account a member of 'administrators'."),
    403: ("DSM did not understand the request", "This is a mistake in the client: report it with the DSM version."),
}

SHARE = {
    402: (
        "there is no such share, or the account may not see it",
        "Check the name and that the account is an administrator.",
    ),
    403: ("DSM did not understand the share's description", "Report it with the DSM version."),
    3300: ("a value was refused", "Check description (64 characters) and recycle bin options."),
    3301: ("the name is taken", "Use another name."),
    3302: ("the volume has no access control lists", "Use a btrfs or ext4 volume made by DSM."),
    3303: ("a system share cannot be encrypted", "Leave encryption off."),
    3304: ("there is no such volume", "Read the volumes with tars.home.dsm_info."),
    3305: ("the name is not allowed", "Use letters, digits, '-', '_' and spaces, at most 32 characters."),
    3309: ("DSM's limit of shares is reached", "Delete shares that are no longer needed."),
    3312: ("a folder of that name lies on the volume already", "Rename or move that folder first."),
    3313: ("there is no such volume", "Read the volumes with tars.home.dsm_info."),
    3314: ("the volume is read-only", "Check Storage Manager: the volume may be damaged."),
    3319: ("DSM reserves this name", "Use another name."),
    3320: ("the volume is full", "Free disk space on it."),
    3322: ("the share could not be mounted", "Check Storage Manager."),
    3323: ("remote folders are mounted inside", "Unmount them in File Station."),
    3324: ("remote folders are mounted inside", "Unmount them in File Station."),
    3328: ("another process holds the share", "Run again when it has finished."),
    3329: ("the limit of snapshots is reached", "Delete old snapshots."),
    3330: ("the share is in use", "End the connections or services that use it, then run again."),
    3332: ("a backup or restore is running", "Run again when it has finished."),
    3337: ("DSM reserves this share", "Leave it as it is."),
    3338: ("the encrypted share is mounted", "Unmount it first."),
    3341: ("the quota is reached", "Raise the quota or delete files."),
    3347: ("the share could not be unmounted", "End the connections that use it."),
    3350: ("immutable snapshots are present", "Wait until their protection ends."),
}

NFS = {
    2301: (
        "the rule or setting was refused, and the old ones are kept",
        "Check that NFS is on, and each rule's values.",
    ),
    2303: ("the port is in use", "Use another port."),
    2370: ("the share does not exist or is not ready yet", "Create it with tars.home.dsm_share first."),
    2371: ("remote folders are mounted inside the share", "Unmount them in File Station."),
    2372: ("the file system cannot be exported", "Use a share on an internal volume."),
}

NETWORK = {
    403: ("DSM requires the network's general settings as a whole", "Report it with the DSM version."),
    4302: ("a network setting was refused", "Check gateway and resolvers."),
    4311: ("there is no such network interface", "See the interfaces in Control Panel > Network."),
    4312: ("the address is in use by another machine", "Use a free one."),
    4316: ("DSM is still applying network settings", "Run again when it has finished."),
    4317: ("address and gateway lie in different networks", "Use a gateway in the same network."),
    4340: ("DSM is still applying another network change", "Run again when it has finished."),
}

TIME = {
    5701: ("a time setting was refused", "Check the time zone's name and the time servers."),
    5703: ("a package on the NAS needs time servers", "Set ntp_servers."),
}

FIREWALL = {
    1101: ("the firewall could not be applied", "Check DSM's Log Center; the rules before are in force."),
    1102: ("the firewall's old rules could not be restored", "Turn the firewall off in Control Panel > Security."),
    1103: (
        "DSM found that these rules would lock this machine out, and restored the old ones",
        "Allow this machine's address before the rule that drops it.",
    ),
    1104: ("there are too many rules", "Combine some of them."),
    1105: ("the firewall could not be turned off", "Check DSM's Log Center."),
}

CERTIFICATE = {
    5503: ("a value was refused", "Report it with the DSM version."),
    5510: ("the certificate is not valid PEM", "Use one certificate in PEM form."),
    5511: ("the private key is not valid PEM", "Use a key in PEM form without a passphrase."),
    5512: ("the intermediate certificates are not valid PEM", "Use certificates in PEM form."),
    5513: ("DSM does not support the key's algorithm", "Use RSA or a common elliptic curve."),
    5514: ("certificate and private key do not belong together", "Use the key that the certificate was issued for."),
    5515: ("the intermediate certificate is not one of a certificate authority", "Use the authority's certificates."),
    5516: ("a file is not UTF-8", "Use PEM files."),
    5517: ("the intermediate certificates do not form a chain to the certificate", "Use the certificate's own chain."),
    5518: ("DSA keys are not supported", "Use RSA or a common elliptic curve."),
    5534: ("the key is too short", "Use RSA with 2048 bits or more, or a common elliptic curve."),
}

USER = {
    3103: ("a value of the user or group was refused", "Use letters, digits, '.', '-' and '_' in names."),
    3106: ("there is no such user", "Create it with tars.home.dsm_account, or use an existing name."),
    3107: ("the name is taken, or DSM reserves it", "Use another name."),
    3108: ("the name is taken, or DSM reserves it", "Use another name."),
    3110: ("DSM's limit of users is reached", "Delete users that are no longer needed."),
    3114: ("the name is taken, or DSM reserves it", "Use another name."),
    3121: ("the password was refused", "Use another one."),
    3122: ("the password was used before", "Use another one, or set update_password: on_create."),
    3123: ("the password is too weak for DSM's policy", "Use a longer one without the account's name in it."),
    3124: ("the password was refused", "Use another one."),
}

GROUP = {
    **USER,
    3204: ("there is no such group", "Create it with tars.home.dsm_account, or use an existing name."),
    3205: ("there is no such group", "Create it with tars.home.dsm_account, or use an existing name."),
    3206: ("the name is taken, or DSM reserves it", "Use another name."),
    3207: ("the name is taken, or DSM reserves it", "Use another name."),
    3208: ("the name is not allowed", "Use letters, digits, '.', '-' and '_'."),
    3209: ("DSM's limit of groups is reached", "Delete groups that are no longer needed."),
    3210: ("it would leave DSM without an administrator", "Keep one enabled member in 'administrators'."),
}

CONFIRM = {
    400: ("the password was not confirmed", "Set the right password. " + _AUTO_BLOCK),
}

_TASK_VALUES = "Check that the owner is an account of the NAS, and the schedule."
TASK = {
    4800: ("the scheduled task was refused", _TASK_VALUES),
    4801: ("the scheduled task could not be read", "Check it in Control Panel > Task Scheduler."),
    4802: ("the scheduled task could not be deleted", "Check it in Control Panel > Task Scheduler."),
    4803: ("the scheduled task could not be run", "Check it in Control Panel > Task Scheduler."),
    4804: ("the scheduled task could not be saved", _TASK_VALUES),
}

PACKAGE = {
    4500: ("Package Center refused", "Check in Package Center that the package is installed, then run again."),
    4501: ("Package Center is busy", "Run again in a minute."),
    4502: ("the volume of the package is not ready", "Check Storage Manager."),
    4530: ("another package is being installed or restored", "Run again when it has finished."),
    4580: ("the package could not be started", "Check it in Package Center, and in DSM's Log Center."),
    4581: ("the package could not be stopped", "Check it in Package Center, and in DSM's Log Center."),
}

_TABLES = (
    ("SYNO.API.Auth", AUTH),
    ("SYNO.Core.Share", SHARE),
    ("SYNO.Core.FileServ.NFS", NFS),
    ("SYNO.Core.Network", NETWORK),
    ("SYNO.Core.Region.NTP", TIME),
    ("SYNO.Core.Security.Firewall", FIREWALL),
    ("SYNO.Core.Certificate", CERTIFICATE),
    ("SYNO.Core.User.PasswordConfirm", CONFIRM),
    ("SYNO.Core.User", USER),
    ("SYNO.Core.Group", GROUP),
    ("SYNO.Core.TaskScheduler", TASK),
    ("SYNO.Core.Package", PACKAGE),
)


class DsmError(ResourceError):
    """An operation on the NAS failed. The message names the object, what was found, and the next step."""


class UnreachableError(DsmError):
    """No request was sent, so nothing can have changed."""


class ConnectionLostError(DsmError, OutcomeUnknown):
    """The request was sent and no answer came: for a write the outcome is unknown and must be read back."""


class UntrustedError(DsmError):
    """The NAS showed a certificate other than the expected one; nothing was sent."""


class ApiError(DsmError):
    """DSM answered `success: false`.

    `code` is DSM's number, `details` what it put beside it (a dict or list, or None).
    """

    def __init__(self, api: str, method: str, code: int, details: Any = None, subject: str = "") -> None:
        self.api = api
        self.method = method
        self.code = code
        self.details = details
        super().__init__(explain(api, method, code, details, subject))


def explain(api: str, method: str, code: int, details: Any = None, subject: str = "") -> str:
    """Return the sentence for an error code, e.g. for `subject` "share LLM_docs"."""
    meaning, next_step = ("DSM reports an error that this client does not know", "Check DSM's Log Center.")
    for prefix, table in _TABLES:
        if (api == prefix or api.startswith(prefix + ".")) and code in table:
            meaning, next_step = table[code]
            break
    else:
        if code in COMMON:
            meaning, next_step = COMMON[code]
    about = f"{subject}: " if subject else ""
    shown = f" Details: {details}." if details else ""
    return f"{about}{meaning} (code {code} of {api} {method}).{shown} {next_step}"
