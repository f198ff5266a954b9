"""A machine's thresholds after what people said of its findings."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from forewarn.contracts.anomaly_store import Anomaly
from forewarn.learning.ensemble import Ensemble
from forewarn.learning.machine_model import MachineModel
from forewarn.policies.alarm_budget import AlarmBudget, alarms_per_week, answered, healthy_tail, threshold


@dataclass(frozen=True, slots=True)
class ThresholdNow:
    """Of one regime. learned: from healthy rows alone; now: after feedback; both in units of the healthy quantile.
    alarms_per_week: false ones to be expected at `now`. labels: how many findings had a say."""

    regime: int
    learned: float
    now: float
    alarms_per_week: float
    labels: int


def moved(
    model: MachineModel, labelled: Iterable[Anomaly], budget: AlarmBudget
) -> tuple[MachineModel, tuple[ThresholdNow, ...]]:
    """labelled: findings of this machine's models with feedback. In the order in which it was given; a finding of an
    earlier model counts too, since ratios are in units of the machine's own healthy quantile."""
    said = sorted((a for a in labelled if a.feedback is not None), key=lambda a: a.feedback.at if a.feedback else 0)
    ensembles: list[Ensemble | None] = []
    told: list[ThresholdNow] = []
    for code, ensemble in enumerate(model.ensembles):
        if ensemble is None:
            ensembles.append(None)
            continue
        here = replace(budget, row_s=model.step_us / 1e6)
        tail, bias, labels = healthy_tail(ensemble.held_out, here), 0.0, 0
        for anomaly in said:
            evidence, feedback = anomaly.finding.evidence, anomaly.feedback
            if evidence is None or feedback is None or evidence.regime != code:
                continue
            bias = answered(feedback.verdict, evidence.ratio * evidence.threshold, tail, here, bias)
            labels += 1
        learned, now = threshold(tail, here), threshold(tail, here, bias)
        told.append(ThresholdNow(code, learned, now, alarms_per_week(tail, now, here), labels))
        ensembles.append(replace(ensemble, threshold=now))
    return replace(model, ensembles=tuple(ensembles)), tuple(told)
