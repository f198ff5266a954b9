"""Many machines' models, scored together as their readings come in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import Blame, TrainedDetector
from forewarn.domain.assets import Signal
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.ensemble import Ensemble, EnsembleScorer
from forewarn.learning.machine_model import MachineModel
from forewarn.learning.unit_reference import nearest, unit_changes
from forewarn.policies.machine_rows import MachineRows, RowBlock
from forewarn.policies.operating_regimes import UNKNOWN, RegimeTrees
from forewarn.policies.read_share import ReadShare
from forewarn.policies.unit_change import UnitEvent

_log = structlog.get_logger(__name__)
# A signal read slower than the grid has a value for as long as five of its periods, and at least for ten seconds.
_PERIODS: Final = 5
_LEAST_HOLD_US: Final = 10_000_000
_MOST_HOLD: Final = 600
_LONG: Final = 2**31

Places = NDArray[np.intp]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Why:
    """Of one row. blame: of one block. rows: float64[n, m], it and those before that it depends on. members: each
    detector's ratio to its own quantile."""

    blame: Blame
    rows: Matrix
    members: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class FleetScores:
    """Rows that were closed, of k machines, n each. machine: intp[k], place in `Fleet.models`. time: int64[k, n].
    ratio: float64[k, n], in units of the machine's own threshold, so that it speaks above 1; NaN = no opinion.
    regime: intp[k, n]. blocks: float64[k, depth + n, m]. step_us: of the rows. seldom: bool[k, m], signals that are
    read too seldom at the end of these rows, so that what is held of them is no value."""

    machine: Places
    time: NDArray[np.int64]
    ratio: Matrix
    regime: Places
    blocks: Matrix
    step_us: int
    seldom: NDArray[np.bool_]


class Fleet:
    """State is bounded by the number of machines. For one thread."""

    def __init__(
        self,
        models: Sequence[MachineModel],
        table: SignalTable,
        detectors: Mapping[str, TrainedDetector],
        before: "Fleet | None" = None,
    ) -> None:
        """Models whose signals are not all in `table` are passed over; `models` are those that are not. before: whose
        rows of the same signals go on, so that a change of one model does not silence the others until their windows
        are full again.

        Raises InvalidInput for a model that cannot be scored, naming it."""
        fit = [m for m in models if m.members and all(s in table.key_of for s in m.signals)]
        kinds: dict[tuple[object, ...], list[MachineModel]] = {}
        for model in fit:
            kinds.setdefault((len(model.signals), model.step_us, model.kinds), []).append(model)
        self.models: tuple[MachineModel, ...] = tuple(model for alike in kinds.values() for model in alike)
        self.failed: dict[str, str] = {}  # by asset id: why its model is not asked any more
        self.carried: set[str] = set()  # asset ids of machines whose rows of before go on
        self._squads: list[_Squad] = []
        first = 0
        for alike in kinds.values():
            self._squads.append(_Squad(alike, table, detectors, first))
            first += len(alike)
        self._all = tuple(self._squads)
        if before is not None:
            self._carry(before)

    def _carry(self, before: "Fleet") -> None:
        known = {model.asset_id: (squad, i) for squad in before._squads for i, model in enumerate(squad.models)}
        for squad in self._squads:
            pairs: dict[_Squad, list[tuple[int, int]]] = {}
            for i, model in enumerate(squad.models):
                old, at = known.get(model.asset_id, (None, 0))
                if old is not None and squad.goes_on(i, old, at):
                    pairs.setdefault(old, []).append((at, i))
                    self.carried.add(model.asset_id)
            for old, places in pairs.items():
                squad.carry(old, *(np.array(side, np.intp) for side in zip(*places, strict=True)))

    def score(self, batch: ReadingBatch) -> Iterator[FleetScores]:
        """`batch` is ordered by (signal, time)."""
        for squad in list(self._squads):
            try:
                yield from squad.score(batch)
            except Exception as error:
                # A detector is somebody's plugin: what fails once is not asked again, and the readings go on.
                self._put_aside(squad, error)

    def unit_events(self) -> list[tuple[MachineModel, UnitEvent]]:
        """Changes of unit that began or are over since this was asked last."""
        return [told for squad in self._all for told in squad.unit_events()]

    def resume_unit(self, asset_id: str, signal: str, values: tuple[float, float], since: int) -> bool:
        """A change of unit that stood before. values: what the signal said, and what that is in the model's unit.
        Whether the machine's model has such a signal, whose unit may change so."""
        known = [(squad, i) for squad in self._all for i, m in enumerate(squad.models) if m.asset_id == asset_id]
        return any(squad.resume_unit(i, signal, values, since) for squad, i in known)

    def explain(self, scores: FleetScores, at: tuple[int, int]) -> Why:
        """Why scores.ratio[at] is what it is."""
        return self._squad(scores).explain(scores, at)

    def put_aside(self, scores: FleetScores, error: Exception) -> None:
        """The models that gave these scores are not asked any more."""
        self._put_aside(self._squad(scores), error)

    def _put_aside(self, squad: "_Squad", error: Exception) -> None:
        if squad in self._squads:
            self._squads.remove(squad)
        self.failed |= {model.asset_id: f"{type(error).__name__}: {error}" for model in squad.models}
        _log.error("models_failed", machines=[model.asset_id for model in squad.models], exc_info=error)

    def context_of(self, scores: FleetScores) -> int:
        """Rows before a row that its ratio depends on."""
        return self._squad(scores).context

    def _squad(self, scores: FleetScores) -> "_Squad":
        return next(squad for squad in reversed(self._all) if squad.first <= scores.machine[0])


