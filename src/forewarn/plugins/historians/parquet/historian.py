"""The embedded historian: a tail in memory, sorted Parquet files on disk, a manifest between them."""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from forewarn.contracts.historian import HistorianSize
from forewarn.contracts.historian_reads import HistorianReads, Keys
from forewarn.domain.errors import ForewarnError, StorageDamaged, StorageFailed, WouldBlock
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Aggregates, Series
from forewarn.plugins.historians.parquet import merging
from forewarn.plugins.historians.parquet.asking import AtOnce, Snapshot
from forewarn.plugins.historians.parquet.janitor import Janitor
from forewarn.plugins.historians.parquet.late import reconcile
from forewarn.plugins.historians.parquet.latest import NEVER
from forewarn.plugins.historians.parquet.manifest import FileEntry, Inventory, Kind, Manifest
from forewarn.plugins.historians.parquet.retention import expired, whole_hours, young
from forewarn.plugins.historians.parquet.store import FileCache, Store
from forewarn.plugins.historians.parquet.tail import Tail
from forewarn.plugins.historians.parquet.told_minutes import ToldMinutes
from forewarn.plugins.historians.parquet.writing import write_flush

_log = logging.getLogger(__name__)
_RETRY_S: Final = 5.0
_IDLE_S: Final = 1.0
T = TypeVar("T")


