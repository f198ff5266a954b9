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
from forewarn.domain.rollouts import NextStep, Observed, RollbackReason, Rollout, RolloutSettings
from forewarn.kit.clock import SECOND
from forewarn.policies.rollout_bounds import find_fault

_LEAST_S: Final = 86_400.0
_MOST_WAITS: Final = 3.0  # times its least time in the state, and a day at the least: then nobody will judge it
OPEN: Final = frozenset({ModelState.CANDIDATE, ModelState.SHADOW, ModelState.CANARY})
_ONWARD: Final = {ModelState.SHADOW: ModelState.CANARY, ModelState.CANARY: ModelState.CHAMPION}
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
    if rollout.state not in _ONWARD:
        return rollout
    if challenger.rows < settings.least_rows:
        took_s = (now - rollout.since) / SECOND
        if took_s < max(_MOST_WAITS * _least_s(rollout.state, settings), _LEAST_S):
            return rollout
        seen = f"{challenger.rows:,} rows in {took_s / 3_600:.0f} h, {settings.least_rows:,} are needed"
        return roll_back(rollout, RollbackReason.UNSEEN, f"nothing was seen of it: {seen}", now)
    return rollout if now < _due(rollout, settings) else _into(rollout, _ONWARD[rollout.state], now)


def next_step(
    rollout: Rollout, challenger: Observed | None, now: int, settings: RolloutSettings | None = None
) -> NextStep | None:
    """What `decide` will do of a rollout that stays within bounds, and from when on; None before it is begun, and once
    it is over. In the shadow and as canary that many rows must be scored besides: `at` is None where the time has come,
    and they are missing."""
    settings = settings or RolloutSettings()
    if rollout.state is ModelState.CANDIDATE or is_over(rollout, now, settings):
        return None
    into, due = _ONWARD.get(rollout.state), _due(rollout, settings)
    rows = challenger.rows if challenger is not None and challenger.since == rollout.since else 0
    least_rows = 0 if into is None else settings.least_rows
    is_short = rows < least_rows
    elapsed = (now - rollout.since) / (due - rollout.since) if due > rollout.since else 1.0
    progress = min(max(elapsed, 0.0), rows / least_rows if is_short else 1.0, 1.0)
    return NextStep(into, None if is_short and now >= due else due, progress, rows, least_rows)


def _least_s(state: ModelState, settings: RolloutSettings) -> float:
    """Before what comes next."""
    if state is ModelState.CHAMPION:
        return settings.watch_s
    return settings.shadow_s if state is ModelState.SHADOW else settings.canary_s


def _due(rollout: Rollout, settings: RolloutSettings) -> int:
    return rollout.since + math.ceil(_least_s(rollout.state, settings) * SECOND)


def begin_anew(rollout: Rollout, now: int) -> Rollout:
    """The step that it is in: what was counted in it so far says nothing any more."""
    return _into(rollout, rollout.state, now)


def roll_back(rollout: Rollout, reason: RollbackReason, note: str, now: int) -> Rollout:
    """Raises Conflict where it is over already."""
    if rollout.state is ModelState.ROLLED_BACK:
        raise Conflict(f"rollout {rollout.id} was rolled back already: {rollout.note}")
    check_step(rollout.state, ModelState.ROLLED_BACK)
    return replace(_into(rollout, ModelState.ROLLED_BACK, now), reason=reason, note=note)


def is_over(rollout: Rollout, now: int, settings: RolloutSettings | None = None) -> bool:
    """Nothing is left to decide."""
    watched = rollout.state is ModelState.CHAMPION and now >= _due(rollout, settings or RolloutSettings())
    return watched or not STEPS[rollout.state]


def check_step(before: ModelState, after: ModelState) -> None:
    """Raises Conflict for a step that there is not."""
    if after not in STEPS[before]:
        raise Conflict(
            f"a model that is {_word(before)} does not become {_word(after)}: start a rollout of a new version"
        )


def _word(state: ModelState) -> str:
    return state.value.replace("_", " ")


def _into(rollout: Rollout, state: ModelState, now: int) -> Rollout:
    # Later than before even where the clock went back: by `since`, evidence of one state is told from that of another.
    return replace(rollout, state=state, since=max(now, rollout.since + 1))


def step_told(before: Rollout | None, after: Rollout) -> tuple[dict[str, object] | None, dict[str, object]]:
    """What the audit log keeps of a step that a person took. before: None where it is new."""
    if before is None:
        return None, {"state": after.state.value, "machines": len(after.versions), "share": after.share}
    return {"state": before.state.value}, {"state": after.state.value}
