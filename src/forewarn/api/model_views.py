"""Trained models as the API tells them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from forewarn.api.times import Instant, text_of
from forewarn.domain.findings import Verdict
from forewarn.domain.jobs import ItemState, Job, JobItem, JobState, NextTraining
from forewarn.domain.model_delivery import MachineDrift
from forewarn.domain.model_versions import ModelCard, ModelState, ModelVersion, SharedLearning
from forewarn.learning.hindsight import HealthyScores
from forewarn.learning.thresholds import ThresholdNow, ThresholdStep
from forewarn.policies.model_delivery import farthest_first
from forewarn.policies.reasons import LONGEST_REASON, reason_of

# The bounds are for the document; what holds is `reason_of`, which does not count what surrounds the words.
Reason = Annotated[
    str, AfterValidator(reason_of), Field(json_schema_extra={"minLength": 1, "maxLength": LONGEST_REASON})
]


class SpanView(BaseModel):
    start: Instant
    end: Instant


class ModelSummary(BaseModel):
    """metrics: by name, see docs/operations/training.md. trained_hours: of healthy past that was looked at.
    bytes_deleted_at: only the card is left of it since then."""

    id: str
    asset_id: str
    template: str
    detectors: Sequence[str]
    state: ModelState
    state_since: Instant
    reason: str
    created_at: Instant
    bytes_deleted_at: Instant | None
    size: int
    rows: int
    trained_from: Instant | None
    trained_to: Instant | None
    trained_hours: float
    metrics: Mapping[str, float]

    @classmethod
    def of(cls, version: ModelVersion) -> Self:
        return cls(**_summary(version))


class ShiftView(BaseModel):
    """The smallest lasting shift of a signal that is found in nine of ten rows, in healthy spreads; null: none is."""

    signal_id: str
    model: float | None
    baseline: float | None


class LeftOutView(BaseModel):
    signal_id: str
    reason: str


class SharedLearningView(BaseModel):
    """What a model has from its template: detectors whose network was learned once for all, from how many machines,
    stretches of their healthy past and rows of it; seconds: for all of them together."""

    template: str
    detectors: Sequence[str]
    machines: int
    spans: int
    rows: int
    seconds: float

    @classmethod
    def of(cls, shared: SharedLearning) -> Self:
        return cls(**asdict(shared))


class CardView(BaseModel):
    """regimes: rows learned of each way in which the machine was run, 0 where they were too few. shared: null: learned
    from this machine alone."""

    trained: Sequence[SpanView]
    signals: Sequence[str]
    left_out: Sequence[LeftOutView]
    regimes: Sequence[int]
    baseline: Mapping[str, float]
    baseline_of: str
    shifts: Sequence[ShiftView]
    seconds: float | None
    processor_seconds: float | None
    peak_bytes: int | None
    settings: Mapping[str, object]
    seed: int
    software: str
    config_hash: str
    notes: Sequence[str]
    shared: SharedLearningView | None

    @classmethod
    def of(cls, card: ModelCard) -> Self:
        cost = card.cost
        return cls(
            trained=[SpanView(start=text_of(s.start), end=text_of(s.end)) for s in card.trained],
            signals=card.signals,
            left_out=[LeftOutView(signal_id=s, reason=why) for s, why in card.left_out.items()],
            regimes=card.regimes,
            baseline=card.baseline,
            baseline_of=card.baseline_of,
            shifts=[
                ShiftView(signal_id=s, model=shift, baseline=card.baseline_shifts.get(s))
                for s, shift in card.shifts.items()
            ],
            seconds=None if cost is None else cost.seconds,
            processor_seconds=None if cost is None else cost.processor_seconds,
            peak_bytes=None if cost is None else cost.peak_bytes,
            settings=card.settings,
            seed=card.seed,
            software=card.software,
            config_hash=card.config_hash,
            notes=card.notes,
            shared=None if card.shared is None else SharedLearningView.of(card.shared),
        )


class ModelView(ModelSummary):
    signed_by: str
    card: CardView

    @classmethod
    def of(cls, version: ModelVersion) -> Self:
        return cls(**_summary(version), signed_by=version.signed_by, card=CardView.of(version.card))


class StepView(BaseModel):
    """What one word of feedback did to a threshold, in units of the machine's healthy quantile. before, after: are the
    same where it stayed, as it was at a bound that the budget of false alarms sets, or the verdict moves nothing."""

    at: Instant
    anomaly_id: str
    verdict: Verdict
    by: str
    before: float
    after: float

    @classmethod
    def of(cls, told: ThresholdStep) -> Self:
        return cls(
            at=text_of(told.at),
            anomaly_id=told.anomaly_id,
            verdict=told.verdict,
            by=told.by,
            before=told.before,
            after=told.after,
        )


class ThresholdView(BaseModel):
    """Of one regime. learned: from healthy rows alone; now: after what people said of findings; in units of the
    machine's healthy quantile. alarms_per_week: false ones to be expected now. labels: words that count for it; steps:
    what the newest hundred of them did, oldest first."""

    regime: int
    learned: float
    now: float
    alarms_per_week: float | None
    labels: int
    steps: Sequence[StepView]

    @classmethod
    def of(cls, told: ThresholdNow) -> Self:
        rate = told.alarms_per_week if told.alarms_per_week < float("inf") else None
        return cls(
            regime=told.regime,
            learned=told.learned,
            now=told.now,
            alarms_per_week=rate,
            labels=told.labels,
            steps=[StepView.of(step) for step in told.steps],
        )


class ScoresView(BaseModel):
    """Of one regime: ratios of healthy rows that no fit had seen, in units of the machine's healthy quantile. width: of
    a bin, the first begins at 0; share: of `rows` in each, 0-1; threshold: as learned."""

    regime: int
    rows: int
    threshold: float
    width: float
    share: Sequence[float]

    @classmethod
    def of(cls, told: HealthyScores) -> Self:
        return cls(regime=told.regime, rows=told.rows, threshold=told.threshold, width=told.width, share=told.share)


class ScoresPage(BaseModel):
    regimes: Sequence[ScoresView]


class JobItemView(BaseModel):
    """text: what became of it, in words. model: id of what was learned, '' for nothing."""

    asset_id: str
    state: ItemState
    text: str
    model: str
    seconds: float

    @classmethod
    def of(cls, item: JobItem) -> Self:
        return cls(asset_id=item.asset_id, state=item.state, text=item.text, model=item.result, seconds=item.seconds)


class JobView(BaseModel):
    """phase: what is done now, in words, while it does not go machine by machine (a template's network is learned).
    why: the site asked for it by itself, '' where a person did."""

    id: str
    kind: str
    by: str
    state: JobState
    created_at: Instant
    ended_at: Instant | None
    done: int
    total: int
    days: float | None
    phase: str
    why: str
    items: Sequence[JobItemView]

    @classmethod
    def of(cls, job: Job) -> Self:
        days = job.settings.get("days")
        return cls(
            id=job.id,
            kind=job.kind,
            by=job.by,
            state=job.state,
            created_at=text_of(job.created_at),
            ended_at=None if job.ended_at is None else text_of(job.ended_at),
            done=job.done,
            total=len(job.items),
            days=float(days) if isinstance(days, int | float) else None,
            phase=job.phase,
            why=str(job.settings.get("why", "")),
            items=[JobItemView.of(item) for item in job.items],
        )


class NextTrainingView(BaseModel):
    """Of those that the site begins by itself. at: not before then, unless machines of its site and template draw it
    along a little sooner; null: as soon as what `why` names is there."""

    at: Instant | None
    why: str

    @classmethod
    def of(cls, told: NextTraining) -> Self:
        return cls(at=None if told.at is None else text_of(told.at), why=told.why)


class SignalDriftView(BaseModel):
    """psi: population stability index of the last day or so of running against what the model was learned from; beyond
    `usual` it is drift."""

    signal_id: str
    psi: float
    usual: float


class DriftView(BaseModel):
    """How far a machine has come from what its model was learned from. judged_at: time of the newest row that was
    looked at. by: the gateway that judges it, '' for the site. signals: those that are judged, farthest from what is
    usual first. over: share of rows over the healthy quantile lately, 0-1; usual: of healthy rows; null: not judged."""

    judged_at: Instant
    by: str
    signals: Sequence[SignalDriftView]
    over: float | None
    usual: float | None

    @classmethod
    def of(cls, told: MachineDrift, by: str) -> Self:
        far = farthest_first(told.signals)
        return cls(
            judged_at=text_of(told.at),
            by=by,
            signals=[SignalDriftView(signal_id=s, psi=psi, usual=usual) for s, (psi, usual) in far],
            over=told.over,
            usual=told.usual,
        )


class AssetModelView(BaseModel):
    """challenger: the newest that was trained since and waits or is in a rollout. history: newest first. job: the
    newest of training that this machine is or was in. waits_for: what its first model waits for, '' for nothing.
    next_training: null: none that the site begins by itself, or it has not looked since it began. drift: of what acts;
    null: nothing was judged yet, which takes five hours of running."""

    asset_id: str
    waits_for: str
    champion: ModelView | None
    challenger: ModelView | None
    history: Sequence[ModelSummary]
    thresholds: Sequence[ThresholdView]
    job: JobView | None
    next_training: NextTrainingView | None
    drift: DriftView | None


class ModelPage(BaseModel):
    models: Sequence[ModelSummary]


class JobPage(BaseModel):
    jobs: Sequence[JobView]


class TrainRequest(BaseModel):
    """assets: none = every machine one may train. days: how far back healthy past is looked for."""

    model_config = ConfigDict(extra="forbid")

    assets: Sequence[str] = Field((), max_length=10_000)
    days: float = Field(14.0, gt=0, le=3_660, strict=True)


class Because(BaseModel):
    """reason: in words; it goes into the audit log."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


def _summary(version: ModelVersion) -> dict[str, Any]:
    card = version.card
    hours = sum(span.end - span.start for span in card.trained) / 3_600e6
    return {
        "id": version.id,
        "asset_id": version.asset_id,
        "template": version.template,
        "detectors": version.detectors,
        "state": version.state,
        "state_since": text_of(version.state_since),
        "reason": version.reason,
        "created_at": text_of(version.created_at),
        "bytes_deleted_at": None if version.bytes_deleted_at is None else text_of(version.bytes_deleted_at),
        "size": version.size,
        "rows": card.rows,
        "trained_from": text_of(card.trained[0].start) if card.trained else None,
        "trained_to": text_of(card.trained[-1].end) if card.trained else None,
        "trained_hours": round(hours, 2),
        "metrics": card.metrics,
    }
