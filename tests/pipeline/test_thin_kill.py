"""kill -9 of raw log, line, thinning and outbox in one process: what was read adds up, and nothing is told twice."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from forewarn.contracts.outbox import Parcel, ParcelKind
from forewarn.gateway.ledger_book import read_book, recounted
from forewarn.gateway.outbox import SqliteOutbox
from forewarn.gateway.wire import decode_readings
from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool

ROOT = Path(__file__).parents[2]
GATEWAY = """
import os, sys
from dataclasses import replace
from pathlib import Path
import numpy as np
from forewarn.domain.readings import ReadingBatch
from forewarn.gateway.outbox import SqliteOutbox
from forewarn.gateway.wire import Wire
from forewarn.pipeline.line import Line, RoutedOffsets
from forewarn.pipeline.thin import OutboxOffsets, ThinSettings, ThinStage
from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
from forewarn.policies.thinning_plan import ThinPlan, ThinRule
from forewarn.kit.clock import now_us
from tests.pipeline.test_thin import T0, SECOND, TwoAssets, finding

folder = Path(sys.argv[1])
log, outbox = SqliteSpool(folder / "raw"), SqliteOutbox(folder / "outbox")
log.commit("ring", 0)

class Finds:
    name = "find"
    def handle(self, carriage):
        n = carriage.last // 40 * 40
        return carriage.with_findings([finding(n, ended=n + 2)]) if carriage.first <= n else carriage
    def tick(self, now_us):
        return None

class Offsets:
    at = outbox.offset
    def get(self, stage):
        return self.at
    def set(self, stage, offset):
        pass

stage = ThinStage(outbox, Wire(), TwoAssets(), lambda t: ThinPlan.of(t, ThinRule(percent=2.0)), log, now_us,
                  ThinSettings(flush_s=0.0, fill_s=0.05, fill_rows=10))
line = Line(log, [Finds(), stage], RoutedOffsets(Offsets(), {"thin": OutboxOffsets(outbox)}), idle_s=0.0)
line.start()
n = log.last_sequence("g") + 1
while True:
    rng = np.random.default_rng(n)
    batch = ReadingBatch(np.arange(1, 5, dtype=np.int32), np.full(4, T0 + n * SECOND), 50 + rng.normal(size=4),
                         np.zeros(4, np.uint32), "g", n)
    offset = log.append(batch).result().offset
    os.write(1, b"%d\\n" % offset)
    n += 1
"""


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_gateway_that_is_killed_accounts_for_every_reading(tmp_path: Path, kills: int) -> None:
    rng = random.Random(kills)
    for _ in range(kills):
        life(tmp_path, rng.randrange(50, 200))
        outbox = SqliteOutbox(tmp_path / "outbox")
        sums = outbox.sums()
        assert sums.adds_up
        assert sums.read == 4 * outbox.offset
        told: list[tuple[int, int]] = []
        for parcel in all_of(outbox):
            if parcel.packed.kind is ParcelKind.READINGS:
                rows = decode_readings(parcel.packed.body)
                told += zip(rows.signal.tolist(), rows.time.tolist(), strict=True)
        assert len(told) == len(set(told)) == sums.kept
        outbox.close()
    book = read_book(tmp_path / "outbox")
    assert book.fault == ""
    log = SqliteSpool(tmp_path / "raw")
    counts = [(line.read - line.again, count) for line, count in recounted(book.lines, log)]
    assert counts
    assert all(written == counted for written, counted in counts), "the raw log says the same"
    log.close()


def all_of(outbox: SqliteOutbox) -> Iterator[Parcel]:
    after = 0
    while parcels := outbox.pending(after, 2**62, 2**62):
        yield from parcels
        after = parcels[-1].number


def life(folder: Path, answers: int) -> None:
    """Run a gateway, kill it after so many batches."""
    child = subprocess.Popen(
        [sys.executable, "-c", GATEWAY, str(folder)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": "/usr/bin:/bin"},
    )
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(answers)]
    os.kill(child.pid, signal.SIGKILL)
    child.stdout.read()
    child.wait()
    assert lines[answers - 1].endswith(b"\n"), "the gateway died by itself"
