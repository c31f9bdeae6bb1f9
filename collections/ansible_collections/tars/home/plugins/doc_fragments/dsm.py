# SPDX-License-Identifier: GPL-3.0-or-later
"""What every dsm_* module says about its connection."""

from __future__ import annotations


class ModuleDocFragment:
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
    description: Password of O(account). Sent in the body of one HTTPS request a login, to the verified NAS only.
    type: str
    required: true
  otp_secret:
    description:
      - For an account with 2-factor authentication, the base32 secret that DSM showed when that was set up. The
        one-time codes are made from it (RFC 6238), so nobody has to type one.
      - Needs O(device_file). A code is sent by the first login only, and never twice, because DSM refuses one it has
        seen; a login that comes within 30 s of the last code waits for the next one.
    type: str
  device_file:
    description:
      - File that keeps what a login with a code brings, the token by which DSM knows this machine from then on, made
        with mode 0600. Later logins send the token instead of a code, and O(otp_secret) may be left out.
      - Who has O(password) and this file needs no code. A token that DSM takes no more is removed and said so; the
        next run sends a code.
      - One file serves one NAS, and several accounts of it.
    type: path
  fingerprint:
    description:
      - SHA-256 of the certificate that the NAS shows, in hexadecimal, colons allowed. A NAS that shows exactly this
        one is trusted, which suits DSM's self-signed one.
      - Nothing is sent to a machine for which neither O(fingerprint) nor O(ca_path) is a proof.
    type: str
  ca_path:
    description:
      - PEM file with the authorities that vouch for the NAS; its certificate must be valid for O(host) too.
      - Given beside O(fingerprint), either proof is enough, so that a NAS is known by the fingerprint of its first
        certificate, and by its authority from the moment it shows one of that. The file may be missing as long as
        there is O(fingerprint).
      - Without both options the system's authorities count.
    type: path
  session_file:
    description:
      - File in which the session is kept between tasks, so that one login serves a whole play. Its folder is made with
        mode 0700, the file with 0600.
      - Changes of all tasks that share the file are serialised by a lock beside it.
      - End the session with M(tars.home.dsm_session).
      - Without it each task logs in and out.
    type: path
  timeout:
    description: Seconds to wait for the connection, and for each answer.
    type: int
    default: 30
requirements:
  - Runs where Ansible runs (C(connection=local) or C(delegate_to=localhost)); nothing is needed on the NAS.
notes:
  - Speaks the DSM Web API with versions negotiated by C(SYNO.API.Info). Meant for DSM 7.0 and newer.
  - A failed login is never tried again, because DSM blocks an address after a few. An expired session is renewed once.
"""

    ATTRIBUTES = r"""
attributes:
  action_group:
    description: Use C(group/tars.home.dsm) in C(module_defaults) to set the connection for all modules of the group.
    support: full
    membership:
      - tars.home.dsm
  platform:
    description: What the module acts on.
    support: full
    platforms: Synology DSM
"""