class _Squad:
    """Machines whose models are alike in shape."""

    def __init__(
        self,
        models: Sequence[MachineModel],
        table: SignalTable,
        detectors: Mapping[str, TrainedDetector],
        first: int,
    ) -> None:
        self.first, self.models = first, tuple(models)
        regimes = max(model.regimes.count for model in models)
        self._place = np.full((len(models), regimes), -1, np.intp)
        ensembles: list[Ensemble] = []
        for i, model in enumerate(models):
            for code, ensemble in enumerate(model.ensembles):
                if ensemble is not None:
                    self._place[i, code] = len(ensembles)
                    ensembles.append(ensemble)
        self._scorer = EnsembleScorer(detectors, ensembles)
        self._threshold = np.array([ensemble.threshold for ensemble in ensembles])
        self._trees = RegimeTrees([model.regimes for model in models])
        self._settle = np.array([model.settle_rows for model in models])
        self._regime = np.full(len(models), UNKNOWN, np.intp)
        self._since = np.full(len(models), _LONG)
        keys = np.array([[table.key_of[s] for s in model.signals] for model in models], np.int32)
        self._keys = keys
        step_us, signals = models[0].step_us, table.signals
        hold = np.stack([holds([signals[key] for key in row], step_us) for row in keys.tolist()])
        self._units = unit_changes(models, keys, table)
        self._reads = ReadShare(np.stack([least_change(model) for model in models]))
        self._rows = MachineRows(keys, step_us, hold, self._scorer.context, self._screen)

    def _screen(self, machine: Places, time: NDArray[np.int64], value: Matrix, read: NDArray[np.bool_]) -> Matrix:
        return self._reads.screen(machine, self._units.screen(machine, time, value, read), read)

    def goes_on(self, place: int, before: "_Squad", theirs: int) -> bool:
        """Whether our machine is theirs, with rows made in the same way."""
        old_model, model = before.models[theirs], self.models[place]
        same = (old_model.signals, old_model.units) == (model.signals, model.units)
        rows, old = self._rows, before._rows
        alike = rows.step_us == old.step_us and rows.depth == old.depth
        return same and alike and bool((self._keys[place] == before._keys[theirs]).all())

    def carry(self, before: "_Squad", theirs: Places, ours: Places) -> None:
        """Rows go on, and the time since the last change of regime where the regimes are the same."""
        self._rows.carry(before._rows, theirs, ours)
        self._units.carry(before._units, theirs, ours)
        self._reads.carry(before._reads, theirs, ours)
        for old, place in zip(theirs.tolist(), ours.tolist(), strict=True):
            if before.models[old].regimes is self.models[place].regimes:
                self._regime[place], self._since[place] = before._regime[old], before._since[old]

    def score(self, batch: ReadingBatch) -> Iterator[FleetScores]:
        for block in self._rows.take(batch):
            regime, settled = self._regimes(block)
            ratio = self._ratios(block, regime)
            ratio[~settled | ~block.fresh] = np.nan
            step_us = self._rows.step_us
            seldom = self._reads.seldom(block.machine)
            yield FleetScores(block.machine + self.first, block.time, ratio, regime, block.value, step_us, seldom)

    def unit_events(self) -> list[tuple[MachineModel, UnitEvent]]:
        told, self._units.events = self._units.events, []
        return [(self.models[event.machine], event) for event in told]

    def resume_unit(self, place: int, signal: str, values: tuple[float, float], since: int) -> bool:
        signals = self.models[place].signals
        column = signals.index(signal) if signal in signals else -1
        conversion = -1 if column < 0 else nearest(self._units.known[place][column], *values)
        if conversion >= 0:
            self._units.resume(place, column, conversion, since)
        return conversion >= 0

    def _regimes(self, block: RowBlock) -> tuple[Places, NDArray[np.bool_]]:
        """Of each new row, and whether it has stood for long enough."""
        machine, n = block.machine, block.time.shape[1]
        regime = self._trees.of(block.value[:, -n:], machine)
        changed = regime != np.c_[self._regime[machine], regime[:, :-1]]
        line = np.arange(n)
        newest = np.maximum.accumulate(np.where(changed, line, -1), axis=1)
        since = np.where(newest >= 0, line - newest, self._since[machine][:, None] + line + 1)
        self._regime[machine], self._since[machine] = regime[:, -1], np.minimum(since[:, -1], _LONG)
        return regime, (since >= self._settle[machine][:, None]) & (regime >= 0)

    def _ratios(self, block: RowBlock, regime: Places) -> Matrix:
        """By the model of each row's own regime; mostly that of the last row."""
        n = regime.shape[1]
        place = np.where(regime >= 0, self._place[block.machine[:, None], np.maximum(regime, 0)], -1)
        ratio = np.full(place.shape, np.nan)
        open_ = place >= 0
        while open_.any():
            some = np.flatnonzero(open_.any(axis=1))
            last = n - 1 - np.argmax(open_[some][:, ::-1], axis=1)
            models = place[some, last]
            found = self._scorer.ratio(block.value[some], models)[:, -n:] / self._threshold[models][:, None]
            same = place[some] == models[:, None]
            ratio[some] = np.where(same, found, ratio[some])
            open_[some] &= ~same
        return ratio

    @property
    def context(self) -> int:
        return self._scorer.context

    def explain(self, scores: FleetScores, at: tuple[int, int]) -> Why:
        n = scores.time.shape[1]
        k, row = at[0], at[1] % n
        end = scores.blocks.shape[1] - n + row + 1
        block = scores.blocks[k : k + 1, end - self.context - 1 : end]
        place = np.array([self._place[scores.machine[k] - self.first, scores.regime[k, row]]])
        members = {name: float(ratio[0, -1]) for name, ratio in self._scorer.by_member(block, place).items()}
        return Why(self._scorer.explain(block, place), block[0], members)


