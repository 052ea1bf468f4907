"""The most memory that this process ever had."""

import re
import resource
import sys
from pathlib import Path

__all__ = ["peak_bytes"]

_STATUS = Path("/proc/self/status")


def peak_bytes() -> int:
    """The most memory that this process ever had resident.

    Linux counts the memory of whoever started a process into the `ru_maxrss` of the process, so
    that a large parent hides what a small child took; its own is what the kernel's status says.

    Source: proc_pid_status(5), VmHWM; getrusage(2), ru_maxrss.
    """
    if _STATUS.is_file() and (told := re.search(r"VmHWM:\s*(\d+) kB", _STATUS.read_text())):
        return int(told[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
