"""Rollouts, step by step: begun, taken on or rolled back by what was seen. Asked again after a crash it goes on."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

import structlog

from forewarn.contracts.model_observations import ModelObservations
from forewarn.contracts.model_registry import ModelRegistry
from forewarn.domain.audit import OWN, AuditAction, Deed
from forewarn.domain.errors import Conflict, NotFound
from forewarn.domain.model_delivery import Side, Tally
from forewarn.domain.model_versions import ModelState
from forewarn.domain.rollouts import Observed, RollbackReason, Rollout, RolloutSettings
from forewarn.kit.clock import HOUR
from forewarn.policies.model_delivery import observed
from forewarn.policies.rollout import OPEN, begin, decide, is_over, roll_back

_log = structlog.get_logger(__name__)
_WATCHED: Final = OPEN | {ModelState.CHAMPION}
_MOST: Final = 1_000
_TOLD_US: Final = HOUR  # who was cut off while the site stood still has told by then what was seen


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
        self._begun: int | None = None

    def step(self) -> list[Rollout]:
        """Those that changed. Raises StorageFailed."""
        if self._begun is None:
            self._begun = self._clock()
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
        after = decide(rollout, challenger, observed(rollout, Side.CHAMPION, tallies), now, self._settings)
        is_early = self._begun is None or now - self._begun < _TOLD_US
        return rollout if after.reason is RollbackReason.UNSEEN and is_early else after


def end_misfits(registry: ModelRegistry, rollouts: Iterable[str], now: int) -> None:
    """Rollouts, by id, of machines whose signals are others by now: what is tried does not fit them. Raises
    StorageFailed."""
    note = "the plant's signals are others than its models were learned of"
    for rollout_id in dict.fromkeys(rollouts):
        try:
            registry.change_rollout(rollout_id, lambda r: roll_back(r, RollbackReason.MISFIT, note, now), _deed)
        except (Conflict, NotFound) as error:  # it has ended meanwhile
            _log.warning("rollout_not_changed", rollout=rollout_id, error=str(error))
        else:
            _log.info("rollout", rollout=rollout_id, state=ModelState.ROLLED_BACK.value, note=note)


def _deed(before: Rollout, after: Rollout) -> Deed:
    why = after.note if after.reason is not None else ""
    told = {"state": before.state.value}, {"state": after.state.value, "reason": after.reason and after.reason.value}
    return Deed(AuditAction.MODEL_CHANGED, OWN, f"rollout {after.id}", *told, "", why)
