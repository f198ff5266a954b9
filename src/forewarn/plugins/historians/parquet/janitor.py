"""Keeps the folder tidy: one writer, no stray files, old files gone when nobody reads them any more."""

import fcntl
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

from forewarn.domain.errors import StorageFailed
from forewarn.plugins.historians.parquet.manifest import Inventory, Kind
from forewarn.plugins.historians.parquet.sorted_file import SegmentDamaged

_LOCK: Final = "writer.lock"


class Janitor:
    """Paths are relative to `directory`. A discarded file is unlinked `grace_s` seconds later."""

    def __init__(self, directory: Path, grace_s: float) -> None:
        self._directory, self._grace_s = directory, grace_s
        self._guard = threading.Lock()
        self._discarded: list[tuple[float, str]] = []
        self._held: IO[bytes] | None = None

    def lock(self) -> None:
        """Be the only writer. Raises StorageFailed when another process is."""
        self._held = (self._directory / _LOCK).open("ab")
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._held.close()
            raise StorageFailed(
                f"another process writes the historian in {self._directory}; stop it or choose another directory"
            ) from error

    def release(self) -> None:
        if self._held is not None:
            self._held.close()

    def check_and_sweep(self, inventory: Inventory) -> None:
        """Every listed file is there in its size, and what is not listed (a crash's remains) is deleted.

        Raises SegmentDamaged, before anything is deleted."""
        listed = {entry.path: entry.bytes for entry in inventory.all()}
        for path, size in listed.items():
            place = self._directory / path
            try:
                actual = place.stat().st_size
            except FileNotFoundError:
                raise SegmentDamaged(place, "it is missing, though the manifest lists it") from None
            if actual != size:
                raise SegmentDamaged(place, f"it has {actual} bytes, {size} were written")
        for kind in Kind:
            for folder, _, names in os.walk(self._directory / kind.value):
                for name in names:
                    found = Path(folder, name)
                    if str(found.relative_to(self._directory)) not in listed:
                        found.unlink()

    def discard(self, paths: Sequence[str]) -> None:
        with self._guard:
            self._discarded += [(time.monotonic() + self._grace_s, path) for path in paths]

    def unlink_due(self) -> list[str]:
        """Delete what has waited long enough; the paths deleted."""
        now = time.monotonic()
        with self._guard:
            due = [path for when, path in self._discarded if when <= now]
            self._discarded = [item for item in self._discarded if item[0] > now]
        for path in due:
            (self._directory / path).unlink(missing_ok=True)
        return due
