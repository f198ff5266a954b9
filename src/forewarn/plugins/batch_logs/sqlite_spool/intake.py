"""What waits for the writer, how much of it there may be, and how long until there is room again."""

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass

from forewarn.contracts.batch_log import Appended
from forewarn.domain.errors import BatchLogFull
from forewarn.domain.readings import ReadingBatch
from forewarn.plugins.batch_logs.sqlite_spool.frame import Encoded, encode
from forewarn.plugins.batch_logs.sqlite_spool.ring import weight


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    encoded: Encoded
    appended: "Future[Appended]"

    @property
    def memory(self) -> int:
        return weight(self.encoded.batch) + len(self.encoded.body)


class Pace:
    """Bytes a second, as an exponential average over the last few events."""

    def __init__(self) -> None:
        self._per_s = 0.0

    def add(self, size: int, took_s: float) -> None:
        rate = size / max(took_s, 1e-6)
        self._per_s = rate if self._per_s == 0.0 else 0.8 * self._per_s + 0.2 * rate

    def seconds_for(self, size: int, unknown_s: float) -> float:
        """How long `size` bytes take at this pace, 0.05-60 s; `unknown_s` before the first event."""
        return min(max(size / self._per_s, 0.05), 60.0) if self._per_s else unknown_s


class Intake:
    """Bounded queue between many callers and the one writer. `capacity_bytes` bounds the disk,
    `queue_bytes` the memory."""

    def __init__(self, capacity_bytes: int, queue_bytes: int, group_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._queue_bytes = queue_bytes
        self._group_bytes = group_bytes
        self._waiting: deque[Waiting] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closed = False
        self._poked = False
        self.stored_bytes = 0
        self.writing = Pace()
        self.trimming = Pace()

    def put(self, batch: ReadingBatch, content: int) -> "Future[Appended] | None":
        """Queue it; None once closed. Raises BatchLogFull, having taken nothing."""
        self._check_room(weight(batch))  # a full log refuses before it works
        # Encoded by the caller: lz4 lets go of the GIL and overlaps the writer's fsync.
        waiting = Waiting(encode(batch, content), Future())
        size = waiting.memory
        waiting.appended.set_running_or_notify_cancel()  # what is queued is written: it cannot be cancelled
        with self._changed:
            if self._closed:
                return None
            self._check_room(size)
            self._waiting.append(waiting)
            self._bytes += size
            self._changed.notify()
        return waiting.appended

    def _check_room(self, size: int) -> None:
        if self.stored_bytes + self._bytes + size > self._capacity_bytes:
            raise BatchLogFull(
                f"the batch log holds {self.stored_bytes:,} of {self._capacity_bytes:,} bytes: its consumers do not "
                "keep up. Send again later; see which stage is behind, or give the log more room",
                retry_after_s=self.trimming.seconds_for(self._capacity_bytes // 100, unknown_s=5.0),
            )
        if self._bytes and self._bytes + size > self._queue_bytes:
            raise BatchLogFull(
                f"{self._bytes:,} bytes wait for the disk, which is as much as may wait. Send again later",
                retry_after_s=self.writing.seconds_for(self._bytes, unknown_s=1.0),
            )

    def take(self, timeout_s: float) -> list[Waiting]:
        """All that waits, up to the group's bound; empty when poked, closed or the time ran out."""
        with self._changed:
            if not self._waiting and not self._poked and not self._closed:
                self._changed.wait(timeout_s)
            self._poked = False
            group: list[Waiting] = []
            size = 0
            while self._waiting and size < self._group_bytes:
                group.append(self._waiting.popleft())
                size += group[-1].memory
            return group

    def done(self, group: list[Waiting], stored_bytes: int, took_s: float) -> None:
        """The group has left memory, well or badly."""
        size = sum(w.memory for w in group)
        with self._changed:
            self._bytes -= size
            self.stored_bytes = stored_bytes
        self.writing.add(size, took_s)

    def resize(self, capacity_bytes: int) -> None:
        with self._changed:
            self._capacity_bytes = capacity_bytes

    def poke(self) -> None:
        """Wake the writer though no batch came."""
        with self._changed:
            self._poked = True
            self._changed.notify()

    def close(self) -> None:
        """Nothing more is taken in; what waits can still be taken out."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    @property
    def drained(self) -> bool:
        with self._changed:
            return self._closed and not self._waiting
