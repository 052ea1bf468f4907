"""`medaccord` in a process whose flushes begin to fail, as those of a broken disk do.

Once it is sent SIGUSR1, the kernel answers every fsync and fdatasync of it with EIO: a filter of
system calls does that, and nobody can take it off again. Only for Linux on x86-64.

Source: Linux, Documentation/userspace-api/seccomp_filter.rst; seccomp(2).
"""

from __future__ import annotations

import ctypes
import errno
import signal
import struct
import sys
import threading

from medaccord.cli import main

_SECCOMP, _SET_MODE_FILTER, _ALL_THREADS = 317, 1, 1
_NO_NEW_PRIVS = 38
_FSYNC, _FDATASYNC = 74, 75
_LOAD_NUMBER, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def break_flushes() -> None:
    """Have every flush of this process fail from now on."""
    instructions = (
        (_LOAD_NUMBER, 0, 0, 0),
        (_IF_EQUAL, 1, 0, _FSYNC),
        (_IF_EQUAL, 0, 1, _FDATASYNC),
        (_RETURN, 0, 0, _FAIL | errno.EIO),
        (_RETURN, 0, 0, _ALLOW),
    )
    code = ctypes.create_string_buffer(
        b"".join(struct.pack("HBBI", *each) for each in instructions)
    )
    program = _Program(len(instructions), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    done = libc.syscall(_SECCOMP, _SET_MODE_FILTER, _ALL_THREADS, ctypes.byref(program))
    if done != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def _wait() -> None:
    signal.sigwait({signal.SIGUSR1})
    break_flushes()
    print("flushes fail", file=sys.stderr, flush=True)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    threading.Thread(target=_wait, daemon=True).start()
    main()
