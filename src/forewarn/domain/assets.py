"""The plant: enterprise > site > area > line > asset > component (ISA-95), and the signals of its assets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from forewarn.domain.alarms import AlarmOverride


class AssetStatus(StrEnum):
    ACTIVE = "active"
    MAINTENANCE = "maintenance"
    INACTIVE = "inactive"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits in the signal's unit; None where there is none. low_critical < low < high < high_critical."""

    low_critical: float | None = None
    low: float | None = None
    high: float | None = None
    high_critical: float | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """One measured quantity of one asset.

    key: dense int32, given by the catalog and never reused; 0 until the catalog has seen the signal.
    id: unique text, `<asset id>.<name>` unless the plant file says otherwise (the specification's sensor_id).
    kind: what is measured (`vibration_velocity`, `temperature`, `pressure`, `flow`, `speed`, `current`, ...).
    range_low, range_high: what the instrument can say; None when unknown.
    max_rate_per_s: the fastest believable change in units per second; None when unknown.
    flatline_s: seconds without any change after which a running machine's signal is suspect; None = never.
    deadband: change in the signal's unit below which an alarm does not return to normal.
    running_above: on the asset's speed signal: the value above which the machine runs; else None.
    source, address: which source delivers it and where it lies there; None for pushed signals.
    """

    id: str
    asset_id: str
    name: str
    kind: str
    unit: str
    key: int = 0
    range_low: float | None = None
    range_high: float | None = None
    limits: Limits = Limits()
    max_rate_per_s: float | None = None
    flatline_s: float | None = None
    deadband: float = 0.0
    running_above: float | None = None
    rate_hz: float = 1.0
    source: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Component:
    """A maintainable part of an asset (bearing, seal, impeller) with its failure modes (ISO 14224 codes)."""

    name: str
    failure_modes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asset:
    """A machine. `path` is (enterprise, site, area, line); `template` names what it was made from, or ''."""

    id: str
    name: str
    path: tuple[str, str, str, str]
    template: str = ""
    status: AssetStatus = AssetStatus.ACTIVE
    components: tuple[Component, ...] = ()
    specifications: Mapping[str, str | float | int | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """A device or server that readings are collected from: a connector plugin's name and its settings."""

    name: str
    connector: str
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plant:
    """All that a plant file describes. Signals carry key 0 until applied.

    place_names: what people call a place, by its path (`acme/pune` -> `Pune works`); ids serve where it is silent.
    alarm_overrides: in the file's order; `policies/rules.py` works them into the rules.
    """

    assets: tuple[Asset, ...]
    signals: tuple[Signal, ...]
    sources: tuple[SourceConfig, ...] = ()
    place_names: Mapping[str, str] = field(default_factory=dict)
    alarm_overrides: tuple[AlarmOverride, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a plan. `action`: added, changed, removed; `what`: asset, signal, source, rule, place;
    `detail`: for a change, `field: old -> new` joined by '; '."""

    action: str
    what: str
    id: str
    detail: str = ""
