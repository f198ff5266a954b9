"""What the disk says to somebody who wants to write."""

import contextlib
import os
from pathlib import Path
from typing import Final

HALF: Final = ".half"  # of a file that is being written
_BLOCK: Final = bytes(4_096)


def sync_directory(directory: Path) -> None:
    """What was made, renamed or deleted in it survives a power loss. Raises OSError."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, content: bytes) -> None:
    """`path` holds `content`, or what it held before, whenever the process or the power ends; durable on return. One
    writer at a time. Raises OSError."""
    half = path.with_name(f"{path.name}{HALF}")
    try:
        with half.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            half.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write_refusal(directory: Path) -> int | None:
    """The errno with which the disk refuses a small new file in `directory`; None where it takes one.

    SQLite says "disk I/O error" of whatever a write was refused for, and a file system that has found itself damaged
    takes no more writes while it is still mounted as writable."""
    probe = directory / f".write-{os.getpid()}"
    try:
        with probe.open("wb") as file:
            file.write(_BLOCK)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
    return None
