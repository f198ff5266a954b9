"""Why a row scores as it does: what a finding of a model shows."""

import numpy as np

from forewarn.domain.evidence import Contribution, Evidence, Hypothesis
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.fleet import Fleet, FleetScores, Why
from forewarn.learning.machine_model import MachineModel
from forewarn.policies.fault_signatures import Deviations, ranked_faults
from forewarn.policies.usual_behaviour import against_expected, departure


def evidence_of(fleet: Fleet, table: SignalTable, scores: FleetScores, at: tuple[int, int]) -> Evidence:
    """at: machine among `scores`, and row; one with a ratio. Raises whatever a detector does."""
    k, row = at
    model = fleet.models[scores.machine[k]]
    why = fleet.explain(scores, at)
    regime = int(scores.regime[k, row])
    ensemble = model.ensembles[regime]
    assert ensemble is not None, "a row without an ensemble has no ratio"
    share = np.nan_to_num(why.blame.share[0])
    parts = tuple(
        Contribution(
            model.signals[c],
            round(float(share[c]), 4),
            _number(why.rows[-1, c]),
            _number(why.blame.expected[0, c]),
            model.units[c],
        )
        for c in np.argsort(-share, kind="stable")
    )
    end = int(scores.time[k, row]) + model.step_us
    return Evidence(
        ratio=float(scores.ratio[k, row]),
        threshold=ensemble.threshold,
        regime=regime,
        regimes=model.regimes.count,
        window_start=end - (fleet.context_of(scores) + 1) * model.step_us,
        window_end=end,
        # One whose window is not full yet has no opinion; the rest have spoken for it.
        members=tuple((name, round(ratio, 3)) for name, ratio in why.members.items() if np.isfinite(ratio)),
        contributions=parts,
        hypotheses=_hypotheses(model, regime, why, table),
        model=model.version,
    )


def _hypotheses(model: MachineModel, regime: int, why: Why, table: SignalTable) -> tuple[Hypothesis, ...]:
    departs = departure(model.usual[regime], why.rows)
    blame = why.blame
    level = against_expected(departs.level, why.rows[-1] - blame.expected[0], blame.share[0])
    signals = [table.signals[table.key_of[s]] for s in model.signals]
    asset = table.assets.get(model.asset_id)
    seen = Deviations(
        names=[s.name if s else "" for s in signals],
        kinds=[s.kind if s else "" for s in signals],
        level=level,
        share=blame.share[0],
        restlessness=departs.restlessness,
        missing=departs.missing,
    )
    return tuple(fault.told() for fault in ranked_faults(asset.template if asset else "", seen))


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
