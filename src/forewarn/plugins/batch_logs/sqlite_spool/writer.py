"""The one thread that writes: drains the queue, commits it as one transaction, then answers."""

import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import structlog

from forewarn.contracts.batch_log import Appended
from forewarn.domain.errors import StorageFailed
from forewarn.plugins.batch_logs.sqlite_spool.intake import Intake, Waiting
from forewarn.plugins.batch_logs.sqlite_spool.refusals import condition_of
from forewarn.plugins.batch_logs.sqlite_spool.ring import Ring
from forewarn.plugins.batch_logs.sqlite_spool.store import Store

_log = structlog.get_logger(__name__)
_IDLE_S: Final = 0.25
_TRIM_FROM: Final = 64
_FORGET_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Standing:
    """The log's figures as of one moment, for threads other than the writer's."""

    last_offset: int
    first_frame: int
    frame_bytes: int


class Writer(threading.Thread):
    """Owns the Store. `standing` and `consumers` may be read from any thread."""

    def __init__(self, store: Store, intake: Intake, ring: Ring) -> None:
        super().__init__(name="batch-log-writer", daemon=True)
        self._store = store
        self._intake = intake
        self._ring = ring
        self._news = threading.Condition()
        self._asked: list[tuple[Callable[[Store], None], Future[None]]] = []
        self._broken = False
        self._forget_at = 0.0
        self._trimmed_at = time.perf_counter()
        self.consumers: dict[str, int] = dict(store.consumers)
        self.standing = self._stand()

    def wait(self, after: int, timeout_s: float) -> bool:
        with self._news:
            return self._news.wait_for(lambda: self.standing.last_offset > after, timeout_s)

    def commit(self, consumer: str, offset: int) -> None:
        with self._news:
            known = consumer in self.consumers
            self.consumers = {**self.consumers, consumer: max(offset, self.consumers.get(consumer, 0))}
        if not known:
            self.ask(lambda store: store.save({consumer: offset}))

    def ask(self, work: Callable[[Store], None]) -> None:
        """Have `work` done by the writer's thread and wait for it. Raises StorageFailed."""
        done: Future[None] = Future()
        with self._news:
            self._asked.append((work, done))
        self._intake.poke()
        while not wait([done], timeout=1.0).done:
            if not self.is_alive():
                raise StorageFailed("the batch log is closed; the process is shutting down")
        done.result()

    def run(self) -> None:
        while not self._intake.drained:
            group = self._intake.take(_IDLE_S)
            if group:
                self._write(group)
            try:
                self._keep_house(idle=not group)
            except (sqlite3.Error, StorageFailed) as error:
                if not self._broken:
                    _log.warning("batch_log_housekeeping_failed", error=str(error))
                self._broken = True
        self._finish()

    def _write(self, group: list[Waiting]) -> None:
        start = time.perf_counter()
        try:
            self._mend()
            written = self._store.write([w.encoded for w in group], self._moved())
        except (sqlite3.Error, StorageFailed, OSError) as error:
            self._broken = True
            self._intake.done(group, self._store.frame_bytes, time.perf_counter() - start)
            _log.error("batch_log_write_failed", batches=len(group), error=str(error))
            for waiting in group:
                waiting.appended.set_exception(_refused(error, self._store.directory))
            return
        self._ring.put(written.batches)
        self._tell()
        self._intake.done(group, self._store.frame_bytes, time.perf_counter() - start)
        _answer(group, written.answers)

    def _moved(self) -> dict[str, int]:
        """Consumers whose place on disk is not the one in memory."""
        return {name: at for name, at in self.consumers.items() if self._store.consumers.get(name) != at}

    def _keep_house(self, *, idle: bool) -> None:
        """After the answers: what was asked, consumers' places, trimming, the ledger's retention, checkpoint."""
        self._do_asked()
        if idle:
            self._mend()
            if moved := self._moved():
                self._store.save(moved)
        self._trim(at_least=1 if idle else _TRIM_FROM)
        if time.perf_counter() >= self._forget_at and not self._broken:
            self._store.forget()
            self._forget_at = time.perf_counter() + _FORGET_EVERY_S
        if not self._broken:
            self._store.checkpoint()

    def _trim(self, at_least: int) -> None:
        """Only what every consumer's place on disk has passed: after a crash nobody asks for what is gone."""
        places = self._store.consumers
        done = min(places.values()) if places else 0
        if self._broken or done - self._store.first_frame + 1 < at_least:
            return
        # Told before it is done: a reader that misses a row must be able to see why.
        self.standing = replace(self.standing, first_frame=self._store.last_to_trim(done) + 1)
        freed = self._store.trim(done)
        now = time.perf_counter()
        self._intake.trimming.add(freed, now - self._trimmed_at)
        self._trimmed_at = now
        self._intake.stored_bytes = self._store.frame_bytes
        self._tell()
        self._ring.drop_up_to(done)
        if done >= self._store.first_frame:
            self._intake.poke()

    def _do_asked(self) -> None:
        with self._news:
            asked, self._asked = self._asked, []
        for work, done in asked:
            try:
                self._mend()
                work(self._store)
            except (sqlite3.Error, StorageFailed, OSError) as error:
                self._broken = True
                done.set_exception(_refused(error, self._store.directory))
            else:
                done.set_result(None)

    def _mend(self) -> None:
        """After a failure memory may believe what the disk does not hold: start from the disk again."""
        if self._broken:
            self._store.reopen()
            self._broken = False
            self._ring.clear()
            self._tell()

    def _tell(self) -> None:
        with self._news:
            self.standing = self._stand()
            self._news.notify_all()

    def _stand(self) -> Standing:
        return Standing(self._store.last_offset, self._store.first_frame, self._store.frame_bytes)

    def _finish(self) -> None:
        try:
            self._keep_house(idle=True)
            self._store.checkpoint(all_of_it=True)
        except (sqlite3.Error, StorageFailed) as error:
            _log.warning("batch_log_close_failed", error=str(error))
        self._store.close()


def _answer(group: list[Waiting], answers: list[Appended]) -> None:
    for waiting, appended in zip(group, answers, strict=True):
        waiting.appended.set_result(appended)


def _refused(error: Exception, directory: Path) -> StorageFailed:
    return StorageFailed(
        f"the batch log could not be written: {error}. Nothing of the batch was taken. Check free space and the "
        "state of the disk; the log goes on by itself once it can be written",
        condition=condition_of(error, directory),
    )
