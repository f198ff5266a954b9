"""The durable log between the door and the line: store and forward."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from forewarn.domain.readings import ReadingBatch


@dataclass(frozen=True, slots=True)
class Appended:
    """The durable acknowledgement. `repeated`: (gateway, sequence, content) was known, nothing was written.
    `renamed`: (gateway, sequence) was known with another content, so the batch was written under a new sequence."""

    offset: int
    repeated: bool
    renamed: bool = False


@dataclass(frozen=True, slots=True)
class LogDepth:
    """How full the log is. `behind`: per consumer, batches not yet committed by it."""

    batches: int
    bytes: int
    capacity_bytes: int
    last_offset: int
    behind: dict[str, int]


class BatchLog(Protocol):
    """Offsets count batches from 1 upward without gaps and are never reused, not even after a restart.

    Thread-safe. One process writes; the log survives kill -9 and power loss from the moment of the answer.
    """

    def append(self, batch: ReadingBatch, content: int = 0) -> "Future[Appended]":
        """Make `batch` durable. The future resolves only after fsync; calls in flight share one commit.

        content: checksum (uint32) of what the sender sent. A (gateway, sequence) that was appended before with the
        same content, at any time within the ledger's retention, answers `repeated` with the first append's
        offset; with another content (a counter that began anew) it is written all the same, `renamed`.
        Raises BatchLogFull at once (not in the future) when the bound is reached; StorageFailed through the
        future when the disk refuses.
        """
        ...

    def read(self, after: int, max_readings: int) -> Sequence[tuple[int, ReadingBatch]]:
        """Up to `max_readings` (at least one batch if there is any) with offset > `after`, in order; may be empty."""
        ...

    def wait(self, after: int, timeout_s: float) -> bool:
        """Block until a batch with offset > `after` exists; False when the time ran out first."""
        ...

    def commit(self, consumer: str, offset: int) -> None:
        """`consumer` has done with everything up to `offset`. What all consumers committed may be trimmed.

        A consumer exists from its first commit on (commit 0 registers it)."""
        ...

    def committed(self, consumer: str) -> int:
        """The consumer's last committed offset, 0 if it never committed."""
        ...

    def last_sequence(self, gateway: str) -> int:
        """The highest sequence ever appended for `gateway`, -1 if none."""
        ...

    def depth(self) -> LogDepth: ...

    def close(self) -> None:
        """Finish what is in flight, then release the files. Idempotent."""
        ...
