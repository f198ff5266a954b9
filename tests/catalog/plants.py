"""Small plants for catalog tests."""

from forewarn.domain.alarms import AlarmRule, Condition, Priority
from forewarn.domain.assets import Asset, Component, Limits, Plant, Signal, SourceConfig

PATH = ("acme", "pune", "water", "line-1")


def asset(asset_id: str = "p1", **changes: object) -> Asset:
    given: dict[str, object] = {
        "id": asset_id,
        "name": f"Pump {asset_id}",
        "path": PATH,
        "template": "centrifugal_pump",
        "components": (Component("seal", ("ELP", "INL")), Component("impeller", ())),
        "specifications": {"rated_power_kw": 15.5, "maker": "Kirloskar", "poles": 4, "spare": True},
    }
    return Asset(**{**given, **changes})  # type: ignore[arg-type]


def signal(asset_id: str = "p1", name: str = "vibration", **changes: object) -> Signal:
    given: dict[str, object] = {
        "id": f"{asset_id}.{name}",
        "asset_id": asset_id,
        "name": name,
        "kind": "vibration_velocity",
        "unit": "mm/s",
        "limits": Limits(high=4.0, high_critical=6.6),
        "source": "plc-1",
        "address": f"ns=2;s={asset_id}.{name}",
        "deadband": 0.1,
    }
    return Signal(**{**given, **changes})  # type: ignore[arg-type]


def rule(asset_id: str = "p1", rule_id: str = "vibration-high", **changes: object) -> AlarmRule:
    given: dict[str, object] = {
        "asset_id": asset_id,
        "rule_id": rule_id,
        "signal_key": 0,
        "signal_id": f"{asset_id}.vibration",
        "condition": Condition.ABOVE,
        "threshold": 4.0,
        "priority": Priority.MEDIUM,
        "title": "Vibration high",
    }
    return AlarmRule(**{**given, **changes})  # type: ignore[arg-type]


SOURCE = SourceConfig("plc-1", "opcua", {"endpoint": "opc.tcp://127.0.0.1:4840", "tags": ["a", 1, 2.5, True]})


def plant(*asset_ids: str, names: tuple[str, ...] = ("vibration", "speed")) -> Plant:
    return Plant(
        tuple(asset(a) for a in asset_ids),
        tuple(signal(a, n) for a in asset_ids for n in names),
        (SOURCE,),
        {"acme": "Acme", "acme/pune": "Pune works"},
    )


def rules(*asset_ids: str) -> list[AlarmRule]:
    return [rule(a) for a in asset_ids]
