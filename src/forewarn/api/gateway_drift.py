"""How far machines have come from what their models know, as the gateways tell that judge them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from forewarn.domain.model_delivery import DriftNews, MachineDrift


@dataclass(frozen=True, slots=True)
class _There:
    """until: number of the newest that it told. machines: by asset id."""

    until: int = 0
    machines: Mapping[str, MachineDrift] = field(default_factory=dict)


class GatewayDrift:
    """For the event loop's thread; any may ask `of`."""

    def __init__(self) -> None:
        self._there: dict[str, _There] = {}

    def told(self, gateway: str, news: DriftNews | None, judged: Collection[str]) -> int:
        """With a heartbeat. judged: ids of the machines of which it should hold models: of others nobody believes it.
        The number of the newest that is known of it, 0 where nothing is: what goes on from another one is left out, and
        the gateway says it again."""
        known = self._there.get(gateway, _There())
        if news is not None and news.since in (0, known.until):
            before = known.machines if news.since else {}
            known = _There(news.until, {a: told for a, told in {**before, **news.machines}.items() if told is not None})
        machines = {asset_id: told for asset_id, told in known.machines.items() if asset_id in judged}
        self._there[gateway] = _There(known.until, machines)
        return known.until

    def of(self, asset_id: str) -> tuple[str, MachineDrift] | None:
        """Which gateway judged it last, and what that told; None where none did."""
        every = list(self._there.items())
        found = [(gateway, there.machines[asset_id]) for gateway, there in every if asset_id in there.machines]
        return max(found, key=lambda told: told[1].at, default=None)

    def forget(self, gateway: str) -> None:
        self._there.pop(gateway, None)
