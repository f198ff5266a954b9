"""How far each stage has come along the batch log."""

from typing import Protocol


class StageOffsets(Protocol):
    def get(self, stage: str) -> int:
        """Last log offset the stage has fully handled; 0 if none."""
        ...

    def set(self, stage: str, offset: int) -> None: ...
