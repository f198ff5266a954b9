"""A machine's thresholds after what people said of its findings."""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from forewarn.contracts.anomaly_store import Anomaly
from forewarn.domain.findings import Feedback, Verdict
from forewarn.learning.ensemble import Ensemble
from forewarn.learning.machine_model import MachineModel
from forewarn.policies.alarm_budget import AlarmBudget, Leeway, alarms_per_week, healthy_tail, leeway

_MOST_STEPS: Final = 100


@dataclass(frozen=True, slots=True)
class ThresholdStep:
    """What one word did to a threshold. at: when it was said, microseconds UTC."""

    at: int
    anomaly_id: str
    verdict: Verdict
    by: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class ThresholdNow:
    """Of one regime. learned: from healthy rows alone; now: after feedback; both in units of the healthy quantile, as
    are steps. alarms_per_week: false ones to be expected at `now`. labels: how many findings had a say; steps: what the
    newest hundred of them did, in the order in which they were said: the last one leads to `now`."""

    regime: int
    learned: float
    now: float
    alarms_per_week: float
    labels: int
    steps: tuple[ThresholdStep, ...] = ()


def moved(
    model: MachineModel, labelled: Iterable[Anomaly], budget: AlarmBudget
) -> tuple[MachineModel, tuple[ThresholdNow, ...]]:
    """labelled: findings of this machine's models with feedback. In the order in which it was given; a finding of an
    earlier model counts too, since ratios are in units of the machine's own healthy quantile."""
    words: dict[int, list[tuple[Feedback, Anomaly, float]]] = defaultdict(list)
    for anomaly in labelled:
        evidence, feedback = anomaly.finding.evidence, anomaly.feedback
        if evidence is not None and feedback is not None:
            words[evidence.regime].append((feedback, anomaly, evidence.ratio * evidence.threshold))
    ensembles: list[Ensemble | None] = []
    told: list[ThresholdNow] = []
    here = replace(budget, row_s=model.step_us / 1e6)
    for code, ensemble in enumerate(model.ensembles):
        if ensemble is None:
            ensembles.append(None)
            continue
        tail = healthy_tail(ensemble.held_out, here)
        said = sorted(words.get(code, ()), key=lambda word: word[0].at)
        learned, now, steps = _answered(said, leeway(tail, here))
        told.append(ThresholdNow(code, learned, now, alarms_per_week(tail, now, here), len(said), steps))
        ensembles.append(replace(ensemble, threshold=now))
    return replace(model, ensembles=tuple(ensembles)), tuple(told)


def _answered(
    said: Sequence[tuple[Feedback, Anomaly, float]], within: Leeway
) -> tuple[float, float, tuple[ThresholdStep, ...]]:
    """said: with the ratio that each finding reached. Threshold as learned, and after all of it; what the newest words
    did."""
    bias, learned = 0.0, within.threshold()
    now, steps = learned, deque[ThresholdStep](maxlen=_MOST_STEPS)
    for feedback, anomaly, peak in said:
        before, bias = now, within.answered(feedback.verdict, peak, bias)
        now = within.threshold(bias)
        steps.append(ThresholdStep(feedback.at, anomaly.id, feedback.verdict, feedback.by, before, now))
    return learned, now, tuple(steps)
