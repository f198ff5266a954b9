"""A gateway's source in a process of its own, to be killed: connector -> door -> durable spool.

Arguments: spool directory, JSON {"connector", "settings", "addresses"}; signals have keys 1, 2, ... It prints READY
once the source is connected, and LOST when it is not."""

import asyncio
import json
import sys
from importlib import import_module
from pathlib import Path

from forewarn.domain.assets import Signal, SourceConfig
from forewarn.domain.sources import SourceState
from forewarn.gateway.runner import SourceRunner
from forewarn.kit.clock import now_us
from forewarn.kit.retry import Backoff
from forewarn.pipeline.door import IntakeDoor
from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
from tests.pipeline.plant import SmallPlant


async def main(directory: str, given: str) -> None:
    wanted = json.loads(given)
    name = wanted["connector"]
    signals = [
        Signal(f"pump.s{key}", "pump", f"s{key}", "other", "1", key=key, source="line", address=address)
        for key, address in enumerate(wanted["addresses"], start=1)
    ]
    spool = SqliteSpool(Path(directory))
    door = IntakeDoor(spool, SmallPlant(len(signals)), now_us)
    door.catch_up(0)
    connectors = {name: import_module(f"forewarn.plugins.connectors.{name}").CONNECTOR}
    source = SourceConfig("line", name, wanted["settings"])
    backoff = Backoff(first_s=0.1, cap_s=0.5)
    runner = SourceRunner([source], signals, connectors, door, spool.last_sequence, backoff=backoff)
    task = asyncio.create_task(runner.run())
    told = ""
    while not task.done():
        [status] = runner.statuses()
        now = "READY" if status.state in (SourceState.CONNECTED, SourceState.STALE) else "LOST"
        if now != told:
            told = now
            print(now, status.last_error, flush=True) if now == "LOST" else print(now, flush=True)
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
