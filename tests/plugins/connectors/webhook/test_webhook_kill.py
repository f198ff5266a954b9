"""kill -9 while senders push: every reading that was answered for with 200 is in the log."""

import asyncio
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import aiohttp

from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
from tests.peers.processes import free_port, listens

ROOT = Path(__file__).parents[4]
START_US = 1_700_000_000_000_000
GATEWAY = """
import asyncio, sys
from pathlib import Path
from forewarn.domain.assets import Asset, Signal, SourceConfig
from forewarn.domain.signal_table import SignalTable
from forewarn.gateway.runner import SourceRunner
from forewarn.kit.clock import now_us
from forewarn.pipeline.door import IntakeDoor
from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
from forewarn.plugins.connectors.webhook import CONNECTOR

class Plant:
    revision = 1
    signals = [Signal("tank.level", "tank", "level", "level", "m", key=1, source="push", address="level")]
    assets = {"tank": Asset("tank", "Tank", ("a", "b", "c", "d"))}
    table = SignalTable.of(signals)
    def signals_of(self, asset_id):
        return self.signals

async def main():
    log = SqliteSpool(Path(sys.argv[1]), ledger_rows=10**6)
    log.commit("line", 0)
    sources = [SourceConfig("push", "webhook", {"port": int(sys.argv[2])})]
    door = IntakeDoor(log, Plant(), now_us)
    await SourceRunner(sources, Plant.signals, {"webhook": CONNECTOR}, door, log.last_sequence).run()

asyncio.run(main())
"""


async def push(port: int, first: int, answered: set[int], enough: int) -> int:
    """Until `enough` were answered; returns the next number."""
    async with aiohttp.ClientSession() as session:

        async def one(number: int) -> None:
            reading = {"value": number, "timestamp": START_US + number}
            async with session.post(f"http://127.0.0.1:{port}/push/level", json=reading) as answer:
                assert answer.status == 200
                answered.add(number)

        wanted = len(answered) + enough
        while len(answered) < wanted:
            await asyncio.gather(*(one(number) for number in range(first, first + 8)))
            first += 8
        # These are under way when the process is killed.
        for number in range(first, first + 8):
            asyncio.ensure_future(one(number)).add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.sleep(0.001)
        return first + 8


def test_answered_readings_survive_kill_9(tmp_path: Path) -> None:
    rng, answered, following = random.Random(4), set[int](), 0
    for _ in range(6):
        port = free_port()
        child = subprocess.Popen(
            [sys.executable, "-c", GATEWAY, str(tmp_path), str(port)],
            cwd=ROOT,
            env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": os.environ["PATH"]},
        )
        try:
            while not listens(port):
                assert child.poll() is None
                time.sleep(0.02)
            following = asyncio.run(push(port, following, answered, rng.randrange(10, 60)))
        finally:
            child.kill()
            child.wait()
    log = SqliteSpool(tmp_path)
    stored: list[int] = []
    at = 0
    while found := log.read(at, 100_000):
        stored += [int(value) for _, batch in found for value in batch.value[batch.quality == 0].tolist()]
        at = found[-1][0]
    log.close()
    assert len(answered) > 100
    assert answered <= set(stored)
    assert len(stored) == len(set(stored))
