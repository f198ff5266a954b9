"""A door in memory and a connector that does what the test tells it, for the supervisor's own rules."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np
from pydantic import BaseModel, ConfigDict

from forewarn.contracts.batch_log import Appended
from forewarn.contracts.door import Submission
from forewarn.domain.assets import Signal, SourceConfig
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.sources import SourceTimes
from forewarn.domain.verdicts import Verdicts
from forewarn.gateway.runner import SourceRunner
from forewarn.gateway.sink import gateway_of


class MemoryDoor:
    """Keeps what is durable; `refusals` are raised, `failures` go into the future, one for each next submission."""

    def __init__(self) -> None:
        self.batches: list[ReadingBatch] = []
        self.refusals: list[Exception] = []
        self.failures: list[Exception] = []
        self.tried: list[tuple[str, int]] = []
        self.held: list[Future[Appended]] = []
        self.hold = False

    def submit(self, batch: ReadingBatch, reason=None) -> Submission:
        self.tried.append((batch.gateway, batch.sequence))
        if self.refusals:
            raise self.refusals.pop(0)
        future: Future[Appended] = Future()
        if self.failures:
            future.set_exception(self.failures.pop(0))
        elif self.hold:
            self.held.append(future)
            self.batches.append(batch)
        else:
            self.batches.append(batch)
            future.set_result(Appended(len(self.batches), False))
        return Submission(Verdicts(np.zeros(len(batch), np.uint8), np.zeros(len(batch), np.uint8)), future)

    def rows(self, key: int) -> list[tuple[int, float, int]]:
        """(time, value, quality) of a signal, in order of arrival."""
        return [
            (int(batch.time[i]), float(batch.value[i]), int(batch.quality[i]))
            for batch in self.batches
            for i in np.flatnonzero(batch.signal == key)
        ]

    def sequences(self, source: str) -> list[int]:
        return [batch.sequence for batch in self.batches if batch.gateway == gateway_of(source)]


class ScriptedSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: int = 3


class ScriptedConnector:
    """Runs one step of `script[source]` a call: an exception is raised after the readings before it are put."""

    name = "scripted"
    settings = ScriptedSettings
    times = SourceTimes.DEVICE

    def __init__(self, **script: Sequence[object]) -> None:
        self.script = {name: list(steps) for name, steps in script.items()}
        self.runs: list[str] = []
        self.cancelled: list[str] = []

    async def run(self, request, sink) -> None:
        self.runs.append(request.name)
        steps = self.script.setdefault(request.name, [])
        try:
            while steps:
                step = steps.pop(0)
                if isinstance(step, Exception):
                    raise step
                if step == "return":
                    return
                sink.connected()
                await put(sink, *step)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.append(request.name)
            raise


async def put(sink, key: int, time: int, value: float) -> None:
    await sink.put(np.array([key], np.int32), np.array([time], np.int64), np.array([value]), np.zeros(1, np.uint32))


def source(name: str, connector: str = "scripted", **settings: object) -> SourceConfig:
    return SourceConfig(name, connector, settings)


def signal(key: int, source_name: str, address: str | None = None) -> Signal:
    return Signal(f"pump.s{key}", "pump", f"s{key}", "other", "1", key=key, source=source_name, address=address)


class Started:
    """`async with Started(runner)`: the runner runs meanwhile."""

    def __init__(self, runner: SourceRunner) -> None:
        self.runner = runner

    async def __aenter__(self) -> SourceRunner:
        self._task = asyncio.create_task(self.runner.run())
        return self.runner

    async def __aexit__(self, *_: object) -> None:
        await self.runner.stop()
        await asyncio.wait_for(self._task, 60)
