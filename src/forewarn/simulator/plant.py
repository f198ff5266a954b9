"""The simulated plant: all machines, one clock. The same equations run in bulk and live."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.errors import InvalidInput, NotFound
from forewarn.kit.clock import HOUR, SECOND
from forewarn.simulator.episodes import Episode
from forewarn.simulator.faults import FAULTS, component, fits
from forewarn.simulator.group import MachineGroup
from forewarn.simulator.machines import Machine
from forewarn.simulator.quantities import Array
from forewarn.simulator.sensors import Quality

_CHUNK: Final = 4096  # steps computed at once: the columns of one group stay in the processor's cache
_WARM_UP_STEP: Final = 30 * SECOND


@dataclass(frozen=True, slots=True)
class Block:
    """time: int64[n] microseconds UTC; value: float64[n, k]; quality: uint32[n, k]; k as in `signal_ids`."""

    time: NDArray[np.int64]
    value: Array
    quality: Quality


class SimulatedPlant:
    """machines: as given, one simulation clock, starting at start_us in thermal steady state.

    wear_rate: how many times faster than true bearings wear; 0 = not at all."""

    def __init__(self, machines: Sequence[Machine], seed: int, start_us: int, wear_rate: float = 1.0) -> None:
        self.machines = tuple(machines)
        self.seed = seed
        self.now_us = start_us
        self.episodes: list[Episode] = []
        self.finished: list[Episode] = []
        self._template = {m.id: m.template for m in machines}
        templates = dict.fromkeys(m.template for m in machines)
        self._groups = [MachineGroup([m for m in machines if m.template == t], seed, wear_rate) for t in templates]
        sensors = {m.id: g.sensors for g in self._groups for m in g.machines}
        self.signal_ids = tuple(f"{m.id}.{s.name}" for m in machines for s in sensors[m.id])
        self._columns = self._layout({asset: len(s) for asset, s in sensors.items()})

    def _layout(self, width: dict[str, int]) -> dict[str, slice]:
        columns, start = {}, 0
        for machine in self.machines:
            columns[machine.id] = slice(start, start + width[machine.id])
            start += width[machine.id]
        return columns

    def warm_up(self, hours: float = 3.0) -> None:
        """Live through the hours before `now_us`, so that noise and temperatures are settled when it begins."""
        end = self.now_us
        self.now_us = end - int(hours * HOUR)
        for _ in self.run(int(hours * HOUR) // _WARM_UP_STEP, _WARM_UP_STEP):
            pass
        self.now_us = end

    def advance(self, steps: int, step_us: int) -> Block:
        """The next `steps` instants now+step, now+2 step, ... as one block. Any number of steps."""
        blocks = list(self.run(steps, step_us))
        return (
            blocks[0]
            if len(blocks) == 1
            else Block(
                np.concatenate([b.time for b in blocks]),
                np.concatenate([b.value for b in blocks]),
                np.concatenate([b.quality for b in blocks]),
            )
        )

    def run(self, steps: int, step_us: int) -> Iterable[Block]:
        """The same in blocks of at most 4,096 steps."""
        while steps > 0:
            n = min(steps, _CHUNK)
            yield self._block(self.now_us + step_us * np.arange(1, n + 1, dtype=np.int64), step_us)
            steps -= n

    def _block(self, times: NDArray[np.int64], step_us: int) -> Block:
        value = np.empty((len(times), len(self.signal_ids)))
        quality = np.empty((len(times), len(self.signal_ids)), np.uint32)
        for group in self._groups:
            v, q = group.advance(times, step_us / SECOND, self.episodes)
            for index, machine in enumerate(group.machines):
                value[:, self._columns[machine.id]] = v[:, index]
                quality[:, self._columns[machine.id]] = q[:, index]
        self.now_us = int(times[-1])
        over = [e for e in self.episodes if e.ended_at is not None and e.ended_at <= self.now_us]
        self.finished += over
        self.episodes = [e for e in self.episodes if e not in over]
        return Block(times, value, quality)

    def labels(self) -> list[Episode]:
        """Every episode that has begun; what has not happened yet at `now_us` is not in it."""
        begun = [e.known_at(self.now_us) for e in (*self.finished, *self.episodes) if e.started_at <= self.now_us]
        return sorted(begun, key=lambda e: (e.started_at, e.asset_id, e.fault))

    def inject(self, asset_id: str, fault: str, severity: float, ramp_s: float) -> Episode:
        """A fault from now on, until `clear`. The same fault again replaces what is there.

        Raises NotFound (asset, fault), InvalidInput (fault does not fit, severity or ramp out of range)."""
        self._check(asset_id, fault)
        if not 0.0 <= severity <= 1.0:
            raise InvalidInput(f"severity {severity} is outside 0-1", field="severity")
        if not 0.0 <= ramp_s <= 30 * 86400.0:
            raise InvalidInput(f"ramp_s {ramp_s} is outside 0-2592000", field="ramp_s")
        self.clear(asset_id, fault)
        episode = Episode(asset_id, fault, component(fault, self._template[asset_id]), severity, self.now_us, ramp_s)
        self.episodes.append(episode)
        return episode

    def clear(self, asset_id: str, fault: str) -> bool:
        """Repair at once; True when there was something to repair. Raises NotFound, InvalidInput as `inject`."""
        self._check(asset_id, fault)
        mine = [e for e in self.active() if (e.asset_id, e.fault) == (asset_id, fault)]
        for episode in mine:
            episode.ended_at = self.now_us
        return bool(mine)

    def _check(self, asset_id: str, fault: str) -> None:
        if asset_id not in self._template:
            raise NotFound(f"the simulated plant has no asset {asset_id!r}; it has {', '.join(self._template)}")
        if fault not in FAULTS:
            raise NotFound(f"there is no fault {fault!r}; there are {', '.join(FAULTS)}")
        if not fits(fault, self._template[asset_id]):
            fitting = ", ".join(f for f in FAULTS if fits(f, self._template[asset_id]))
            raise InvalidInput(
                f"{fault} does not fit {asset_id} ({self._template[asset_id]}); these do: {fitting}", field="fault"
            )

    def active(self) -> list[Episode]:
        """Injected faults that last."""
        return [e for e in self.episodes if not e.natural and e.ended_at is None and e.started_at <= self.now_us]

    def save(self, path: Path) -> None:
        """Write the state, from which `load` goes on exactly."""
        state = {
            "now_us": self.now_us,
            "seed": self.seed,
            "machines": [m.id for m in self.machines],
            "groups": [g.snapshot() for g in self._groups],
            "episodes": [asdict(e) for e in self.episodes],
            "finished": [asdict(e) for e in self.finished],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(state), encoding="utf-8")
        temporary.replace(path)

    def load(self, path: Path) -> None:
        """Go on from what `save` wrote. Raises InvalidInput when it is of another plant or cannot be read."""
        try:
            state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if (state["seed"], state["machines"]) != (self.seed, [m.id for m in self.machines]):
                raise InvalidInput(f"{path} is the state of another plant or seed; delete it to start afresh")
            for group, saved in zip(self._groups, state["groups"], strict=True):
                group.restore(saved)
            self.episodes = [Episode(**e) for e in state["episodes"]]
            self.finished = [Episode(**e) for e in state["finished"]]
            self.now_us = int(state["now_us"])
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInput(f"{path} is no state of a simulated plant ({error}); delete it") from error
