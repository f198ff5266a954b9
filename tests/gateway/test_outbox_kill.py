"""kill -9 of a gateway's process in the middle of packing: parcels, state, offset and ledger agree, nothing twice."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from forewarn.gateway.ledger_book import read_book
from forewarn.gateway.outbox import SqliteOutbox
from forewarn.gateway.wire import decode_readings

ROOT = Path(__file__).parents[2]
# Offset n holds readings 10n to 10n+9, of which the first 3 are kept; the state says how many were packed.
WRITER = """
import os, sys
from pathlib import Path
from forewarn.contracts.outbox import Delivery
from forewarn.gateway.outbox import SqliteOutbox
from tests.gateway.parcels import packed, tally
outbox = SqliteOutbox(Path(sys.argv[1]))
while True:
    n = outbox.offset
    outbox.pack([packed(3, first=10 * n)], tally(10, 3), b"%d" % (n + 1), n + 1)
    if n % 5 == 0:
        outbox.acknowledge(outbox.last_number, Delivery(accepted=3))
    os.write(1, b"%d\\n" % (n + 1))
"""


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_nothing_is_lost_or_doubled_by_kill_9(tmp_path: Path, kills: int) -> None:
    rng = random.Random(kills)
    told = 0
    for _ in range(kills):
        told = max(told, life(tmp_path, rng.randrange(1, 60)))
        outbox = SqliteOutbox(tmp_path)
        packed = outbox.offset
        assert packed >= told, "what was told to be packed is"
        assert outbox.state == b"%d" % packed
        assert outbox.last_number == packed
        sums = outbox.sums()
        assert sums.adds_up
        assert (sums.read, sums.kept) == (10 * packed, 3 * packed)
        waiting = outbox.pending(0, 2**62, 2**62)
        firsts = [int(decode_readings(p.packed.body).value[0]) for p in waiting]
        assert firsts == [10 * (p.number - 1) for p in waiting]
        assert sums.acknowledged == 3 * (packed - outbox.waiting().parcels)
        outbox.close()
        assert read_book(tmp_path).fault == ""
    assert told > kills


def life(folder: Path, answers: int) -> int:
    """Run a writer, kill it after so many answers; the last offset it told."""
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": "/usr/bin:/bin"},
    )
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(answers)]
    os.kill(child.pid, signal.SIGKILL)
    lines += child.stdout.readlines()
    child.wait()
    assert lines[answers - 1].endswith(b"\n"), "the writer died by itself"
    return max(int(line) for line in lines if line.endswith(b"\n"))
