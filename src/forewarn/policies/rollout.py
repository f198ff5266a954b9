"""candidate -> shadow -> canary -> champion, and back from any step when the challenger misbehaves.

All that is remembered is the Rollout: asked again after a crash, the same evidence gives the same answer, and evidence
of a former step gives none.
"""

import hashlib
import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from forewarn.domain.errors import Conflict
from forewarn.domain.model_versions import ModelState
from forewarn.domain.rollouts import Observed, RollbackReason, Rollout, RolloutSettings
from forewarn.kit.clock import SECOND

_WEEK_S: Final = 7 * 86_400.0
_LEAST_S: Final = 86_400.0
_MOST_WAITS: Final = 3.0  # times its least time in the state, and a day at the least: then nobody will judge it
OPEN: Final = frozenset({ModelState.CANDIDATE, ModelState.SHADOW, ModelState.CANARY})
STEPS: Final[Mapping[ModelState, frozenset[ModelState]]] = {
    ModelState.CANDIDATE: frozenset({ModelState.SHADOW, ModelState.ROLLED_BACK}),
    ModelState.SHADOW: frozenset({ModelState.CANARY, ModelState.ROLLED_BACK}),
    ModelState.CANARY: frozenset({ModelState.CHAMPION, ModelState.ROLLED_BACK}),
    ModelState.CHAMPION: frozenset({ModelState.ROLLED_BACK}),
    ModelState.RETIRED: frozenset(),
    ModelState.ROLLED_BACK: frozenset(),
}


def canary_of(rollout_id: str, assets: Collection[str], share: float) -> frozenset[str]:
    """`share` of the assets, rounded up: asked anywhere, at any time, the same ones; a greater share only adds."""
    known = set(assets)
    count = min(len(known), max(0, math.ceil(share * len(known) - 1e-9)))
    return frozenset(sorted(known, key=lambda asset: _lot(rollout_id, asset))[:count])


def _lot(rollout_id: str, asset: str) -> tuple[bytes, str]:
    return hashlib.sha256(f"{rollout_id}\0{asset}".encode()).digest(), asset


def acts_on(rollout: Rollout) -> frozenset[str]:
    """Assets on which the new version raises findings; on the others the champion does."""
    if rollout.state is ModelState.CHAMPION:
        return frozenset(rollout.versions)
    if rollout.state is ModelState.CANARY:
        return canary_of(rollout.id, rollout.versions, rollout.share)
    return frozenset()


def begin(rollout: Rollout, now: int) -> Rollout:
    """Into the shadow; a rollout that is under way stays as it is."""
    return _into(rollout, ModelState.SHADOW, now) if rollout.state is ModelState.CANDIDATE else rollout


def decide(
    rollout: Rollout,
    challenger: Observed,
    champion: Observed | None,
    now: int,
    settings: RolloutSettings | None = None,
) -> Rollout:
    """What becomes of it: one step on, rolled back, or as it was. champion: on the same machines in the same time; None
    where they have none yet. now: microseconds UTC. What has not scored enough after three times its least time, and a
    day at the least, is rolled back as UNSEEN: its machines would be learned no more while it waits."""
    settings = settings or RolloutSettings()
    if challenger.since != rollout.since or not STEPS[rollout.state] or rollout.state is ModelState.CANDIDATE:
        return rollout
    beside = champion if champion is not None and champion.since == rollout.since else None
    if fault := find_fault(challenger, beside, settings):
        return roll_back(rollout, *fault, now=now)
    after_s = {ModelState.SHADOW: settings.shadow_s, ModelState.CANARY: settings.canary_s}.get(rollout.state)
    if after_s is None:
        return rollout
    took_s = (now - rollout.since) / SECOND
    if challenger.rows < settings.least_rows:
        if took_s < max(_MOST_WAITS * after_s, _LEAST_S):
            return rollout
        seen = f"{challenger.rows:,} rows in {took_s / 3_600:.0f} h, {settings.least_rows:,} are needed"
        return roll_back(rollout, RollbackReason.UNSEEN, f"nothing was seen of it: {seen}", now)
    if took_s < after_s:
        return rollout
    return _into(rollout, ModelState.CANARY if rollout.state is ModelState.SHADOW else ModelState.CHAMPION, now)


