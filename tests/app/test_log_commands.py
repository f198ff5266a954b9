"""`forewarn log discard` on a real log with a frame that a disk has damaged."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from forewarn.domain.readings import ReadingBatch
from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
from forewarn.plugins.historians.parquet import ParquetHistorian


def readings(sequence: int, n: int = 3) -> ReadingBatch:
    time = 1_700_000_000_000_000 + np.arange(n, dtype=np.int64)
    return ReadingBatch(np.ones(n, np.int32), time, np.ones(n), np.zeros(n, np.uint32), "press-7", sequence)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A stopped site with five frames, the third damaged."""
    log = SqliteSpool(tmp_path / "log")
    for sequence in range(1, 6):
        log.append(readings(sequence)).result(10)
    log.close()
    with sqlite3.connect(tmp_path / "log" / "spool.db") as other:
        other.execute("UPDATE frame SET crc = crc + 1 WHERE offset = 3")
    return tmp_path


def discard(site: Path, offset: int, *options: str, answer: str = "") -> tuple[int, str]:
    command = [sys.executable, "-m", "forewarn", "log", "discard", str(offset), "--directory", str(site), *options]
    done = subprocess.run(command, input=answer, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def offsets(site: Path) -> list[tuple[int, int]]:
    log = SqliteSpool(site / "log")
    try:
        return [(offset, len(batch)) for offset, batch in log.read(2, 1_000)]
    finally:
        log.close()


def test_what_is_lost_is_told_and_asked_for(site: Path) -> None:
    status, said = discard(site, 3, answer="n\n")
    assert status == 1
    assert "3 readings of gateway 'press-7' (sequence 3)" in said
    assert "lost for good" in said
    status, said = discard(site, 3, answer="y\n")
    assert (status, "Frame 3 is empty now" in said) == (0, True)
    assert offsets(site) == [(3, 0), (4, 3), (5, 3)]


def test_what_the_historian_holds_is_not_called_lost(site: Path) -> None:
    historian = ParquetHistorian(site / "historian")
    historian.append([(offset, readings(offset)) for offset in range(1, 4)])
    historian.close()
    assert "historian holds them already" in discard(site, 3, "--yes")[1]


def test_it_refuses_what_is_whole_gone_or_in_use(site: Path) -> None:
    assert "frame 2 is whole" in discard(site, 2, "--yes")[1]
    status, said = discard(site, 9, "--yes")
    assert (status, "the log has no frame 9: it ends at 5" in said) == (1, True)
    assert "no batch log in" in discard(site / "elsewhere", 3, "--yes")[1]
    running = SqliteSpool(site / "log")
    status, said = discard(site, 3, "--yes")
    assert (status, "is being written by process" in said) == (1, True)
    running.close()
