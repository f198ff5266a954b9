"""Brings models from the site, and tells it what was seen of those that are tried."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final, Protocol

import msgspec
import structlog

from forewarn.domain.errors import ForewarnError, StorageFailed
from forewarn.domain.model_delivery import HeldModels, Tally, WantedModels
from forewarn.gateway.conditions import Conditions
from forewarn.gateway.models.drift_teller import DriftTeller
from forewarn.gateway.models.folder import is_version
from forewarn.gateway.models.local_models import LocalModels
from forewarn.gateway.models.trust import TrustedKeys
from forewarn.policies.model_delivery import assets_by_version

_log = structlog.get_logger(__name__)
_AGAIN_S: Final = 5.0
_REFUSED_AGAIN_S: Final = 60.0
_MOST_VERSIONS: Final = 30_000
_MOST_TOLD: Final = 10_000


class ModelLink(Protocol):
    """The part of the link to the site that models come over. Raises SiteAway and the like, all ForewarnError."""

    async def models(self) -> dict[str, Any]: ...
    async def artifact(self, version_id: str) -> bytes: ...


class ModelCourier:
    """For the event loop; `tallies` is asked of the line's thread's counts."""

    def __init__(
        self,
        link: ModelLink,
        models: LocalModels,
        keys: TrustedKeys,
        tallies: Callable[[], Sequence[Tally]],
        conditions: Conditions,
        drift: DriftTeller | None = None,
        *,
        again_s: float = _AGAIN_S,
        refused_again_s: float = _REFUSED_AGAIN_S,
    ) -> None:
        """drift: None: nobody judges it. again_s: until what could not be had is asked for again; refused_again_s: what
        was no good."""
        self._link, self._models, self._keys, self._tallies = link, models, keys, tallies
        self._conditions, self._drift = conditions, drift
        self._again_s, self._refused_again_s = again_s, refused_again_s
        self._revision = ""
        self._known = self._telling = ""  # names of what we hold: as the site knows it, and as it was told last
        self._news = asyncio.Event()

    def told(self) -> Mapping[str, object]:
        """What a heartbeat says besides: of what we hold only what the site does not know yet."""
        tallies, held = self._tallies(), self._models.held
        self._telling = held.name
        told: dict[str, object] = {"models": tallies} if tallies else {}
        if self._drift is not None and (news := self._drift.told()) is not None:
            told["drift"] = news
        return told if held.name == self._known else {**told, "held": _bounded(held)}

    def heard(self, answer: Mapping[str, Any]) -> None:
        """The answer to a heartbeat. A site that knows nothing of `held`, or takes none of the heartbeat, is not told
        again before something changes."""
        known = answer.get("held")
        self._known = known if isinstance(known, str) else self._telling
        if self._drift is not None:
            self._drift.heard(answer)
        revision = answer.get("models")
        if isinstance(revision, str) and revision != self._revision:
            self._revision = revision
            self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        wait_s: float | None = 0.0
        while True:
            if self._revision and (self._news.is_set() or wait_s is not None):
                self._news.clear()
                wait_s = await self._follow()
            try:
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _follow(self) -> float | None:
        """How long until the next attempt; None where all is here."""
        try:
            wanted = _wanted(await self._link.models())
            await asyncio.to_thread(self._begin, wanted)
            lost = await self._fetch(wanted)
            await asyncio.to_thread(self._models.take, wanted)
        except StorageFailed as error:
            self._conditions.enter(error.condition, str(error))
            return self._again_s
        except ForewarnError as error:
            _log.warning("models_not_fetched", error=str(error))
            return self._again_s
        if lost:
            return self._again_s
        return self._refused_again_s if self._models.missing else None

    def _begin(self, wanted: WantedModels) -> None:
        self._keys.learn(wanted.keys)
        self._models.withdraw(wanted.withdrawn)

    async def _fetch(self, wanted: WantedModels) -> bool:
        """Whether something could not be had: the rest is used all the same."""
        assets, lost = assets_by_version(wanted), False
        for version in await asyncio.to_thread(self._models.lacks, wanted):
            try:
                artifact = await self._link.artifact(version)
            except ForewarnError as error:
                _log.warning("model_not_fetched", version=version, error=str(error))
                lost = True
                continue
            await asyncio.to_thread(self._models.fetched, version, assets[version], artifact)
        return lost


class NotUnderstood(ForewarnError):
    """The site's answer names no models in a way that we know."""


def _wanted(answer: Mapping[str, Any]) -> WantedModels:
    try:
        wanted = msgspec.convert(answer, WantedModels)
    except msgspec.ValidationError as error:
        raise NotUnderstood(f"the site's list of models cannot be read: {error}") from error
    if len(wanted.versions) > _MOST_VERSIONS or not all(map(is_version, wanted.versions)):
        raise NotUnderstood("the site's list of models names none that could be one")
    return replace(wanted, thresholds={v: told for v, told in wanted.thresholds.items() if v in wanted.versions})


def _bounded(held: HeldModels) -> HeldModels:
    """No more than a site takes."""
    acting, refused = (dict(islice(one.items(), _MOST_TOLD)) for one in (held.acting, held.refused))
    return replace(held, acting=acting, refused=refused)