def roll_back(rollout: Rollout, reason: RollbackReason, note: str, now: int) -> Rollout:
    """Raises Conflict where it is over already."""
    check_step(rollout.state, ModelState.ROLLED_BACK)
    return replace(_into(rollout, ModelState.ROLLED_BACK, now), reason=reason, note=note)


def is_over(rollout: Rollout, now: int, settings: RolloutSettings | None = None) -> bool:
    """Nothing is left to decide."""
    watched = now - rollout.since >= (settings or RolloutSettings()).watch_s * SECOND
    return not STEPS[rollout.state] or (rollout.state is ModelState.CHAMPION and watched)


def check_step(before: ModelState, after: ModelState) -> None:
    """Raises Conflict for a step that there is not."""
    if after not in STEPS[before]:
        raise Conflict(
            f"a model that is {before.value} does not become {after.value}: start a rollout of a new version"
        )


def find_fault(
    challenger: Observed, champion: Observed | None, settings: RolloutSettings
) -> tuple[RollbackReason, str] | None:
    """Why it must go, worst first, and what was seen."""
    return (
        _too_many_errors(challenger, champion, settings)
        or _too_slow(challenger, champion, settings)
        or _too_silent(challenger, champion, settings)
        or _too_many_alarms(challenger, champion, settings)
    )


_Fault = tuple[RollbackReason, str] | None


def _too_many_errors(challenger: Observed, champion: Observed | None, settings: RolloutSettings) -> _Fault:
    usual = champion.errors / champion.calls if champion is not None and champion.calls else 0.0
    if challenger.errors <= max(settings.most_errors, settings.error_ratio * usual) * challenger.calls:
        return None
    return RollbackReason.ERRORS, f"{challenger.errors:,} of {challenger.calls:,} calls failed (champion: {usual:.2%})"


def _too_slow(challenger: Observed, champion: Observed | None, settings: RolloutSettings) -> _Fault:
    usual = champion.latency_ms if champion is not None and champion.latency_ms is not None else 0.0
    took = challenger.latency_ms
    if took is None or took <= max(settings.most_latency_ms, settings.latency_ratio * usual):
        return None
    return RollbackReason.LATENCY, f"it takes {took:,.1f} ms at the 99th percentile (champion: {usual:,.1f} ms)"


def _too_silent(challenger: Observed, champion: Observed | None, settings: RolloutSettings) -> _Fault:
    """A dead model raises no false alarm either."""
    if champion is None or not champion.rows or challenger.rows < settings.least_rows:
        return None
    usual, share = champion.opinions / champion.rows, challenger.opinions / challenger.rows
    if share >= settings.least_opinions * usual:
        return None
    return RollbackReason.SILENT, f"it has an opinion on {share:.0%} of the rows (champion: {usual:.0%})"


def _too_many_alarms(challenger: Observed, champion: Observed | None, settings: RolloutSettings) -> _Fault:
    weeks = challenger.asset_s / _WEEK_S
    # One alarm in its first seconds is no rate that a challenger may have too.
    usual = 0.0 if champion is None else champion.alarms / (max(champion.asset_s, _LEAST_S) / _WEEK_S)
    allowed = max(settings.most_alarms, settings.alarm_ratio * usual) * weeks
    if challenger.alarms <= allowed or chance_of(challenger.alarms, allowed) >= settings.chance:
        return None
    return (
        RollbackReason.ALARM_RATE,
        f"{challenger.alarms:,} alarms in {weeks:.2f} asset-weeks, where {allowed:.2f} are within bounds "
        f"(champion: {usual:.2f} an asset-week)",
    )


def chance_of(count: int, mean: float) -> float:
    """P(N >= count) of a Poisson variable, summed upward from `count` so that small tails stay exact."""
    if count <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    if count <= mean:
        return 1.0 - sum(math.exp(_log_poisson(k, mean)) for k in range(count))
    total, k, term = 0.0, count, math.exp(_log_poisson(count, mean))
    while term > total * 1e-12:
        total, k = total + term, k + 1
        term *= mean / k
    return min(total, 1.0)


def _log_poisson(k: int, mean: float) -> float:
    return k * math.log(mean) - mean - math.lgamma(k + 1)


def _into(rollout: Rollout, state: ModelState, now: int) -> Rollout:
    # Later than before even where the clock went back: by `since`, evidence of one state is told from that of another.
    return replace(rollout, state=state, since=max(now, rollout.since + 1))
