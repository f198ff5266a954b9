"""Machines of one template, advanced together through time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.simulator import duty, wear
from forewarn.simulator.catalogue import build_model
from forewarn.simulator.episodes import Episode
from forewarn.simulator.faults import component
from forewarn.simulator.lag import Lags
from forewarn.simulator.machines import Machine
from forewarn.simulator.model import Conditions
from forewarn.simulator.noise import Disturbances
from forewarn.simulator.quantities import Array
from forewarn.simulator.sensors import Instruments, Quality

Times = NDArray[np.int64]
_SPEED_TAU_S: Final = 4.0
_DEMAND = (1200.0, 0.010)  # correlation time s, sigma
_WEATHER = (4.0 * 3600.0, 0.5)
_GRID = (90.0, 0.004)
_SENSOR_TAU_S: Final = 2.5


@dataclass(slots=True)
class _Setting:
    """What the outside world does to the group over one call; arrays [steps, machines]."""

    times: Times
    demand: Array
    ambient: Array
    grid: Array
    wanted: NDArray[np.bool_]
    noise: Array


class MachineGroup:
    """State of m machines of one template. Equal calls give equal data; how time is cut into calls does not matter
    beyond rounding."""

    def __init__(self, machines: Sequence[Machine], seed: int, wear_rate: float) -> None:
        self.machines = tuple(machines)
        self.template = machines[0].template
        self.model = build_model(machines)
        self.sensors = self.model.sensors
        taus = (*(_SENSOR_TAU_S for _ in self.sensors), _DEMAND[0], _WEATHER[0], _GRID[0])
        self._noise = Disturbances(seed, [m.id for m in machines], taus)
        self._lags = Lags()
        self._wear = wear.Wear(seed, machines, wear_rate)
        self._instruments = Instruments(self.template, self.sensors, len(machines))
        self._down_until = np.zeros(len(machines), np.int64)
        self._lowest_ratio = np.broadcast_to(np.asarray(self.model.drive.lowest_ratio, float), (len(machines),))

    def advance(self, times: Times, step_s: float, episodes: list[Episode]) -> tuple[Array, Quality]:
        """value, quality [steps, machines, sensors] at `times`, which lie step_s apart and follow the last call.

        Natural failures end the stretch they happen in and are appended to `episodes`."""
        self._lags.step_s = step_s
        setting = self._setting(times, step_s)
        values, qualities = [], []
        start = 0
        while start < len(times):
            stop, value, quality = self._stretch(setting, start, step_s, episodes)
            values.append(value)
            qualities.append(quality)
            start = stop
        return (values[0], qualities[0]) if len(values) == 1 else (np.concatenate(values), np.concatenate(qualities))

    def _setting(self, times: Times, step_s: float) -> _Setting:
        noise = self._noise.draw(len(times), step_s)
        columns = [(duty.demand(times, m.duty, m.climate), m.climate.ambient(times)) for m in self.machines]
        k = len(self.sensors)
        return _Setting(
            times,
            np.clip(np.stack([d for d, _ in columns], axis=1) + _DEMAND[1] * noise[:, :, k], 0.2, 1.0),
            np.stack([a for _, a in columns], axis=1) + _WEATHER[1] * noise[:, :, k + 1],
            1.0 + _GRID[1] * noise[:, :, k + 2],
            np.stack([duty.scheduled(times, m.duty, m.climate) for m in self.machines], axis=1),
            noise[:, :, :k],
        )

    def _stretch(self, s: _Setting, start: int, step_s: float, episodes: list[Episode]) -> tuple[int, Array, Quality]:
        """From `start` to the end, or to the step at which a bearing fails."""
        times = s.times[start:]
        running = self._running(s, start, episodes)
        wanted_ratio = running * (self._lowest_ratio + (1.0 - self._lowest_ratio) * s.demand[start:])
        ratio = self._lags("speed", wanted_ratio, _SPEED_TAU_S)
        ratio = np.where(ratio < 1e-3, 0.0, ratio)
        used = self._wear.grow(ratio, s.demand[start:], step_s)
        failure = wear.first_failure(used)
        n = len(times) if failure is None else failure + 1
        self._lags.states["speed"] = ratio[n - 1].copy()
        span = slice(start, start + n)
        conditions = Conditions(
            ratio[:n], running[:n].astype(float), s.demand[span], s.ambient[span], s.grid[span], self._lags
        )
        conditions.severity = self._severity(times[:n], used[:n], episodes)
        truth = self.model.evaluate(conditions)
        value, quality = self._instruments.measure(times[:n], truth, s.noise[span], conditions.severity)
        self._age(times[:n], used[:n], episodes)
        return start + n, value, quality

    def _running(self, s: _Setting, start: int, episodes: list[Episode]) -> NDArray[np.bool_]:
        times = s.times[start:]
        running = s.wanted[start:] & (times[:, None] >= self._down_until[None, :])
        for machine, episode in self._own(episodes):
            if episode.functional_failure_at is not None and not episode.natural:
                running[:, machine] &= ~episode.down(times)
        return running

    def _own(self, episodes: list[Episode]) -> list[tuple[int, Episode]]:
        index = {m.id: i for i, m in enumerate(self.machines)}
        return [(index[e.asset_id], e) for e in episodes if e.asset_id in index]

    def _severity(self, times: Times, used: Array, episodes: list[Episode]) -> dict[str, Array]:
        """Only faults that show somewhere; the worse of what was injected and what has grown counts."""
        result: dict[str, Array] = {}
        if (used[-1] > wear.ONSET).any():
            result["bearing_wear"] = wear.severity(used)
        for machine, episode in self._own(episodes):
            if episode.natural or not episode.touches(int(times[0]), int(times[-1])):
                continue
            column = result.setdefault(episode.fault, np.zeros((len(times), len(self.machines))))[:, machine]
            np.maximum(column, episode.severity_at(times), out=column)
        return result

    def _age(self, times: Times, used: Array, episodes: list[Episode]) -> None:
        """Write wear down, open the label where a defect begins to show, close it where it has failed."""
        before, after = self._wear.used, used[-1].copy()
        self._wear.used = after
        for machine in np.flatnonzero(after > wear.ONSET):
            asset = self.machines[machine].id
            open_ = next((e for e in episodes if e.natural and e.asset_id == asset and e.ended_at is None), None)
            if open_ is None or before[machine] <= wear.ONSET:
                onset = int(times[np.searchsorted(used[:, machine], wear.ONSET, side="right")])
                open_ = Episode(
                    asset, "bearing_wear", component("bearing_wear", self.template), 0.0, onset, natural=True
                )
                episodes.append(open_)
            open_.severity = float(wear.severity(after[machine]))
            if after[machine] >= 1.0:
                failed = int(times[-1])
                open_.functional_failure_at = failed
                open_.ended_at = failed + self._wear.renew(int(machine))
                self._down_until[machine] = open_.ended_at

    def snapshot(self) -> dict[str, Any]:
        return {
            "noise": self._noise.snapshot(),
            "lags": self._lags.snapshot(),
            "wear": self._wear.snapshot(),
            "held": self._instruments.snapshot(),
            "down_until": self._down_until.tolist(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._noise.restore(state["noise"])
        self._lags.restore(state["lags"])
        self._wear.restore(state["wear"])
        self._instruments.restore(state["held"])
        self._down_until = np.array(state["down_until"], np.int64)
