"""One unit behind a connection: its polls, its share of the line, and its probation when it does not answer."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from forewarn.kit.retry import Backoff
from forewarn.plugins.connectors.modbus.job import Job
from forewarn.plugins.connectors.modbus.settings import DeviceSettings, ModbusSettings

# Below half a minute, so that a condition that is renewed with each probe does not lapse between them.
_PROBES: Final = Backoff(first_s=1.0, cap_s=30.0)
_LEAST_S: Final = 0.2


@dataclass(slots=True, eq=False)
class Device:
    """spent_s: how long it held the line, for fairness. silences: in a row; 0 = it is well. trouble: what its last
    silence was, for people, and `status` for its signals."""

    unit: int
    jobs: Sequence[Job]
    timeout_s: float
    budget_s: float | None
    spent_s: float = 0.0
    silences: int = 0
    probe_at: float = 0.0
    trouble: str = ""
    status: int = 0
    is_told: bool = field(default=False)

    def next_at(self) -> float:
        """When it wants the line."""
        return self.probe_at if self.silences else min(job.due for job in self.jobs)

    def next_job(self, now: float) -> Job:
        """Of those due, the one whose next poll comes first."""
        return min((job for job in self.jobs if job.due <= now), key=lambda job: job.due + job.interval_s)

    def budget_of(self, job: Job) -> float:
        return self.budget_s or max(job.interval_s, _LEAST_S)

    def fail(self, trouble: str, status: int, now: float) -> bool:
        """True when it was well until now."""
        was_well = not self.silences
        self.trouble, self.status = trouble, status
        self.probe_at = now + _PROBES.delay_s(self.silences, 1.0)
        self.silences += 1
        return was_well

    def revive(self, now: float) -> None:
        self.silences, self.trouble, self.is_told = 0, "", False
        for job in self.jobs:
            job.due = now


def device_of(unit: int, jobs: Sequence[Job], settings: ModbusSettings, shares_line: bool) -> Device:
    """shares_line: there are others, who wait while it is silent."""
    own = settings.devices.get(unit, DeviceSettings())
    budget_s = own.budget_s or settings.budget_s
    timeout_s = own.timeout_s or settings.timeout_s
    if shares_line and own.timeout_s is None:
        timeout_s = min(timeout_s, max(_LEAST_S, budget_s or min(job.interval_s for job in jobs)))
    return Device(unit, jobs, timeout_s, budget_s)


def phase(source: str, job: Job) -> float:
    """0 to 1, the same at every start: where in their interval the polls begin, so that not all come at once."""
    return zlib.crc32(f"{source}/{job.unit}/{job.name}".encode()) / 2**32
