"""The machine's clock, which a drill can set: `FOREWARN_DRILL_CLOCK` names a file with microseconds ahead."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from forewarn.kit.clock import wall_us

VARIABLE: Final = "FOREWARN_DRILL_CLOCK"
_LOOK_S: Final = 0.05


class _DrillClock:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._ahead_us = 0
        self._looked = 0.0

    def __call__(self) -> int:
        if time.monotonic() - self._looked > _LOOK_S:
            self._looked = time.monotonic()
            try:
                self._ahead_us = int(self._file.read_text())
            except (OSError, ValueError):
                self._ahead_us = 0
        return wall_us() + self._ahead_us


def machine_clock() -> Callable[[], int]:
    """Microseconds UTC: the machine's, unless a drill says otherwise."""
    file = os.environ.get(VARIABLE)
    return _DrillClock(Path(file)) if file else wall_us
