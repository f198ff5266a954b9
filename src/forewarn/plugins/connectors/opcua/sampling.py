"""How each signal's node is sampled, by the source's own settings and the exceptions to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from asyncua import ua

from forewarn.domain.assets import Signal
from forewarn.plugins.connectors.opcua.settings import OpcUaSettings


@dataclass(frozen=True, slots=True)
class Plan:
    """deadband: in the node's unit; percent: of the node's range, which is known only once the server was asked."""

    sampling_interval_ms: float
    queue_size: int
    discard_oldest: bool
    deadband: float
    percent: float

    def band(self, low: float | None, high: float | None) -> float:
        """The deadband in the node's unit, given its range; the wider one where both kinds are asked for."""
        if not self.percent or low is None or high is None:
            return self.deadband
        return max(self.deadband, self.percent / 100 * abs(high - low))


@dataclass(frozen=True, slots=True)
class Item:
    """A node to monitor under a client handle. band: the deadband that the server is asked to apply, 0 = none."""

    handle: int
    node: ua.NodeId
    plan: Plan
    band: float = 0.0


def plans(signals: Sequence[Signal], settings: OpcUaSettings) -> list[Plan]:
    """In the signals' order."""
    own = Plan(
        settings.sampling_interval_ms,
        settings.queue_size,
        settings.discard_oldest,
        settings.deadband,
        settings.deadband_percent,
    )
    exceptions = [
        (
            rule.match,
            Plan(
                own.sampling_interval_ms if rule.sampling_interval_ms is None else rule.sampling_interval_ms,
                rule.queue_size or own.queue_size,
                own.discard_oldest if rule.discard_oldest is None else rule.discard_oldest,
                own.deadband if rule.deadband is None else rule.deadband,
                own.percent if rule.deadband_percent is None else rule.deadband_percent,
            ),
        )
        for rule in settings.sampling
    ]
    return [
        next((plan for match, plan in exceptions if any(fnmatchcase(signal.id, m) for m in match)), own)
        for signal in signals
    ]
