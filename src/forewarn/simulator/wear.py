"""Bearing life: wear adds up with revolutions and load, ends in failure, is repaired and begins anew.

Source: ISO 281 (L10 ~ (C/P)^3 in revolutions, Weibull spread); P-F curve for what shows late in life.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from forewarn.kit.clock import HOUR
from forewarn.simulator.machines import Machine
from forewarn.simulator.noise import generator
from forewarn.simulator.quantities import Array

ONSET: Final = 0.7  # share of life at which the defect begins to show
_LOAD_REFERENCE = 0.86
_WEIBULL_SHAPE = 2.5


class Wear:
    """Share of life used up, one number a machine: 0 new, 1 failed. `rate` speeds it up; 0 stops it."""

    def __init__(self, seed: int, machines: Sequence[Machine], rate: float) -> None:
        self.rate = rate
        self._scale = np.array([m.life_hours for m in machines])
        self._renewals = [generator(seed, m.id, "life") for m in machines]
        self.used = np.array([g.uniform(0.0, 0.6) for g in self._renewals])
        self.life_hours = np.array([self._draw(i) for i in range(len(machines))])

    def _draw(self, machine: int) -> float:
        return float(self._scale[machine] * max(self._renewals[machine].weibull(_WEIBULL_SHAPE), 0.1))

    def grow(self, ratio: Array, demand: Array, step_s: float) -> Array:
        """Share of life used at each step [steps, machines], if nothing failed on the way. Changes nothing."""
        pace = ratio * np.power(demand / _LOAD_REFERENCE, 3.0) * (self.rate * step_s / 3600.0 / self.life_hours)
        result: Array = self.used + np.cumsum(pace, axis=0)
        return result

    def renew(self, machine: int) -> int:
        """A failed machine gets a new bearing; returns how long the repair takes, microseconds."""
        self.used[machine] = 0.0
        downtime = int(self._renewals[machine].uniform(6.0, 30.0) * HOUR)
        self.life_hours[machine] = self._draw(machine)
        return downtime

    def snapshot(self) -> dict[str, Any]:
        return {
            "used": self.used.tolist(),
            "life_hours": self.life_hours.tolist(),
            "renewals": [g.bit_generator.state for g in self._renewals],
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.used, self.life_hours = np.array(state["used"]), np.array(state["life_hours"])
        for stream, saved in zip(self._renewals, state["renewals"], strict=True):
            stream.bit_generator.state = saved


def severity(used: Array) -> Array:
    """What a bearing of this age shows as `bearing_wear`: nothing until ONSET, then steeply up to 1."""
    shown: Array = np.clip((used - ONSET) / (1.0 - ONSET), 0.0, 1.0) ** 2
    return shown


def first_failure(used: Array) -> int | None:
    """First step at which any machine has no life left."""
    failed = used.max(axis=1) >= 1.0
    return int(np.argmax(failed)) if failed[-1] else None
