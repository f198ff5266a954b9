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
from forewarn.domain.model_versions import ModelState, ModelVersion
from forewarn.domain.rollouts import (
    Observed,
    RollbackReason,
    Rollout,
    RolloutMachine,
    RolloutProgress,
    RolloutSettings,
)
from forewarn.kit.clock import MINUTE
from forewarn.policies.model_delivery import observed
from forewarn.policies.rollout import OPEN, acts_on, begin, is_over, next_step, roll_back
from forewarn.policies.rollout_bounds import bounds_of

_MOST: Final = 10_000
_SAME_CHANGE_US: Final = MINUTE  # from what a rollout says to the champions that follow it in one transaction


@dataclass(frozen=True, slots=True)
class _Champions:
    """formers: id of the version that a champion replaced, by the champion's id."""

    now: Mapping[str, ModelVersion]
    formers: Mapping[str, str]


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
        return self._told(self._seen.rollouts(None, limit))

    def get(self, rollout_id: str) -> RolloutProgress:
        return self._told([self._seen.rollout(rollout_id)])[0]

    def candidates(self) -> Sequence[ModelVersion]:
        seen = self._seen
        newest: dict[str, ModelVersion] = {}
        for version in seen.find(None, {ModelState.CANDIDATE}, _MOST):
            newest.setdefault(version.asset_id, version)
        champions, tried = seen.champions(), self._tried()
        return [
            version
            for asset_id, version in sorted(newest.items())
            if asset_id not in tried and _may_be_tried(version, champions.get(asset_id))
        ]

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
        found = {version.asset_id: version for version in self.candidates()}
        if not assets:
            free = {asset: version.id for asset, version in found.items() if not version.reason}
            if not free:
                raise Conflict(f"there is no candidate that may be rolled out: {_instead(found)}")
            return free
        tried = self._tried()
        if taken := [asset for asset in assets if asset in tried]:
            raise Conflict(f"{taken[0]} is in rollout {tried[taken[0]]!r}, which is under way: end that first")
        if missing := [asset for asset in assets if asset not in found]:
            raise NotFound(f"no candidate of {', '.join(missing)}: train one first (`forewarn train {missing[0]}`)")
        return {asset: found[asset].id for asset in assets}

    def _told(self, rollouts: Sequence[Rollout]) -> list[RolloutProgress]:
        tallies = self.observations.tallies([rollout.id for rollout in rollouts]) if rollouts else ()
        seen = self._seen
        champions = _Champions(seen.champions(), seen.formers())
        return [self._progress(rollout, tallies, champions) for rollout in rollouts]

    def _progress(self, rollout: Rollout, tallies: Sequence[Tally], champions: _Champions) -> RolloutProgress:
        at = self.clock()
        challenger, champion = (observed(rollout, side, tallies) for side in (Side.CHALLENGER, Side.CHAMPION))
        return RolloutProgress(
            rollout,
            self._machines(rollout, champions),
            next_step(rollout, challenger, at, self.settings),
            challenger,
            champion,
            bounds_of(challenger or Observed(rollout.since), champion, self.settings),
            is_over(rollout, at, self.settings),
        )

    def _machines(self, rollout: Rollout, champions: _Champions) -> tuple[RolloutMachine, ...]:
        # Which machines the canary takes depends on all of them, seen or not.
        is_part = rollout.state is ModelState.CANARY and not self.scope.everywhere
        acts = acts_on(self.registry.rollout(rollout.id) if is_part else rollout)
        found = []
        for asset_id, version in sorted(rollout.versions.items()):
            champion = champions.now.get(asset_id)
            is_deposed = rollout.state is ModelState.CHAMPION and (champion is None or champion.id != version)
            replaced = _replaced(rollout, version, champion, champions.formers)
            found.append(RolloutMachine(asset_id, version, replaced, asset_id in acts and not is_deposed))
        return tuple(found)


def _replaced(rollout: Rollout, version: str, champion: ModelVersion | None, formers: Mapping[str, str]) -> str | None:
    if champion is None:
        return None
    if rollout.state is ModelState.CHAMPION:
        return formers.get(version) if champion.id == version else None
    if rollout.state is ModelState.ROLLED_BACK and champion.state_since > rollout.since + _SAME_CHANGE_US:
        return None  # another one became champion since
    return champion.id


def _may_be_tried(version: ModelVersion, champion: ModelVersion | None) -> bool:
    is_newer = champion is None or version.created_at >= champion.created_at
    return is_newer and version.bytes_deleted_at is None


def _instead(found: Mapping[str, ModelVersion]) -> str:
    if found:
        return f"name machines whose candidate was set aside ({', '.join(sorted(found)[:3])}), or train them again"
    return "train first (`forewarn train --all`)"
