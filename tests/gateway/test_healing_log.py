"""A raw log with a damaged batch goes on by itself: what is gone is told and counted, the rest is read."""

import sqlite3
from pathlib import Path

import pytest

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import StorageFailed
from forewarn.gateway.healing_log import REASON, HealingLog
from forewarn.gateway.outbox import SqliteOutbox
from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
from tests.gateway.parcels import tally
from tests.plugins.batch_logs.batches import batch


@pytest.mark.parametrize("thinned_up_to", [0, 5])
def test_a_damaged_batch_is_given_up_told_and_counted(tmp_path: Path, thinned_up_to: int) -> None:
    log = SqliteSpool(tmp_path / "raw", ring_bytes=0)
    for n in range(6):
        log.append(batch(n, readings=10)).result(10)
    log.close()
    with sqlite3.connect(tmp_path / "raw" / "spool.db") as connection:
        connection.execute("UPDATE frame SET crc = crc + 1 WHERE offset = 3")
    connection.close()
    outbox = SqliteOutbox(tmp_path / "outbox")
    if thinned_up_to:
        outbox.pack([], tally(50, 0), b"", thinned_up_to)

    def lost(offset: int, readings: int) -> None:
        if offset > outbox.offset:  # else it was thinned before; only the raw ring lacks it
            outbox.lost(readings, REASON)

    told: list[ConditionCode] = []
    raw = SqliteSpool(tmp_path / "raw", ring_bytes=0)
    with pytest.raises(StorageFailed):
        raw.read(2, 10_000)
    healing = HealingLog(raw, lost, lambda code, text: told.append(code))
    found: list[tuple[int, int]] = []
    while piece := healing.read(found[-1][0] if found else 0, 10_000):
        found += [(offset, len(rows)) for offset, rows in piece]
    assert found == [(1, 10), (2, 10), (3, 0), (4, 10), (5, 10), (6, 10)]
    assert told == [ConditionCode.BUFFER_DAMAGED]
    sums = outbox.sums()
    assert sums.adds_up
    assert sums.refused == (0 if thinned_up_to else 10)
    healing.close()
    outbox.close()
