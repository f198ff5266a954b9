"""Every key of a plant file; `docs/plant-file.md` describes each, and a test holds it to that."""

from collections.abc import Mapping
from typing import Final

PLACES: Final = ("site", "area", "line")
LIMITS: Final = ("low_critical", "low", "high", "high_critical")
ALARM: Final = (
    "rule",
    "signal",
    "enabled",
    "condition",
    "threshold",
    "priority",
    "title",
    "deadband",
    "on_delay_s",
    "off_delay_s",
    "latching",
    "only_running",
    "detector",
    "cause",
    "consequence",
    "action",
    "response_minutes",
)
SIGNAL: Final = (
    "id",
    "kind",
    "unit",
    "range",
    "limits",
    "deadband",
    "max_rate_per_s",
    "flatline_s",
    "running_above",
    "rate_hz",
    "source",
    "address",
)
ASSET: Final = (
    "id",
    "name",
    "path",
    "template",
    "status",
    "specifications",
    "components",
    "measured",
    "defaults",
    "signals",
    "alarm",
)
KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "": ("enterprise", *PLACES, "source", "asset", "gateway"),
    "enterprise": ("id", "name"),
    "site": ("id", "name"),
    "area": ("id", "name"),
    "line": ("id", "name"),
    "source": ("name", "connector", "settings"),
    "asset": ASSET,
    "asset.defaults": ("source", "address", "rate_hz"),
    "asset.signals.<name>": SIGNAL,
    "asset.signals.<name>.limits": LIMITS,
    "asset.alarm": ALARM,
}
