"""The stage that gives readings to the historian."""

from forewarn.contracts.historian import Historian
from forewarn.contracts.stage import Carriage


class RecordStage:
    """Appends the log's batches as they are; the historian ignores what it has on disk already."""

    name = "record"

    def __init__(self, historian: Historian) -> None:
        self._historian = historian

    def handle(self, carriage: Carriage) -> Carriage:
        self._historian.append(carriage.batches)
        return carriage

    def tick(self, now_us: int) -> Carriage | None:
        """Nothing of this stage depends on the clock."""
        return None


class WatermarkOffsets:
    """StageOffsets of the record stage: what the historian has on disk, which it knows best itself."""

    def __init__(self, historian: Historian) -> None:
        self._historian = historian

    def get(self, stage: str) -> int:
        return self._historian.watermark

    def set(self, stage: str, offset: int) -> None:
        """The historian moves its watermark by itself."""
