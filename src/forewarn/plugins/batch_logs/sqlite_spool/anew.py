"""A log begun anew in place of one that SQLite cannot read, for a gateway that has nobody beside it."""

import contextlib
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from forewarn.plugins.batch_logs.sqlite_spool.directory import DATABASE, WriterLock, connect


def begin_anew(directory: Path, last_offset: int, *, shrink: bool = False) -> str:
    """Move the database aside as damaged-<time>-spool.db and make an empty one whose offsets go on above `last_offset`
    (the greatest that any stage has handled); what happened, as a sentence.

    Raises ConfigurationError while another process holds the directory, StorageFailed when the disk refuses."""
    lock = WriterLock(directory)
    try:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"):
            path = directory / name
            if path.exists():
                path.rename(directory / f"damaged-{stamp}-{name}")
        with contextlib.closing(connect(directory, writer=True, shrink=shrink)) as connection:
            if last_offset > 0:
                # The ledger's newest row says where the log ends, though its frame is gone.
                row = (last_offset, 0, last_offset, time.time_ns() // 1_000, 0)
                connection.execute("INSERT INTO ledger VALUES (?, ?, ?, ?, ?)", row)
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    finally:
        lock.release()
    return (
        f"the raw log in {directory} could not be read. It was set aside as damaged-{stamp}-{DATABASE} and a new one "
        f"was begun after batch {last_offset}; what had not been thinned yet is in the old one only. Check the disk"
    )
