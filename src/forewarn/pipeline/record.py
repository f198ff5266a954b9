"""The stage that gives readings to the historian."""

from collections.abc import Callable
from typing import Final

from forewarn.contracts.batch_log import LogDepth
from forewarn.contracts.historian import Historian
from forewarn.contracts.stage import Carriage

_PRESSED: Final = 0.5


class RecordStage:
    """Appends the log's batches as they are; the historian ignores what it has on disk already.

    Asks the historian to write before its time when the log is half full: only what is in segments on disk can
    be trimmed from it."""

    name = "record"

    def __init__(self, historian: Historian, depth: Callable[[], LogDepth]) -> None:
        """depth: how full the log is."""
        self._historian = historian
        self._depth = depth

    def handle(self, carriage: Carriage) -> Carriage:
        self._historian.append(carriage.batches)
        return carriage

    def tick(self, now_us: int) -> Carriage | None:
        """Nothing to carry on."""
        depth = self._depth()
        if depth.bytes > _PRESSED * depth.capacity_bytes:
            self._historian.flush()
        return None


class WatermarkOffsets:
    """StageOffsets of the record stage: what the historian has on disk, which it knows best itself."""

    def __init__(self, historian: Historian) -> None:
        self._historian = historian

    def get(self, stage: str) -> int:
        return self._historian.watermark

    def set(self, stage: str, offset: int) -> None:
        """The historian moves its watermark by itself."""
