"""Reading from another process: what the writer has flushed, as of the last commit."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from forewarn.contracts.historian_reads import Keys
from forewarn.domain.series import Aggregates, Series
from forewarn.plugins.historians.parquet.asking import Snapshot
from forewarn.plugins.historians.parquet.historian import retrying
from forewarn.plugins.historians.parquet.manifest import Manifest
from forewarn.plugins.historians.parquet.store import FileCache, Store
from forewarn.plugins.historians.parquet.told_minutes import ToldMinutes

T = TypeVar("T")


class ParquetReader:
    """The reading half of ParquetHistorian; sees a flush as soon as it is committed, never the writer's tail.

    Raises StorageFailed when there is no historian in `directory`."""

    def __init__(self, directory: Path, *, workers: int = 2) -> None:
        self._manifest = Manifest(directory, read_only=True)
        self._told = ToldMinutes(directory, read_only=True)
        self._cache = FileCache(directory)
        self._workers = ThreadPoolExecutor(workers, "historian-read")
        self._lock = threading.Lock()
        self._version = self._manifest.version()
        self._loaded = self._manifest.load()

    @property
    def watermark(self) -> int:
        return self._snapshot().store.inventory.watermark

    def latest(self, signals: Keys) -> Series:
        return self._snapshot().newest.of(signals)

    def raw(self, signals: Keys, start: int, end: int, limit: int | None = None) -> Series:
        return self._ask(lambda snapshot: snapshot.raw(signals, start, end, limit))

    def aggregate(self, signals: Keys | None, start: int, end: int, bucket_us: int) -> Aggregates:
        return self._ask(lambda snapshot: snapshot.aggregate(signals, start, end, bucket_us))

    def export(self, signals: Keys, start: int, end: int, target: Path) -> int:
        return self._ask(lambda snapshot: snapshot.export(signals, start, end, target))

    def told_minutes(self, signals: Keys, start: int, end: int) -> Aggregates:
        return self._ask(lambda snapshot: snapshot.told_minutes(signals, start, end))

    def close(self) -> None:
        self._workers.shutdown()
        self._told.close()
        self._manifest.close()

    def _snapshot(self) -> Snapshot:
        with self._lock:
            version = self._manifest.version()
            if version != self._version:
                self._loaded = self._manifest.load()
                self._version = version
            inventory, newest = self._loaded
        return Snapshot(Store(inventory, self._cache, self._workers), newest, [], self._told)

    def _ask(self, question: Callable[[Snapshot], T]) -> T:
        return retrying(lambda: question(self._snapshot()), lambda: self._snapshot().store.inventory)
