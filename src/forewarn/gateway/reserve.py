"""Room on the disk that is let go of when it is full: to deliver and delete what waits needs room too."""

import os
from pathlib import Path
from typing import Final

RESERVE: Final = "outbox.reserve"
BYTES: Final = 8 * 2**20


class Reserve:
    """A file of that size that holds nothing. Not thread-safe."""

    def __init__(self, directory: Path, size: int = BYTES) -> None:
        self._size = size
        self._path = directory / RESERVE
        self.held = False

    def take(self) -> bool:
        """Hold the room; False when the disk has none."""
        if self.held:
            return True
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.ftruncate(handle, self._size)
                os.posix_fallocate(handle, 0, self._size)
            finally:
                os.close(handle)
        except OSError:
            self.let_go()
            return False
        self.held = True
        return True

    def let_go(self) -> None:
        self.held = False
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            return  # a disk that cannot be written to at all has no use for it
