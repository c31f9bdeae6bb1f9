# SPDX-License-Identifier: GPL-3.0-or-later
"""The documented options and attributes of every dsm_* module."""

from __future__ import annotations


class ModuleDocFragment:
    """The connection to the NAS."""

    DOCUMENTATION = r"""
options:
  host:
    description: Address or name of the NAS.
    type: str
    required: true
  port:
    description: Port of DSM's web server, HTTPS only.
    type: int
    default: 5001
  account:
    description:
      - A member of C(administrators) with the application privilege for DSM.
      - Use a dedicated account. DSM disables C(admin) by default.
    type: str
    required: true
  password:
    description: Password of O(account). Sent in the body of one HTTPS request for each login, to the verified NAS only.
    type: str
    required: true
  otp_secret:
    description:
      - For an account with 2-factor authentication, the base32 secret that DSM showed when that was set up. The
        one-time codes are computed from it (RFC 6238).
      - Needs O(device_file). A code is sent by the first login only, and never twice, because DSM refuses a used code.
        A login within 30 s of the last code waits for the next one.
    type: str
  device_file:
    description:
      - File for the token by which DSM recognises this machine after a login with a code. It is created with mode 0600.
        Later logins send the token instead of a code, and O(otp_secret) may be omitted.
      - Anyone with O(password) and this file can log in without a code. A rejected token is deleted and reported; the
        next run sends a code.
      - Use one file for each NAS; it may serve several accounts.
    type: path
  fingerprint:
    description:
      - SHA-256 of the certificate that the NAS shows, in hexadecimal, colons allowed. A NAS that shows exactly this
        certificate is trusted, for example DSM's self-signed one.
      - Nothing is sent to a machine that neither O(fingerprint) nor O(ca_path) verifies.
    type: str
  ca_path:
    description:
      - PEM file with the certificate authorities that sign the NAS's certificate, which must be valid for O(host).
      - With O(fingerprint) as well, either proof is enough. So a NAS can be verified by the fingerprint of its first
        certificate, and by the authority after it got one of that. With O(fingerprint), the file may be missing.
      - Without both options the system's certificate authorities are used.
    type: path
  session_file:
    description:
      - File in which the session is kept between tasks, so that one login serves a whole play. Its folder is created
        with mode 0700, the file with 0600.
      - Changes of all tasks that share the file are serialised by a lock beside it.
      - End the session with M(tars.home.dsm_session).
      - Without it each task logs in and out.
    type: path
  timeout:
    description: Seconds to wait for the connection, and for each answer.
    type: int
    default: 30
requirements:
  - Runs where Ansible runs (C(connection=local) or C(delegate_to=localhost)). The NAS needs neither SSH nor Python.
notes:
  - Uses the DSM Web API with versions negotiated by C(SYNO.API.Info), for DSM 7.0 and newer.
  - A failed login is never repeated, because DSM blocks an address after a few. An expired session is renewed once.
  - Set the connection with C(group/tars.home.dsm) in C(module_defaults). Defaults for a single module would reach all
    modules of the group.
"""

    ATTRIBUTES = r"""
attributes:
  action_group:
    description: Use C(group/tars.home.dsm) in C(module_defaults) to set the connection for all modules of the group.
    support: full
    membership:
      - tars.home.dsm
  check_mode:
    description: Reads and plans as in a real run, and writes nothing.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  platform:
    description: What the module manages.
    support: full
    platforms: Synology DSM
"""
