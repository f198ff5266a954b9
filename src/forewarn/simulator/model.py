"""What a machine model is given and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from forewarn.simulator.lag import Lags
from forewarn.simulator.machines import Drive, Rotor
from forewarn.simulator.quantities import Array, Number


@dataclass(frozen=True, slots=True)
class Sensor:
    """One measured signal. Noise: sigma = noise + relative * |value|; resolution: what the instrument resolves;
    floor: lowest value it can show; unsteady: its noise grows where the flow is unsteady."""

    name: str
    unit: str
    noise: float = 0.0
    relative: float = 0.0
    resolution: float = 0.01
    floor: float | None = None
    unsteady: bool = False


@dataclass(slots=True)
class Conditions:
    """One stretch of time for one group: arrays are [steps, machines].

    ratio: speed ratio reached; running: 1 or 0; demand: load asked for 0-1; ambient: degC; grid: voltage ratio;
    severity: by fault name, only those that are not zero."""

    ratio: Array
    running: Array
    demand: Array
    ambient: Array
    grid: Array
    lag: Lags
    severity: Mapping[str, Array] = field(default_factory=dict)

    def of(self, fault: str) -> Number:
        """Severity of a fault 0-1."""
        return self.severity.get(fault, 0.0)


@dataclass(frozen=True, slots=True)
class Truth:
    """True value of each sensor's quantity [steps, machines]; unsteadiness multiplies the noise of unsteady ones."""

    values: Mapping[str, Array]
    unsteadiness: Number = 1.0


class Model(Protocol):
    """The equations of one template for a group of machines, whose ratings it holds as columns [machines]."""

    sensors: ClassVar[tuple[Sensor, ...]]
    drive: Drive
    rotor: Rotor

    def evaluate(self, c: Conditions) -> Truth:
        """Steady equations at each step; inertia through `c.lag` only, so any step length is exact."""
        ...
