"""The most memory that this process has held at once."""

import resource
import sys
from pathlib import Path
from typing import Final

_STATUS: Final = Path("/proc/self/status")


def peak_bytes(status: Path = _STATUS) -> int:
    """Resident bytes. status: of Linux. Where there is none, what getrusage says, which a process that was started by a
    bigger one takes over from it: getrusage(2), ru_maxrss survives execve."""
    try:
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024  # kB in proc(5) are of 1,024 bytes
    except (OSError, ValueError, IndexError):
        pass  # not Linux, or one that hides it
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
