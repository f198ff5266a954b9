"""Control of the simulated plant, which runs in a process of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class FaultInfo:
    """A fault the simulator can inject. `templates`: the asset templates it exists for."""

    name: str
    title: str
    description: str
    templates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ActiveFault:
    """severity 0-1 as asked for; since: microseconds UTC."""

    asset_id: str
    fault: str
    severity: float
    since: int


@dataclass(frozen=True, slots=True)
class SimulationStatus:
    """available: this installation carries the simulator and a plant for it."""

    available: bool
    running: bool
    assets: Sequence[str] = ()
    faults: Sequence[FaultInfo] = ()
    active: Sequence[ActiveFault] = ()


class SimulationControl(Protocol):
    """Thread-safe; calls answer within seconds. Raises Conflict (not running, already running), NotFound
    (asset, fault) and InvalidInput (fault does not fit the asset's template, severity out of 0-1)."""

    def status(self) -> SimulationStatus: ...

    def start(self) -> SimulationStatus: ...

    def stop(self) -> SimulationStatus: ...

    def inject(self, asset_id: str, fault: str, severity: float, ramp_s: float) -> SimulationStatus: ...

    def clear(self, asset_id: str, fault: str) -> SimulationStatus: ...
