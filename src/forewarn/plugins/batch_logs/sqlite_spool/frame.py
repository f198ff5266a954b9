"""One batch as bytes: an Arrow IPC stream of one record batch (lz4), guarded by a CRC-32 over body and name."""

import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import StorageFailed
from forewarn.domain.readings import ReadingBatch
from forewarn.plugins.batch_logs.sqlite_spool.codec import Unreadable, choose

CODEC: Final = choose()
_NAME: Final = struct.Struct("<qqq")


class FrameDamaged(StorageFailed):
    """The frame at `offset` is missing or is not what was written. Nothing after it is lost."""

    def __init__(self, offset: int, what: str) -> None:
        super().__init__(
            f"batch log frame {offset} is damaged ({what}). Restore the log's directory from a backup, or give up "
            f"this one batch: stop the site and run `forewarn log discard {offset}`",
            condition=ConditionCode.BUFFER_DAMAGED,
        )
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Frame:
    """A row of table `frame`, its gateway by name. `body` is empty for a batch without readings."""

    offset: int
    gateway: str
    sequence: int
    readings: int
    crc: int
    body: Any


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A batch with its body and that body's CRC-32; the offset is not known yet.

    content: the sender's checksum, 0 when there is none."""

    batch: ReadingBatch
    body: Any
    body_crc: int
    content: int

    def at(self, offset: int) -> Frame:
        """The frame to write at `offset`."""
        batch = self.batch
        crc = _crc(offset, batch.gateway, batch.sequence, len(batch), self.body_crc)
        return Frame(offset, batch.gateway, batch.sequence, len(batch), crc, self.body)

    def renamed(self) -> "Encoded":
        """The same under a sequence made of its sequence and content (63 bits), so that a retry finds it again."""
        name = hashlib.blake2b(struct.pack("<qq", self.batch.sequence, self.content), digest_size=8).digest()
        return replace(self, batch=replace(self.batch, sequence=int.from_bytes(name, "little") >> 1))


def encode(batch: ReadingBatch, content: int = 0) -> Encoded:
    """The batch as it will lie on disk; costs what its codec says."""
    body = CODEC.body(batch) if len(batch) else b""
    return Encoded(batch, body, zlib.crc32(body), content)


def decode(frame: Frame) -> ReadingBatch:
    """Raises FrameDamaged when name or body are not what was written."""
    if _crc(frame.offset, frame.gateway, frame.sequence, frame.readings, zlib.crc32(frame.body)) != frame.crc:
        raise FrameDamaged(frame.offset, "its CRC-32 does not match")
    if frame.readings == 0:
        return without_readings(frame.gateway, frame.sequence)
    signal, time, value, quality = _columns(frame)
    return ReadingBatch(signal, time, value, quality, frame.gateway, frame.sequence)


def without_readings(gateway: str, sequence: int) -> ReadingBatch:
    """A batch that is nothing but its name."""
    return ReadingBatch(
        np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint32), gateway, sequence
    )


def _columns(frame: Frame) -> Sequence[NDArray[Any]]:
    try:
        columns = CODEC.columns(frame.body)
    except Unreadable as error:
        raise FrameDamaged(frame.offset, str(error)) from error
    if len(columns[0]) != frame.readings:
        raise FrameDamaged(frame.offset, f"it holds {len(columns[0])} rows, not {frame.readings}")
    return columns


def _crc(offset: int, gateway: str, sequence: int, readings: int, body_crc: int) -> int:
    return zlib.crc32(_NAME.pack(offset, sequence, readings) + gateway.encode(), body_crc)
