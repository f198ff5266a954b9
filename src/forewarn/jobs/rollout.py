"""Rollouts, step by step: begun, taken on or rolled back by what was seen. Asked again after a crash it goes on."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog

from forewarn.contracts.model_observations import ModelObservations
from forewarn.contracts.model_registry import ModelRegistry
from forewarn.domain.audit import OWN, AuditAction, Deed
from forewarn.domain.errors import Conflict, NotFound
from forewarn.domain.model_delivery import Side, Tally
from forewarn.domain.model_versions import ModelState
from forewarn.domain.rollouts import Observed, Rollout, RolloutSettings
from forewarn.policies.model_delivery import observed
from forewarn.policies.rollout import OPEN, begin, decide, is_over

_log = structlog.get_logger(__name__)
_WATCHED: Final = OPEN | {ModelState.CHAMPION}
_MOST: Final = 1_000


class RolloutJob:
    """Call `step` about once a minute. clock: microseconds UTC. For one thread at a time."""

    def __init__(
        self,
        registry: ModelRegistry,
        observations: ModelObservations,
        clock: Callable[[], int],
        settings: RolloutSettings | None = None,
    ) -> None:
        self._registry, self._observations, self._clock = registry, observations, clock
        self._settings = settings or RolloutSettings()

    def step(self) -> list[Rollout]:
        """Those that changed. Raises StorageFailed."""
        rollouts = self.watched()
        tallies = self._observations.tallies([rollout.id for rollout in rollouts])
        changed = []
        for rollout in rollouts:
            try:
                after = self._registry.change_rollout(rollout.id, partial(self._decide, tallies), _deed)
            except (Conflict, NotFound) as error:  # by hand, since it was read
                _log.warning("rollout_not_changed", rollout=rollout.id, error=str(error))
                continue
            if after != rollout:
                _log.info("rollout", rollout=after.id, state=after.state.value, reason=after.reason, note=after.note)
                changed.append(after)
        return changed

    def watched(self) -> list[Rollout]:
        """Those that are under way, or whose new champions are watched."""
        now = self._clock()
        found = self._registry.rollouts(_WATCHED, _MOST)
        return [rollout for rollout in found if not is_over(rollout, now, self._settings)]

    def _decide(self, tallies: Sequence[Tally], rollout: Rollout) -> Rollout:
        now = self._clock()
        if rollout.state is ModelState.CANDIDATE:
            return begin(rollout, now)
        challenger = observed(rollout, Side.CHALLENGER, tallies) or Observed(rollout.since)
        return decide(rollout, challenger, observed(rollout, Side.CHAMPION, tallies), now, self._settings)


def _deed(before: Rollout, after: Rollout) -> Deed:
    why = after.note if after.reason is not None else ""
    told = {"state": before.state.value}, {"state": after.state.value, "reason": after.reason and after.reason.value}
    return Deed(AuditAction.MODEL_CHANGED, OWN, f"rollout {after.id}", *told, "", why)
