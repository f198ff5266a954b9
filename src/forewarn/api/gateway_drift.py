"""How far machines have come from what their models know, as the gateways tell that judge them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from forewarn.domain.model_delivery import DriftNews, MachineDrift
from forewarn.policies.model_delivery import MOST_DRIFTING, farthest_first


def bounded(news: DriftNews, own: Callable[[str], Collection[str]], latest: int) -> DriftNews:
    """What is kept of it. own: by asset id, ids of the machine's signals that the gateway collects; of others nothing
    is kept, nor of a machine that has none. latest: microseconds UTC; no judgement is held to be newer."""
    machines = {a: None if told is None else _bounded(told, own(a), latest) for a, told in news.machines.items()}
    return replace(news, machines=machines)


def _bounded(told: MachineDrift, own: Collection[str], latest: int) -> MachineDrift | None:
    # Their own texts, not those that came: they are there anyway.
    signals = {signal_id: told.signals[signal_id] for signal_id in own if signal_id in told.signals}
    if not own or not (signals or told.over is not None):
        return None
    return replace(told, at=min(told.at, latest), signals=dict(farthest_first(signals)[:MOST_DRIFTING]))


@dataclass(frozen=True, slots=True)
class _Told:
    """version: that acted there when it was told, '' where the gateway had not said."""

    drift: MachineDrift
    version: str


@dataclass(frozen=True, slots=True)
class _There:
    """until: number of the newest that it told. machines: by asset id. judged: those of which it should hold models."""

    until: int = 0
    machines: Mapping[str, _Told] = field(default_factory=dict)
    judged: Collection[str] = ()


class GatewayDrift:
    """For the event loop's thread; any may ask `of`."""

    def __init__(self) -> None:
        self._there: dict[str, _There] = {}

    def told(
        self, gateway: str, news: DriftNews | None, judged: Collection[str], acting: Mapping[str, str] | None = None
    ) -> int:
        """With a heartbeat. news: `bounded`. judged: ids of the machines of which it should hold models: of others
        nobody believes it as long as that is so. acting: id of the version that it says acts there, by asset id; None
        where it has not said. The number of the newest that is known of it, 0 where nothing is: what goes on from
        another one is left out, and the gateway says it again."""
        known = self._there.get(gateway, _There())
        until, machines = known.until, known.machines
        if news is not None and news.since in (0, known.until):
            kept = {a: told for a, told in machines.items() if news.since and a not in news.machines}
            fresh = ((a, told) for a, told in news.machines.items() if told is not None)
            until = news.until
            machines = {**kept, **{a: _Told(told, (acting or {}).get(a, "")) for a, told in fresh}}
        self._there[gateway] = _There(until, machines, judged)
        return until

    def of(self, asset_id: str, version: str = "", since: int = 0) -> tuple[str, MachineDrift] | None:
        """Which gateway judged it last, and what that told; None where none did. version: id of the one that acts,
        since then (microseconds UTC): what was judged of another, or of nobody knows which before then, is passed
        over."""
        found = [
            (gateway, told.drift)
            for gateway, there in list(self._there.items())
            if asset_id in there.judged
            and (told := there.machines.get(asset_id)) is not None
            and (told.version == version if told.version and version else told.drift.at >= since)
        ]
        return max(found, key=lambda each: each[1].at, default=None)

    def forget(self, gateway: str) -> None:
        self._there.pop(gateway, None)
