"""Machines of which a model has no opinion while their readings come, and says so: they run as nobody has seen them
run, or signals are read too seldom."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.findings import BY_MODEL, Finding
from forewarn.domain.quantity import shown
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.fleet import FleetScores
from forewarn.learning.machine_model import MachineModel
from forewarn.learning.standing_findings import Standing
from forewarn.policies.operating_regimes import Beyond
from forewarn.policies.severity import severity_of

UNSEEN_REGIME: Final = "model_unseen_regime"
READ_TOO_SELDOM: Final = "model_read_too_seldom"
_MINE: Final = frozenset({UNSEEN_REGIME, READ_TOO_SELDOM})
_AFTER_S: Final = 600.0
_SCORE: Final = 0.5

Flags = NDArray[np.bool_]


class RegimeWatch:
    """For one thread. How long a machine has run so is counted anew after a restart; what stands goes on. Both reasons
    count together, and one of them is told."""

    def __init__(self, after_s: float = _AFTER_S) -> None:
        """after_s: of running without an opinion, for one of these reasons."""
        self._after_s = after_s
        self._models: Sequence[MachineModel] = ()
        self._partly: Flags = np.zeros(0, np.bool_)  # by place in the fleet: some way of running has no ensemble
        self._open = Standing[str](lambda finding: finding.asset_id)
        self._unseen: dict[str, tuple[int, float]] = {}  # since when, source time, and for how many seconds

    def resume(self, findings: Sequence[Finding]) -> None:
        """Take up what was open when the last process ended; of two of one machine the newer. After `follow`."""
        mine = [f for f in findings if f.detector == BY_MODEL and f.anomaly_type in _MINE]
        self._open.resume(mine)
        self.follow(self._models)

    def follow(self, models: Sequence[MachineModel]) -> None:
        """models: as in `Fleet.models`. What stands of others ends."""
        self._models, assets = models, {model.asset_id for model in models}
        self._partly = np.array([None in model.ensembles for model in models], np.bool_)
        self._open.end([asset for asset in self._open if asset not in assets])
        self._unseen = {asset: told for asset, told in self._unseen.items() if asset in assets}

    def let_go(self, assets: Collection[str]) -> list[Finding]:
        """Somebody else watches these machines. What stood of them."""
        return self._open.let_go(assets)

    def over(self) -> list[Finding]:
        """What ended meanwhile, once."""
        return self._open.over()

    def take(self, scores: FleetScores, explained: Flags, table: SignalTable) -> list[Finding]:
        """explained: bool[k], machines of which another finding says why. Advisories that began or ended."""
        odd = ((scores.regime < 0).any(axis=1) | self._partly[scores.machine]) & ~explained
        odd |= scores.seldom.any(axis=1) & np.isnan(scores.ratio).any(axis=1) & ~explained
        if self._unseen or self._open:
            known = self._unseen.keys() | self._open.keys()
            odd |= np.array([self._models[place].asset_id in known for place in scores.machine], np.bool_)
        for k in np.flatnonzero(odd).tolist():
            opinion = ~np.isnan(scores.ratio[k])
            for part in np.split(np.arange(len(opinion)), np.flatnonzero(np.diff(opinion)) + 1):
                if opinion[part[0]]:
                    when = int(scores.time[k, part[0]]), len(part) * scores.step_us / 1e6
                    self._spoke(self._models[scores.machine[k]].asset_id, when, bool(scores.seldom[k].any()))
                elif not explained[k]:
                    self._count(scores, (k, part), table)
        return self.over()

    def _spoke(self, asset_id: str, when: tuple[int, float], seldom: bool) -> None:
        """when: and for how long, seconds. seldom: some signal is; of such a machine a row now and then has all that
        an opinion takes."""
        standing = self._open.get(asset_id)
        if seldom and (standing is None or standing.anomaly_type == READ_TOO_SELDOM):
            since, silent_s = self._unseen.get(asset_id, (0, 0.0 if standing is None else self._after_s))
            if silent_s > when[1]:
                self._unseen[asset_id] = since, silent_s - when[1]
                return
        self._unseen.pop(asset_id, None)
        if standing is not None:
            self._open.end([asset_id], when[0])

    def _count(self, scores: FleetScores, at: tuple[int, NDArray[np.intp]], table: SignalTable) -> None:
        """Rows whose readings are there, of a machine that runs, of no way of running that was learned, or in which
        what is held of a signal is no value."""
        k, part = at
        model = self._models[scores.machine[k]]
        if model.asset_id in self._open:
            return
        n = scores.time.shape[1]
        rows, regime = scores.blocks[k, -n:][part], scores.regime[k, part]
        unlearned = np.array([e is None for e in model.ensembles])
        unseen = np.where(regime >= 0, unlearned[np.maximum(regime, 0)], model.regimes.is_beyond(rows))
        seldom = np.isnan(rows) & scores.seldom[k]
        unseen &= np.isfinite(rows).any(axis=1) & _runs(rows, model, table)
        silent = unseen | seldom.any(axis=1) & _runs(_held(scores.blocks[k]), model, table)[-n:][part]
        if not silent.any():
            return
        since, before = self._unseen.get(model.asset_id, (int(scores.time[k, part[np.argmax(silent)]]), 0.0))
        spent = before + np.cumsum(silent) * scores.step_us / 1e6
        self._unseen[model.asset_id] = since, float(spent[-1])
        if spent[-1] >= self._after_s:
            row = int(np.argmax(spent >= self._after_s))
            when = since, int(scores.time[k, part[row]])
            what = _unseen(model, rows[row], int(regime[row])) if unseen[row] else _seldom(rows[row], seldom[row])
            self._open.begin(_finding(model, what, when, table))


def _runs(rows: NDArray[np.float64], model: MachineModel, table: SignalTable) -> Flags:
    """[n]: as far as a speed says; who has none runs."""
    runs = np.ones(len(rows), np.bool_)
    for column, signal in enumerate(model.signals):
        above = table.running_above[table.key_of[signal]]
        if not np.isnan(above):
            runs &= rows[:, column] > above
    return np.asarray(runs)


def _held(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """What was known last of each signal."""
    newest = np.maximum.accumulate(np.where(np.isfinite(rows), np.arange(len(rows))[:, None], 0), axis=0)
    return np.asarray(np.take_along_axis(rows, newest, axis=0))


@dataclass(frozen=True, slots=True)
class _Silence:
    """Why there is no opinion. column: of the signal that says so. beyond: of a way of running, if it says more."""

    kind: str
    column: int
    value: float
    beyond: Beyond | None = None


def _unseen(model: MachineModel, values: NDArray[np.float64], regime: int) -> _Silence:
    beyond = model.regimes.beyond(values) if regime < 0 else None
    column = beyond.column if beyond is not None else 0
    return _Silence(UNSEEN_REGIME, column, float(values[column]), beyond)


def _seldom(values: NDArray[np.float64], seldom: Flags) -> _Silence:
    column = int(np.argmax(seldom))
    return _Silence(READ_TOO_SELDOM, column, float(values[column]))


def _finding(model: MachineModel, what: _Silence, when: tuple[int, int], table: SignalTable) -> Finding:
    signal_id, unit = model.signals[what.column], model.units[what.column]
    key = table.key_of[signal_id]
    signal = table.signals[key]
    name = signal.name if signal is not None else signal_id
    seen = what.kind == UNSEEN_REGIME
    return Finding(
        signal_key=key,
        signal_id=signal_id,
        asset_id=model.asset_id,
        detector=BY_MODEL,
        anomaly_type=what.kind,
        severity=severity_of(_SCORE),
        score=_SCORE,
        value=what.value,
        expected=None,
        reason=unseen_words(name, unit, what.value, what.beyond) if seen else seldom_words(name),
        started_at=when[0],
        last_at=when[1],
    )


def seldom_words(name: str) -> str:
    return (
        f"{name} is read far more seldom than when the model was trained, and old values beside new ones of other "
        "signals would pass for a fault. The model has no opinion meanwhile, and robust z watches the signals one by "
        "one. Read it as often as before; if it is to stay so, train the model again"
    )


def unseen_words(name: str, unit: str, value: float, beyond: Beyond | None) -> str:
    what = (
        "too little was seen of this way of running when the model was trained"
        if beyond is None
        else f"{name} is {shown(value, unit)}, and the model knows {shown(beyond.low)} to {shown(beyond.high, unit)}"
    )
    return (
        f"the machine runs as its model has not seen it run: {what}. The model has no opinion meanwhile, and robust z "
        "watches the signals one by one. Train it again when this way of running is healthy"
    )
