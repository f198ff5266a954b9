"""Rollouts as the API tells them."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from forewarn.api.times import Instant, text_of
from forewarn.domain.model_versions import ModelState
from forewarn.domain.rollouts import (
    Bounds,
    Candidate,
    NextStep,
    Observed,
    RollbackReason,
    RolloutMachine,
    RolloutProgress,
)


class RolloutMachineView(BaseModel):
    """champion_id: what the new version replaces or replaced; null where there was none, or another one acts by now.
    acts: the new version raises findings there."""

    asset_id: str
    model_id: str
    champion_id: str | None
    acts: bool

    @classmethod
    def of(cls, machine: RolloutMachine) -> Self:
        return cls(asset_id=machine.asset_id, model_id=machine.version, champion_id=machine.champion, acts=machine.acts)


class NextStepView(BaseModel):
    """What comes next of a rollout that stays within bounds. state: watched = the watch of new champions ends. at: not
    before; null: the time has come, and rows are missing. progress: 0-1, of what is behind most. rows: scored in this
    state, of least_rows."""

    state: Literal["canary", "champion", "watched"]
    at: Instant | None
    progress: float = Field(ge=0, le=1)
    rows: int
    least_rows: int

    @classmethod
    def of(cls, step: NextStep) -> Self:
        return cls(
            state=_step_name(step.into),
            at=None if step.at is None else text_of(step.at),
            progress=step.progress,
            rows=step.rows,
            least_rows=step.least_rows,
        )


class RolloutSideView(BaseModel):
    """What one side did in the rollout's present state, on all its machines together. hours: judged, summed over
    machines. rows: scored. opinions: share of them with a score. alarms: episodes begun; alarms_per_week: an
    asset-week. errors: calls that failed. latency_ms: 99th percentile of a call, null before there were 100."""

    hours: float
    rows: int
    opinions: float | None
    alarms: int
    alarms_per_week: float | None
    calls: int
    errors: int
    latency_ms: float | None

    @classmethod
    def of(cls, seen: Observed) -> Self:
        return cls(
            hours=seen.asset_s / 3_600,
            rows=seen.rows,
            opinions=seen.opinions / seen.rows if seen.rows else None,
            alarms=seen.alarms,
            alarms_per_week=seen.alarms_per_week,
            calls=seen.calls,
            errors=seen.errors,
            latency_ms=seen.latency_ms,
        )


class RolloutBoundsView(BaseModel):
    """What the challenger must keep within, given the champion; beyond one of them it is rolled back. alarms_per_week:
    the most that may still be chance in the time that was judged, an asset-week: high at first, lower as more is
    judged. errors: share of calls. opinions: least share of rows, which holds once least_rows were scored."""

    alarms_per_week: float
    latency_ms: float
    errors: float
    opinions: float

    @classmethod
    def of(cls, bounds: Bounds) -> Self:
        return cls(
            alarms_per_week=bounds.alarms_per_week,
            latency_ms=bounds.latency_ms,
            errors=bounds.errors,
            opinions=bounds.opinions,
        )


class RolloutView(BaseModel):
    """since: it is in that state, or began it anew as another rollout changed a champion. share: of its machines, that
    the canary acts on. reason, note: why it went back. machines: those that one may see. is_over: nothing is left to
    decide. challenger, champion: null where nothing was told yet; bounds: null where there is nothing to compare; next:
    null before it begins and once it is over."""

    id: str
    state: ModelState
    since: Instant
    started_at: Instant
    share: float
    reason: RollbackReason | None
    note: str
    is_over: bool
    machines: Sequence[RolloutMachineView]
    next: NextStepView | None
    challenger: RolloutSideView | None
    champion: RolloutSideView | None
    bounds: RolloutBoundsView | None

    @classmethod
    def of(cls, told: RolloutProgress) -> Self:
        rollout = told.rollout
        return cls(
            id=rollout.id,
            state=rollout.state,
            since=text_of(rollout.since),
            started_at=text_of(rollout.started_at),
            share=rollout.share,
            reason=rollout.reason,
            note=rollout.note,
            is_over=told.is_over,
            machines=[RolloutMachineView.of(machine) for machine in told.machines],
            next=None if told.next is None else NextStepView.of(told.next),
            challenger=None if told.challenger is None else RolloutSideView.of(told.challenger),
            champion=None if told.champion is None else RolloutSideView.of(told.champion),
            bounds=None if told.bounds is None else RolloutBoundsView.of(told.bounds),
        )


class CandidateView(BaseModel):
    """The newest model of a machine that may be put into a rollout now. reason: why it was set aside, '' otherwise."""

    asset_id: str
    model_id: str
    created_at: Instant
    reason: str

    @classmethod
    def of(cls, candidate: Candidate) -> Self:
        return cls(
            asset_id=candidate.asset_id,
            model_id=candidate.version,
            created_at=text_of(candidate.created_at),
            reason=candidate.reason,
        )


class RolloutPage(BaseModel):
    """rollouts: newest first. candidates: by machine."""

    rollouts: Sequence[RolloutView]
    candidates: Sequence[CandidateView]


class StartRollout(BaseModel):
    """assets: none = every machine whose candidate was not set aside. share: of the machines, that the canary acts
    on."""

    model_config = ConfigDict(extra="forbid")

    assets: Sequence[str] = Field((), max_length=10_000)
    share: float = Field(0.1, ge=0.01, le=1, strict=True)


def _step_name(into: ModelState | None) -> Literal["canary", "champion", "watched"]:
    if into is None:
        return "watched"
    return "canary" if into is ModelState.CANARY else "champion"