def least_change(model: MachineModel) -> Matrix:
    """float64[m]: the share of rows in which each signal changes, in that way of running of those that are judged in
    which it does so least: a source that reports on change has its own share in each. 0 where nothing is known; and of
    signals by which the ways of running are told apart, without which there would be none."""
    ways = [way for way, ensemble in zip(model.usual, model.ensembles, strict=True) if ensemble is not None]
    change, spread = (np.stack([getattr(way, name) for way in ways]) for name in ("change", "spread"))
    hardly_known = np.isnan(spread) & (change > 0.0)
    least = np.min(np.where(hardly_known, np.inf, change), axis=0)
    least[~np.isfinite(least)] = 0.0
    least[model.regimes.column] = 0.0
    return np.asarray(least)


def holds(signals: Sequence[Signal | None], step_us: int) -> NDArray[np.int64]:
    """int64[m]: steps that a value of each signal lasts; one that is read far more seldom than the rest has none
    between, as a silence of a whole plant is made into rows for as long as the longest."""
    period_us = np.array([1e6 / s.rate_hz if s and s.rate_hz > 0 else 1e6 for s in signals])
    steps = np.ceil(np.maximum(_PERIODS * period_us, _LEAST_HOLD_US) / step_us)
    return np.asarray(np.minimum(steps, _MOST_HOLD), np.int64)
