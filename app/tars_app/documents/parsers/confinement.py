# SPDX-License-Identifier: GPL-3.0-or-later
"""Confine the process that reads one file: memory, time, files, and system calls. No privilege is needed.

A filter of system calls (seccomp, Linux 3.5) refuses sockets, other programs, signals to other processes and access to
their memory. Landlock (Linux 5.13), where the kernel has it, refuses all files but those of Python and the system, so
that passwords and other documents cannot be read. What is left to a parser that a hostile file has taken over is to
answer with a text of its own.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What reading one file may take. A file that needs more is not readable."""

    memory_bytes: int = 1024 * _MIB
    processor_s: int = 300
    wall_s: int = 600
    output_bytes: int = 32 * _MIB
    open_files: int = 64


_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER_MODE = 38, 22, 2  # prctl(2)
_LOAD, _IF_EQUAL, _IF_NOT_BELOW, _RETURN = 0x20, 0x15, 0x35, 0x06  # linux/bpf_common.h
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
_X32 = 0x40000000
# socket connect socketpair, (fork vfork) execve execveat, kill setpgid setsid, ptrace process_vm_readv
# process_vm_writev, pidfd_send_signal io_uring_setup pidfd_getfd
_REFUSED: dict[str, tuple[int, tuple[int, ...]]] = {
    "x86_64": (0xC000003E, (41, 42, 53, 57, 58, 59, 322, 62, 109, 112, 101, 310, 311, 424, 425, 438)),
    "aarch64": (0xC00000B7, (198, 203, 199, 221, 281, 129, 154, 157, 117, 270, 271, 424, 425, 438)),
}


_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # landlock(7); the same numbers on every processor
_BENEATH = 1
_ALL_RIGHTS, _READ_FILE, _READ_FOLDER = (1 << 13) - 1, 1 << 2, 1 << 3
_READABLE = ("/usr", "/lib", "/lib64", "/etc", "/dev/null", "/dev/urandom")
_c_library = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def allow_files() -> int | None:
    """Return a descriptor of the files that `confine` leaves readable, None where the kernel has no Landlock."""
    rules: int = _c_library.syscall(_CREATE_RULESET, struct.pack("Q", _ALL_RIGHTS), 8, 0)
    if rules < 0:
        return None
    # The working folder may be in the path of modules; that of a container is the root of all.
    for path in {*_READABLE, *filter(None, sys.path), sys.prefix, sys.base_prefix} - {"/"}:
        with suppress(OSError):  # a folder of the path need not exist
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            rights = _READ_FILE | _READ_FOLDER if os.path.isdir(path) else _READ_FILE
            _c_library.syscall(_ADD_RULE, rules, _BENEATH, struct.pack("=Qi", rights, descriptor), 0)
            os.close(descriptor)
    return rules


def confine(limits: Limits, files: int | None) -> bool:
    """Limit this process and all that it starts for good; return whether system calls are refused too.

    `files` is what `allow_files` returned.
    """
    bounds = (
        (resource.RLIMIT_AS, limits.memory_bytes, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.processor_s, limits.processor_s + 5),  # SIGXCPU, and SIGKILL if that is ignored
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NOFILE, limits.open_files, limits.open_files),
    )
    for kind, soft, hard in bounds:
        resource.setrlimit(kind, (soft, hard))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which ends the process
    signal.alarm(limits.wall_s)
    if _c_library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    if files is not None:
        _c_library.syscall(_RESTRICT_SELF, files, 0)
    return _refuse_system_calls()


def _refuse_system_calls() -> bool:
    if platform.machine() not in _REFUSED:
        return False
    architecture, numbers = _REFUSED[platform.machine()]
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_IF_NOT_BELOW, len(numbers) + 1, 0, _X32),
        *((_IF_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    return bool(_c_library.prctl(_SET_SECCOMP, _FILTER_MODE, ctypes.byref(_Program(len(program), code)), 0, 0) == 0)
