"""Models that have grown old: what a machine does has left what its model was trained on, or its score has. An
advisory on the machine until it is back, or until another model acts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.findings import BY_MODEL, Finding
from forewarn.domain.model_delivery import MachineDrift
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.fleet import FleetScores
from forewarn.learning.machine_model import MachineModel
from forewarn.learning.standing_findings import Standing
from forewarn.policies.model_drift import (
    DriftCounts,
    DriftSettings,
    InputReference,
    Judged,
    ScoreReference,
    nothing_known,
    score_reference,
)
from forewarn.policies.severity import severity_of

INPUT_DRIFT: Final = "model_input_drift"
SCORE_DRIFT: Final = "model_score_drift"
DRIFTS: Final = frozenset({INPUT_DRIFT, SCORE_DRIFT})
_LEAST_USUAL: Final = 1e-4  # where no healthy row was over the quantile
_RETELL_US: Final = 3_600_000_000
_LEAST_SCORE, _MOST_SCORE = 0.5, 0.65

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Machines with equally many signals. models: by place in `counts`. threshold: float64[machines, regimes], NaN
    where there is no ensemble."""

    models: tuple[MachineModel, ...]
    counts: DriftCounts
    threshold: NDArray[np.float64]


class DriftWatch:
    """For one thread. State is bounded by the number of machines; a restart begins anew, what stands goes on."""

    def __init__(self, settings: DriftSettings | None = None) -> None:
        self._s = settings or DriftSettings()
        self._models: tuple[MachineModel, ...] = ()
        self._place: Places = np.zeros(0, np.intp)  # in its group, by place in the fleet
        self._slot: NDArray[np.int64] = np.zeros(0, np.int64)  # when it was judged last, by place in the fleet
        self._groups: dict[int, _Group] = {}  # by number of signals
        self._open = Standing[str](lambda finding: finding.asset_id)
        self._told: dict[str, int] = {}  # by asset: source time
        # By asset id, of those of which something could be judged; swapped as a whole, so any thread may read it.
        self.judged: Mapping[str, MachineDrift] = {}

    def follow(self, models: Sequence[MachineModel]) -> None:
        """models: as in `Fleet.models`. One that acted before goes on; what stands of the others ends."""
        before = {_key(m): (g.counts, i) for g in self._groups.values() for i, m in enumerate(g.models)}
        known = {m.asset_id: _key(m) for m in self._models}
        self._models, self._place, self._groups = tuple(models), np.zeros(len(models), np.intp), {}
        self._slot = np.full(len(models), -1)
        for width in sorted({len(m.signals) for m in models}):
            places = [i for i, m in enumerate(models) if len(m.signals) == width]
            own = tuple(models[i] for i in places)
            counts = DriftCounts([_inputs(m) for m in own], [_scores(m) for m in own])
            self._place[places] = np.arange(len(places))
            self._groups[width] = _Group(own, counts, _thresholds(own))
            for i, model in enumerate(own):
                if _key(model) in before:
                    counts.carry(i, *before[_key(model)])
        now = {m.asset_id: _key(m) for m in models}
        self._open.end([a for a in self._open if a not in now or (a in known and known[a] != now[a])])
        self.judged = {a: told for a, told in self.judged.items() if a in now and known.get(a) == now[a]}

    def resume(self, findings: Sequence[Finding]) -> None:
        """Take up what was open when the last process ended. Of several of one machine the newest goes on."""
        mine = [f for f in findings if f.detector == BY_MODEL and f.anomaly_type in DRIFTS]
        self._open.resume(mine)
        known = {model.asset_id for model in self._models}
        self._open.end([asset for asset in {f.asset_id for f in mine} if asset not in known])

    def let_go(self, assets: Collection[str]) -> list[Finding]:
        """Somebody else watches these machines. What stood of them."""
        self.judged = {a: told for a, told in self.judged.items() if a not in assets}
        return self._open.let_go(assets)

    def over(self) -> list[Finding]:
        """What ended meanwhile, once."""
        return self._open.over()

    def of(self, asset_id: str) -> MachineDrift | None:
        """As it was judged last; None where nothing could be yet. Any thread."""
        return self.judged.get(asset_id)

    def take(self, scores: FleetScores, quiet: NDArray[np.bool_], table: SignalTable) -> list[Finding]:
        """quiet: bool[k], machines of which a finding stands: what they do now is known to be out of the ordinary.
        Advisories that began, changed or ended."""
        n = scores.time.shape[1]
        group = self._groups[scores.blocks.shape[2]]
        place, step_s = self._place[scores.machine], scores.step_us / 1e6
        every = max(round(self._s.sample_s / step_s), 1)
        threshold = np.take_along_axis(group.threshold[place], np.maximum(scores.regime, 0), axis=1)
        ratio = np.where(quiet[:, None], np.nan, scores.ratio * threshold)
        sampled = (scores.time // scores.step_us) % every == 0
        each = np.full(len(place), 0.5 ** (step_s / self._s.half_life_s))
        keep = (each, sampled, each**every)
        group.counts.add(place, scores.regime, scores.blocks[:, -n:], ratio, keep)
        period_us = int(self._s.judge_s * 1e6)
        # One after the other, so that no second has all of them.
        slot = (scores.time[:, -1] + scores.machine * (period_us // max(len(self._slot), 1))) // period_us
        last = self._slot[scores.machine]
        self._slot[scores.machine] = slot
        due = np.flatnonzero((last >= 0) & (slot > last) & ~quiet)
        if not len(due):
            return self.over()
        judged = group.counts.judge(place[due], step_s, every * step_s, self._s)
        self._keep([(group.models[place[k]], int(scores.time[k, -1])) for k in due], judged)
        told = self.over()
        for i, k in enumerate(due):
            found = self._tell(group.models[place[k]], judged, i, (int(scores.time[k, -1]), table))
            if any(f.ended_at is not None and f.anomaly_type == INPUT_DRIFT for f in found):
                group.counts.forget_scores(int(place[k]))
            told += found
        return told

    def _keep(self, machines: Sequence[tuple[MachineModel, int]], judged: Judged) -> None:
        kept = dict(self.judged)
        for i, (model, at) in enumerate(machines):
            drift = _drift(model, at, judged, i)
            if drift.signals or drift.over is not None:
                kept[model.asset_id] = drift
            else:
                kept.pop(model.asset_id, None)
        self.judged = kept

    def _tell(self, model: MachineModel, judged: Judged, i: int, at: tuple[int, SignalTable]) -> list[Finding]:
        beyond = judged.psi[i] / judged.mark[i]
        farthest = int(np.nanargmax(beyond)) if np.isfinite(beyond).any() else 0
        inputs = float(np.nanmax(beyond, initial=-1.0))
        usual = float(judged.usual[i]) or _LEAST_USUAL
        times = float(judged.over[i]) / usual
        score = times >= self._s.times and judged.tail[i] <= self._s.tail
        standing = self._open.get(model.asset_id)
        if standing is not None and standing.anomaly_type == SCORE_DRIFT and inputs >= 1.0:
            self._open.end([model.asset_id], at[0])  # what has moved says why
        elif standing is not None:
            return self._go_on(standing, at[0], self._still(standing, inputs, times, judged.over[i]))
        if inputs < 1.0 and not score:
            return []
        what = _of_inputs(model, farthest, judged, (i, at[1])) if inputs >= 1.0 else _of_score(judged, i)
        opened = _finding(model, farthest, what, at)
        self._open[model.asset_id], self._told[model.asset_id] = opened, at[0]
        return [*self.over(), opened]

    def _still(self, standing: Finding, inputs: float, times: float, over: float) -> bool:
        """What is not judged has not come back."""
        if standing.anomaly_type == INPUT_DRIFT:
            return inputs < 0 or inputs >= self._s.ends
        return bool(np.isnan(over)) or times >= max(self._s.ends * self._s.times, 1.0)

    def _go_on(self, standing: Finding, at: int, still: bool) -> list[Finding]:
        asset_id = standing.asset_id
        if not still:
            self._open.end([asset_id], at)
            return self.over()
        if at - self._told.get(asset_id, 0) < _RETELL_US:
            return []
        self._told[asset_id] = at
        self._open[asset_id] = replace(standing, last_at=max(at, standing.last_at), count=standing.count + 1)
        return [self._open[asset_id]]


def _drift(model: MachineModel, at: int, judged: Judged, i: int) -> MachineDrift:
    psi, mark, over, usual = judged.psi[i].tolist(), judged.mark[i].tolist(), float(judged.over[i]), judged.usual[i]
    signals = {s: (psi[c], mark[c]) for c, s in enumerate(model.signals) if psi[c] == psi[c]}
    return MachineDrift(at, signals) if np.isnan(over) else MachineDrift(at, signals, over, float(usual))


def _episode(finding: Finding) -> tuple[int, int]:
    return finding.signal_key, finding.started_at


def _key(model: MachineModel) -> tuple[object, ...]:
    """A threshold that people have moved makes no other model."""
    return model.asset_id, model.version or model.inputs


def _inputs(model: MachineModel) -> list[InputReference]:
    """Signals that take no part in a regime's ensemble are not judged there."""
    width = len(model.signals)
    found = []
    for code, ensemble in enumerate(model.ensembles):
        if ensemble is None or not model.inputs:
            found.append(nothing_known(width))
            continue
        part = np.array([verdict.takes_part for verdict in ensemble.screened] or [True] * width)
        way = model.inputs[code]
        found.append(replace(way, edges=np.where(part[:, None], way.edges, np.nan)))
    return found


def _scores(model: MachineModel) -> list[ScoreReference | None]:
    return [None if e is None else score_reference(e.held_out) for e in model.ensembles]


def _thresholds(models: Sequence[MachineModel]) -> NDArray[np.float64]:
    found = np.full((len(models), max(len(m.ensembles) for m in models)), np.nan)
    for i, model in enumerate(models):
        found[i, : len(model.ensembles)] = [np.nan if e is None else e.threshold for e in model.ensembles]
    return found


def _of_inputs(model: MachineModel, column: int, judged: Judged, at: tuple[int, SignalTable]) -> tuple[str, float, str]:
    psi, mark = float(judged.psi[at[0], column]), float(judged.mark[at[0], column])
    signal = at[1].signals[at[1].key_of[model.signals[column]]]
    why = (
        f"{signal.name if signal else model.signals[column]} has left what the model was trained on (PSI {psi:.2f} "
        f"over about a day of running, up to {mark:.2f} is usual): look at the sensor; if this is how it is to "
        "be, mark this wrong and train it again"
    )
    # Twice the mark is medium, as twice a limit is.
    return INPUT_DRIFT, float(np.clip(0.5 + 0.15 * (psi / mark - 1.0), _LEAST_SCORE, _MOST_SCORE)), why


def _of_score(judged: Judged, i: int) -> tuple[str, float, str]:
    why = (
        f"the model's score is over its healthy quantile in {judged.over[i]:.1%} of the rows of about a day of "
        f"running, where {judged.usual[i]:.1%} is usual, without an alarm: look at what has "
        "changed; if this is how it is to be, mark this wrong and train it again"
    )
    return SCORE_DRIFT, _LEAST_SCORE, why


def _finding(model: MachineModel, column: int, what: tuple[str, float, str], at: tuple[int, SignalTable]) -> Finding:
    kind, score, why = what
    return Finding(
        signal_key=at[1].key_of[model.signals[column]],
        signal_id=model.signals[column],
        asset_id=model.asset_id,
        detector=BY_MODEL,
        anomaly_type=kind,
        severity=severity_of(score),
        score=score,
        value=float("nan"),
        expected=None,
        reason=why,
        started_at=at[0],
        last_at=at[0],
    )
