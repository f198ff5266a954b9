"""The shape of an asset template and how it becomes signals."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from forewarn.domain.assets import Component, Limits, Signal
from forewarn.domain.errors import InvalidInput
from forewarn.policies.asset_templates.ratings import Amount, Ratings, amount
from forewarn.policies.zones import ISO_20816_3, Specifications, vibration_zones

VIBRATION: Final = "vibration_velocity"
KINDS: Final = (
    VIBRATION,
    "vibration_acceleration",
    "displacement",
    "temperature",
    "pressure",
    "differential_pressure",
    "flow",
    "speed",
    "current",
    "voltage",
    "power",
    "torque",
    "force",
    "level",
    "leakage",
    "position",
    "humidity",
    "frequency",
    "concentration",
    "count",
    "state",
    "other",
)
FAILURE_MODES: Final[Mapping[str, str]] = {  # ISO 14224:2016 table B.6 and following
    "AIR": "abnormal instrument reading",
    "BRD": "breakdown",
    "ELP": "external leakage, process medium",
    "ELU": "external leakage, utility medium",
    "ERO": "erratic output",
    "FTF": "failure to function on demand",
    "FTS": "failure to start on demand",
    "HIO": "high output",
    "INL": "internal leakage",
    "LOO": "low output",
    "NOI": "noise",
    "OHE": "overheating",
    "OTH": "other",
    "PDE": "parameter deviation",
    "PLU": "plugged or choked",
    "SER": "minor in-service problem",
    "STD": "structural deficiency",
    "STP": "failure to stop on demand",
    "UNK": "unknown",
    "UST": "spurious stop",
    "VIB": "vibration",
}


@dataclass(frozen=True, slots=True)
class SignalTemplate:
    """A signal before its machine is known; every Amount is a number in `unit` or a formula over ratings.

    running_above: on the speed signal, in place of None; `idle` is taken where the formula has no rating.
    """

    name: str
    kind: str
    unit: str
    range: tuple[Amount, Amount] = (None, None)
    low_critical: Amount = None
    low: Amount = None
    high: Amount = None
    high_critical: Amount = None
    deadband: Amount = None
    max_rate_per_s: Amount = None
    flatline_s: float | None = None
    running_above: Amount = None
    idle: float | None = None

    def signal(self, asset_id: str, ratings: Ratings) -> Signal:
        running = amount(self.running_above, ratings)
        return Signal(
            id=f"{asset_id}.{self.name}",
            asset_id=asset_id,
            name=self.name,
            kind=self.kind,
            unit=self.unit,
            range_low=amount(self.range[0], ratings),
            range_high=amount(self.range[1], ratings),
            limits=Limits(
                *(amount(limit, ratings) for limit in (self.low_critical, self.low, self.high, self.high_critical))
            ),
            max_rate_per_s=amount(self.max_rate_per_s, ratings),
            flatline_s=self.flatline_s,
            deadband=amount(self.deadband, ratings) or 0.0,
            running_above=self.idle if running is None else running,
        )


@dataclass(frozen=True, slots=True)
class AssetTemplate:
    """`vibration_standard` names the zone table of its vibration signals; None = no built-in table fits.

    variants: components that come with a value of the specification `variant_key`.
    """

    name: str
    title: str
    signals: tuple[SignalTemplate, ...]
    components: tuple[Component, ...]
    vibration_standard: str | None = ISO_20816_3
    variant_key: str = ""
    variants: Mapping[str, tuple[Component, ...]] = field(default_factory=dict)

    def components_for(self, specifications: Specifications) -> tuple[Component, ...]:
        return (*self.components, *self.variants.get(str(specifications.get(self.variant_key)), ()))

    def signals_for(self, asset_id: str, specifications: Specifications) -> tuple[Signal, ...]:
        """All signals, vibration without limits (see `vibration_limits`), key 0, pushed."""
        ratings = Ratings(specifications)
        return tuple(t.signal(asset_id, ratings) for t in self.signals)

    def vibration_limits(self, specifications: Specifications) -> Limits:
        """From the zones of the machine's class. Raises InvalidInput that asks for what is missing."""
        if self.variant_key and self.variant_key not in specifications:
            options = " or ".join(f'"{v}"' for v in self.variants)
            raise InvalidInput(f"specifications.{self.variant_key} is missing: state {options}", field=self.variant_key)
        if specifications.get("compressor_type") == "reciprocating" and "iso_standard" not in specifications:
            raise InvalidInput(
                "no built-in zone table fits a reciprocating compressor (ISO 20816-8 judges displacement, velocity and"
                " acceleration by location): state the vibration signal's limits high and high_critical",
                field="compressor_type",
            )
        return vibration_zones(self.vibration_standard or ISO_20816_3, specifications).limits

    def instantiate(self, asset_id: str, specifications: Specifications) -> tuple[Signal, ...]:
        """All signals with all limits. Raises InvalidInput when the vibration class cannot be derived."""
        return tuple(
            replace(s, limits=self.vibration_limits(specifications)) if s.kind == VIBRATION else s
            for s in self.signals_for(asset_id, specifications)
        )
