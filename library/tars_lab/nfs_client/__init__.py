# SPDX-License-Identifier: GPL-3.0-or-later
"""mount.nfs4 for a kernel without an NFS client: NFS 4 by libnfs, shown to the kernel through FUSE.

mount(8) calls it by the name and with the words it has for the kernel's client, so units and roles are those of a
machine whose kernel has one. It runs on the machine with its own Python: the standard library, mfusepy, and libnfs 5
(Debian's libnfs14).
"""
