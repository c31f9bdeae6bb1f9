# SPDX-License-Identifier: GPL-3.0-or-later
"""mount.nfs4 for a kernel without an NFS client: NFS 4 with libnfs, mounted through FUSE.

mount(8) runs it under the name and with the arguments of the kernel's client, so that units and roles are the same as
on a machine whose kernel has one. It runs on the machine, with Debian's Python, mfusepy, and libnfs 5 (libnfs14).
"""
