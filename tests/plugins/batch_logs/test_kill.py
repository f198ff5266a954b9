"""kill -9 under load, twenty times on one directory: what was answered is there, once and in order."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
from tests.plugins.batch_logs.batches import batch, same

ROOT = Path(__file__).parents[3]
WRITER = """
import os, sys
from pathlib import Path
from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
from tests.plugins.batch_logs.batches import batch
log = SqliteSpool(Path(sys.argv[1]), ledger_rows=10**6)
log.commit("line", 0)
def tell(done, s):
    a = done.result()
    os.write(1, f"{s} {a.offset}\\n".encode())
s = int(sys.argv[2])
while True:
    window = [log.append(batch(s + i, readings=200)) for i in range(8)]
    for i, f in enumerate(window):
        f.add_done_callback(lambda done, s=s + i: tell(done, s))
    window[0].result()
    if s % 64 == 0:
        log.commit("line", max(log.depth().last_offset - 500, 0))
    s += 8
"""


def test_acknowledged_batches_survive_kill_9(tmp_path: Path) -> None:
    rng = random.Random(11)
    answered: dict[int, int] = {}
    following = 0
    for _ in range(20):
        answered.update(life(tmp_path, following, answers=rng.randrange(1, 120)))
        log = SqliteSpool(tmp_path)
        following = log.last_sequence("gw") + 1
        check(log, answered)
        # What was in flight may or may not be there; sent again it is there exactly once.
        again = log.append(batch(following - 1, readings=200)).result(10)
        assert again.repeated
        log.close()
    assert len(answered) > 500


def life(folder: Path, first: int, answers: int) -> dict[int, int]:
    """Run a writer, kill it after so many answers, return {sequence: offset} as it was told."""
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(first)],
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
    pairs = [line.split() for line in lines if line.endswith(b"\n")]
    return {int(sequence): int(offset) for sequence, offset in pairs}


def check(log: SqliteSpool, answered: dict[int, int]) -> None:
    """Every answered batch that may not have been trimmed is at its offset; offsets have no gap."""
    after = first = log.committed("line")
    names: list[int] = []
    while piece := log.read(after, 50_000):
        for offset, found in piece:
            assert offset == first + len(names) + 1
            assert same(found, batch(found.sequence, readings=200))
            names.append(found.sequence)
        after = piece[-1][0]
    assert len(set(names)) == len(names)
    at = {sequence: first + 1 + i for i, sequence in enumerate(names)}
    assert all(at[sequence] == offset for sequence, offset in answered.items() if offset > first)
