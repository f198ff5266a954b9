"""Rollouts as people begin, follow and end them: one place for the command line and the API."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from secrets import token_hex
from typing import Final

from forewarn.contracts.model_observations import ModelObservations
from forewarn.contracts.model_registry import ModelRegistry
from forewarn.contracts.rollout_desk import Moved
from forewarn.domain.access import ALL, Scope
from forewarn.domain.errors import Conflict, NotAllowed, NotFound
from forewarn.domain.model_delivery import Side, Tally
from forewarn.domain.model_versions import ModelState
from forewarn.domain.rollouts import (
    Candidate,
    Observed,
    Reign,
    RollbackReason,
    Rollout,
    RolloutMachine,
    RolloutProgress,
    RolloutSettings,
)
from forewarn.kit.clock import MINUTE
from forewarn.policies.model_delivery import acting_versions, observed
from forewarn.policies.rollout import OPEN, begin, is_over, next_step, roll_back
from forewarn.policies.rollout_bounds import bounds_of

_MOST: Final = 10_000
_SAME_CHANGE_US: Final = MINUTE  # from what a rollout says to the champions that follow it in one transaction


@dataclass(frozen=True, slots=True)
class _Known:
    """reigns: by asset id. acting: id of the version that raises findings, by asset id."""

    reigns: Mapping[str, Reign]
    acting: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SiteRolloutDesk:
    """RolloutDesk. registry: of the whole site. clock: microseconds UTC. settings: those that the site's rollouts go
    by."""

    registry: ModelRegistry
    observations: ModelObservations
    clock: Callable[[], int]
    settings: RolloutSettings = field(default_factory=RolloutSettings)
    scope: Scope = ALL

    def within(self, scope: Scope) -> "SiteRolloutDesk":
        return replace(self, scope=scope)

    def newest(self, limit: int) -> Sequence[RolloutProgress]:
        known = {
            rollout.id: rollout for rollout in (*self._seen.rollouts(OPEN, _MOST), *self._seen.rollouts(None, limit))
        }
        return self._told(sorted(known.values(), key=lambda rollout: (-rollout.started_at, rollout.id)))

    def get(self, rollout_id: str) -> RolloutProgress:
        return self._told([self._seen.rollout(rollout_id)])[0]

    def candidates(self) -> Sequence[Candidate]:
        return self._seen.candidates()

    def start(self, assets: Collection[str], share: float, deed: Moved) -> RolloutProgress:
        if not self.scope.everywhere:
            raise NotAllowed("a rollout may concern the whole site: ask somebody whose role is not for a part of it")
        versions, at = self._chosen(dict.fromkeys(assets)), self.clock()
        rollout = Rollout(token_hex(6), versions, at, since=at, share=share)
        self.registry.start(rollout, deed(None, rollout))
        return self._told([self.registry.change_rollout(rollout.id, lambda r: begin(r, at), deed)])[0]

    def roll_back(self, rollout_id: str, reason: str, deed: Moved) -> RolloutProgress:
        self._seen.change_rollout(
            rollout_id, lambda r: roll_back(r, RollbackReason.BY_HAND, reason, self.clock()), deed
        )
        return self.get(rollout_id)

    @property
    def _seen(self) -> ModelRegistry:
        return self.registry.within(self.scope)

    def _tried(self) -> dict[str, str]:
        """Id of the open rollout that a machine is in, by asset id."""
        return {asset: rollout.id for rollout in self._seen.rollouts(OPEN, _MOST) for asset in rollout.versions}

    def _chosen(self, assets: Mapping[str, None]) -> dict[str, str]:
        found = {candidate.asset_id: candidate for candidate in self.candidates()}
        if not assets:
            free = {asset: candidate.version for asset, candidate in found.items() if not candidate.reason}
            if not free:
                raise Conflict(f"there is no candidate that may be rolled out: {_instead(found)}")
            return free
        tried = self._tried()
        if taken := [asset for asset in assets if asset in tried]:
            raise Conflict(f"{taken[0]} is in rollout {tried[taken[0]]!r}, which is under way: end that first")
        if missing := [asset for asset in assets if asset not in found]:
            raise NotFound(f"no candidate of {', '.join(missing)}: train one first (`forewarn train {missing[0]}`)")
        return {asset: found[asset].version for asset in assets}

    def _told(self, rollouts: Sequence[Rollout]) -> list[RolloutProgress]:
        if not rollouts:
            return []
        tallies, known = self.observations.tallies([rollout.id for rollout in rollouts]), self._known()
        return [self._progress(rollout, tallies, known) for rollout in rollouts]

    def _known(self) -> _Known:
        reigns = self._seen.reigns()
        champions = {asset_id: reign.version for asset_id, reign in reigns.items()}
        # Which machines a canary takes depends on all of them, seen or not.
        return _Known(reigns, acting_versions(champions, self.registry.rollouts({ModelState.CANARY}, _MOST)))

    def _progress(self, rollout: Rollout, tallies: Sequence[Tally], known: _Known) -> RolloutProgress:
        at = self.clock()
        challenger, champion = (observed(rollout, side, tallies) for side in (Side.CHALLENGER, Side.CHAMPION))
        return RolloutProgress(
            rollout,
            _machines(rollout, known),
            next_step(rollout, challenger, at, self.settings),
            challenger,
            champion,
            bounds_of(challenger or Observed(rollout.since), champion, self.settings),
            is_over(rollout, at, self.settings),
        )


def _machines(rollout: Rollout, known: _Known) -> tuple[RolloutMachine, ...]:
    return tuple(
        RolloutMachine(
            asset_id, version, _replaced(rollout, version, known.reigns.get(asset_id)), known.acting.get(asset_id)
        )
        for asset_id, version in sorted(rollout.versions.items())
    )


def _replaced(rollout: Rollout, version: str, reign: Reign | None) -> str | None:
    if reign is None:
        return None
    if reign.version == version:
        return reign.former
    if rollout.state is ModelState.CHAMPION:
        return None
    if rollout.state is ModelState.ROLLED_BACK and reign.since > rollout.since + _SAME_CHANGE_US:
        return None  # another one became champion since
    return reign.version


def _instead(found: Collection[str]) -> str:
    if found:
        return f"name machines whose candidate was set aside ({', '.join(sorted(found)[:3])}), or train them again"
    return "train first (`forewarn train --all`)"
