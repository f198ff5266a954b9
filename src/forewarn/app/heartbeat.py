"""When this site was last alive, kept beside its data: what was not collected since then is a gap."""

import contextlib
from pathlib import Path
from typing import Final

from forewarn.kit.clock import SECOND

_FILE: Final = "alive"
BEAT_US: Final = SECOND


class Heartbeat:
    """`beat` is called about once a second and at the end; losing the last beat costs a second of accuracy."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / _FILE
        self._next = directory / f"{_FILE}.next"

    def last(self) -> int | None:
        """Microseconds UTC; None for a new site, and where the file holds no number."""
        with contextlib.suppress(OSError, ValueError):
            return int(self._file.read_text())
        return None

    def beat(self, now_us: int) -> None:
        """A full disk must not end the site: then the gap is drawn longer than it was."""
        with contextlib.suppress(OSError):
            self._next.write_text(str(now_us))
            self._next.replace(self._file)