class ParquetHistorian:
    """contracts.historian.Historian on files below `directory`; one writing process, any number of readers.

    flush_readings, flush_interval_s: the tail is written when it is that large or that old; an append waits while
    the tail holds twice as many. grace_s: how long merged-away files stay for readers in other processes.
    Raises StorageFailed (SegmentDamaged for a file that is not as written; nothing is changed then)."""

    def __init__(
        self,
        directory: Path,
        *,
        flush_readings: int = 2_000_000,
        flush_interval_s: float = 30.0,
        grace_s: float = 60.0,
        workers: int | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory, self._flush_readings, self._flush_interval_s = directory, flush_readings, flush_interval_s
        self._janitor = Janitor(directory, grace_s)
        self._janitor.lock()
        self._manifest = Manifest(directory)
        self._inventory, self._newest = self._manifest.load()
        self._janitor.check_and_sweep(self._inventory)
        self._told = ToldMinutes(directory)
        self._cache = FileCache(directory)
        self._workers = ThreadPoolExecutor(workers or min(4, os.cpu_count() or 1), "historian-read")
        # _state guards everything that readers and appenders see; _flushing and _merging are held for whole writes.
        self._state = threading.Condition()
        self._flushing, self._merging = threading.Lock(), threading.Lock()
        self._latest = self._newest.copy()
        self._tail, self._leaving = Tail(), Tail().view()
        self._appended = self._leaving_offset = self._inventory.watermark
        self._tail_since = 0.0
        self._failure: ForewarnError | None = None
        self._closed = False
        self._unmergeable: set[str] = set()
        self._raw_from = 0
        self._threads = [
            threading.Thread(target=self._keep_flushing, name="historian-flush", daemon=True),
            threading.Thread(target=self._keep_merging, name="historian-merge", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def watermark(self) -> int:
        return self._inventory.watermark

    def append(self, batches: Sequence[tuple[int, ReadingBatch]]) -> None:
        with self._state:
            self._wait_for_room()
            for offset, batch in batches:
                if offset <= self._appended:
                    continue
                if self._appended == self._leaving_offset:
                    self._tail_since = time.monotonic()
                if len(batch):
                    self._tail.append(batch)
                    self._latest.take_in(batch)
                self._appended = offset
            if self._tail.readings >= self._flush_readings:
                self._state.notify_all()

    def append_minutes(self, minutes: Aggregates) -> int:
        return self._told.put(minutes)

    def told_minutes(self, signals: Keys, start: int, end: int) -> Aggregates:
        return self._ask(lambda snapshot: snapshot.told_minutes(signals, start, end))

    def flush(self) -> None:
        with self._flushing:
            self._flush()

    def latest(self, signals: Keys) -> Series:
        with self._state:
            return self._latest.of(signals)

    def raw(self, signals: Keys, start: int, end: int, limit: int | None = None) -> Series:
        return self._ask(lambda snapshot: snapshot.raw(signals, start, end, limit))

    def aggregate(self, signals: Keys | None, start: int, end: int, bucket_us: int) -> Aggregates:
        return self._ask(lambda snapshot: snapshot.aggregate(signals, start, end, bucket_us))

    @property
    def at_once(self) -> HistorianReads:
        return AtOnce(self._snapshot_at_once)

    def export(self, signals: Keys, start: int, end: int, target: Path) -> int:
        return self._ask(lambda snapshot: snapshot.export(signals, start, end, target))

    def size(self) -> HistorianSize:
        with self._state:
            files, waiting = list(self._inventory.all()), self._tail.readings + self._leaving.readings
        raw = [e for e in files if e.kind is Kind.RAW]
        rolled = len(files) - len(raw)
        readings = sum(e.rows - e.overwrites for e in raw)
        total = sum(e.bytes for e in files) + self._told.size()
        return HistorianSize(len(raw), rolled, total, readings, waiting)

    def merge(self) -> int:
        """Do all merges that are due now; how many there were. The background thread does so by itself."""
        done = 0
        while self._merge_one():
            done += 1
        return done

    @property
    def raw_from(self) -> int:
        return self._raw_from

    def forget(self, raw_before: int, rollups_before: int) -> int:
        with self._flushing, self._merging:
            self._raw_from = max(self._raw_from, whole_hours(raw_before))
            if rollups_before > 0:
                self._told.forget(rollups_before)
            gone = expired(self._inventory, raw_before, rollups_before)
            if not gone:
                return 0
            self._manifest.commit((), gone)
            with self._state:
                self._swap((), gone, self._inventory.watermark, self._inventory.generation)
            self._janitor.discard([e.path for e in gone])
            return sum(e.bytes for e in gone)

    def close(self) -> None:
        with self._state:
            if self._closed:
                return
            self._closed = True
            self._state.notify_all()
        for thread in self._threads:
            thread.join()
        try:
            self.flush()
        finally:
            self._janitor.unlink_due()
            self._workers.shutdown()
            self._told.close()
            self._manifest.close()
            self._janitor.release()

    def _snapshot(self) -> Snapshot:
        with self._state:
            return self._picture(at_once=False)

    def _snapshot_at_once(self) -> Snapshot:
        if not self._state.acquire(blocking=False):
            raise WouldBlock("readings are just being taken in")
        try:
            return self._picture(at_once=True)
        finally:
            self._state.release()

    def _picture(self, *, at_once: bool) -> Snapshot:
        """Caller holds _state."""
        store = Store(self._inventory, self._cache, self._workers, at_once=at_once)
        return Snapshot(store, self._newest, [self._leaving, self._tail.view()], self._told)

    def _ask(self, question: Callable[[Snapshot], T]) -> T:
        return retrying(lambda: question(self._snapshot()), lambda: self._inventory)

    def _wait_for_room(self) -> None:
        while self._tail.readings >= 2 * self._flush_readings and not self._closed:
            if self._failure is not None:
                raise StorageFailed(f"the historian cannot write its tail: {self._failure}") from self._failure
            self._state.notify_all()
            self._state.wait(_IDLE_S)
        if self._closed:
            raise StorageFailed("the historian is closed")

    def _flush(self) -> None:
        """Caller holds _flushing. The leaving tail stays readable until the manifest has its files."""
        with self._state:
            if self._leaving.readings == 0:
                self._leaving, self._tail = self._tail.view(), Tail()
                self._leaving_offset = self._appended
            leaving, offset = self._leaving, self._leaving_offset
            self._state.notify_all()
        if offset <= self.watermark:
            return
        generation = self._inventory.generation + 1
        try:
            # Late readings are looked up in files that a merge may have just replaced: then once more.
            rows, added = retrying(lambda: self._write(leaving.everything(), generation), lambda: self._inventory)
            newest = self._newest.copy()
            newest.take_in(rows)
            self._manifest.commit(added, (), (offset, generation, newest.to_bytes()))
        except OSError as error:
            raise StorageFailed(f"the historian cannot write below {self._directory}: {error}") from error
        with self._state:
            self._swap(added, (), offset, generation)
            self._newest, self._leaving = newest, Tail().view()
            self._failure = None
            self._state.notify_all()

    def _write(self, rows: Series, generation: int) -> tuple[Series, list[FileEntry]]:
        store = Store(self._inventory, self._cache, self._workers)
        # What is older than the readings we kept cannot be told from a repeat of one that we let go.
        changing, overwrites = reconcile(store, self._newest, young(rows, self._raw_from))
        if not len(changing):
            return changing, []
        return changing, write_flush(store, self._directory, generation, changing, overwrites)

    def _swap(self, added: Sequence[FileEntry], removed: Sequence[FileEntry], offset: int, generation: int) -> None:
        self._inventory = self._inventory.replaced(added, removed, watermark=offset, generation=generation)

    def _merge_one(self) -> bool:
        with self._merging:
            with self._state:
                inventory, newest = self._inventory, self._newest
            known = newest.time[newest.time != NEVER]
            chosen = merging.choose(self._healthy(inventory), int(known.max()) if len(known) else 0)
            if chosen is None:
                return False
            complete = chosen[0] == inventory.files[chosen[0].kind, chosen[0].partition][0]
            try:
                store = Store(inventory, self._cache, self._workers, keeps=False)
                added = merging.merge(store, self._directory, chosen, complete=complete)
            except StorageFailed:
                _log.exception("these historian files stay unmerged: %s", [e.path for e in chosen])
                self._unmergeable.update(e.path for e in chosen)
                return True
            self._manifest.commit([added], chosen)
            with self._state:
                self._swap([added], chosen, self._inventory.watermark, self._inventory.generation)
            self._janitor.discard([e.path for e in chosen])
            return True

    def _healthy(self, inventory: Inventory) -> Inventory:
        if not self._unmergeable:
            return inventory
        files = {
            key: entries
            for key, entries in inventory.files.items()
            if not any(e.path in self._unmergeable for e in entries)
        }
        return Inventory(inventory.watermark, inventory.generation, files)

    def _keep_flushing(self) -> None:
        while True:
            with self._state:
                self._state.wait_for(lambda: self._closed or self._due(), self._due_in())
                if self._closed:
                    return
                due = self._due()
            if due:
                self._try(self.flush)

    def _due(self) -> bool:
        if self._tail.readings >= self._flush_readings or self._leaving_offset > self.watermark:
            return True
        return self._appended > self._leaving_offset and time.monotonic() - self._tail_since >= self._flush_interval_s

    def _due_in(self) -> float:
        return min(_IDLE_S, self._flush_interval_s)

    def _keep_merging(self) -> None:
        while not self._closed:
            merged = self._try(self._merge_one)
            self._cache.forget(self._janitor.unlink_due())
            if not merged:
                with self._state:
                    self._state.wait_for(lambda: self._closed, _IDLE_S)

    def _try(self, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except (ForewarnError, OSError) as error:
            _log.exception("the historian failed in the background; it tries again in %s s", _RETRY_S)
            with self._state:
                self._failure = error if isinstance(error, ForewarnError) else StorageFailed(str(error))
                self._state.notify_all()
                self._state.wait_for(lambda: self._closed, _RETRY_S)
            return None


def retrying(work: Callable[[], T], inventory: Callable[[], Inventory]) -> T:
    """`work`, done again with a new picture when a file was merged away while it read the old one."""
    while True:
        before = inventory()
        try:
            return work()
        except FileNotFoundError as error:
            # Nothing was merged since, so the file is listed and yet not there.
            if inventory() is before:
                raise StorageDamaged(
                    f"a file of the historian is missing: {error}. Restore it from a backup; "
                    "forewarn never deletes a file that its manifest lists."
                ) from error
