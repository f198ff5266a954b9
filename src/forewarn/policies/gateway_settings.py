"""What the table `gateway` of a gateway file says, checked; docs/gateway-file.md describes each key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from forewarn.policies.whole_stretches import WholeStretches


class ThinMethod(StrEnum):
    NONE = "none"
    DEADBAND = "deadband"
    SWINGING_DOOR = "swinging_door"
    MINUTES = "minutes"


@dataclass(frozen=True, slots=True)
class ThinWords:
    """How signals are thinned. error: in the signal's unit; error_percent: of its range; at most one of them is set."""

    method: ThinMethod = ThinMethod.SWINGING_DOOR
    error: float | None = None
    error_percent: float | None = 0.5
    max_gap_s: float = 60.0


@dataclass(frozen=True, slots=True)
class ThinRuleWords:
    """signals: pattern of signal ids (fnmatch); the last rule that fits counts."""

    signals: str
    words: ThinWords


@dataclass(frozen=True, slots=True)
class UplinkSettings:
    """key_env, key_file: where the machine's key is named. ca: who signs the site's certificate, where the system's
    own do not. model_keys: whose models are used, 64 hexadecimal digits each; none: those that the site tells first."""

    url: str
    key_env: str | None = None
    key_file: Path | None = None
    ca: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    heartbeat_s: float = 5.0
    timeout_s: float = 20.0
    model_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """name: unique; output: the plugin's name; settings: as its own model wants them."""

    name: str
    output: str
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StandbySettings:
    """seconds: how long a lease lasts that is not renewed. broker: settings of the MQTT broker by which the partners
    agree while the site is away, None = not at all."""

    group: str
    seconds: float = 15.0
    broker: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """thin_rules: in the file's order. uplink None: it keeps what it collects and sends nothing."""

    name: str
    directory: Path = Path("var/gateway")
    disk_budget_mib: int = 4096
    keep_raw_hours: float = 24.0
    detectors: tuple[str, ...] = ("limits", "rate_of_change", "flatline", "robust_z")
    uplink: UplinkSettings | None = None
    thin: ThinWords = ThinWords()
    thin_rules: tuple[ThinRuleWords, ...] = ()
    context_s: float = 10.0
    finding_full_s: float = 300.0
    hold_s: float = 10.0
    whole: WholeStretches = field(default_factory=WholeStretches)
    outputs: tuple[OutputSettings, ...] = ()
    standby: StandbySettings | None = None
