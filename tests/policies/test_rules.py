"""Default rules and what a plant file changes about them."""

import pytest

from forewarn.domain.alarms import AlarmOverride, AlarmRule, Condition, Priority
from forewarn.domain.assets import Asset, AssetStatus, Limits, Plant, Signal
from forewarn.domain.errors import ConfigurationError
from forewarn.policies.rules import default_rules

PATH = ("e", "s", "a", "l")
PUMP = Asset("p1", "Pump 1", PATH, "centrifugal_pump")
SPEED = Signal("p1.speed", "p1", "speed", "speed", "rpm", running_above=100.0)
VIBRATION = Signal(
    "p1.vibration", "p1", "vibration", "vibration_velocity", "mm/s", limits=Limits(high=7.1, high_critical=11.0)
)
PRESSURE = Signal(
    "p1.pressure", "p1", "pressure", "pressure", "bar", limits=Limits(1.0, 2.0), flatline_s=600.0, deadband=0.25
)


def rules(*overrides: AlarmOverride) -> list[AlarmRule]:
    return default_rules(Plant((PUMP,), (SPEED, VIBRATION, PRESSURE), alarm_overrides=overrides))


def test_every_limit_becomes_a_rule_that_reads_well() -> None:
    made = {r.rule_id: r for r in default_rules(Plant((PUMP,), (SPEED, VIBRATION, PRESSURE)))}
    assert set(made) == {
        "speed.unusual",
        "speed.silent",
        "vibration.high",
        "vibration.high_critical",
        "vibration.unusual",
        "vibration.silent",
        "pressure.low",
        "pressure.low_critical",
        "pressure.unusual",
        "pressure.silent",
        "silent",
    }
    high, low = made["vibration.high"], made["pressure.low_critical"]
    assert high.title == "Vibration high: over 7.1 mm/s"
    assert (high.condition, high.priority, high.only_running) == (Condition.ABOVE, Priority.MEDIUM, False)
    assert high.on_delay_s > 0
    assert high.deadband == pytest.approx(0.142)
    assert "bearing" in high.cause
    assert (low.condition, low.priority, low.only_running, low.deadband) == (
        Condition.BELOW,
        Priority.HIGH,
        True,
        0.25,
    )
    assert made["vibration.unusual"].priority is Priority.ADVISORY
    assert (made["silent"].signal_id, made["silent"].threshold) == ("", 30.0)
    assert (made["pressure.silent"].threshold, made["pressure.silent"].only_running) == (600.0, True)


def test_a_vital_asset_is_a_step_more_urgent_and_a_retired_one_has_no_rules() -> None:
    vital = Asset("p1", "Pump 1", PATH, specifications={"criticality": "A"})
    made = {r.rule_id: r for r in default_rules(Plant((vital,), (VIBRATION,)))}
    assert (made["vibration.high"].priority, made["vibration.high_critical"].priority) == (
        Priority.HIGH,
        Priority.CRITICAL,
    )
    gone = Asset("p1", "Pump 1", PATH, status=AssetStatus.RETIRED)
    assert default_rules(Plant((gone,), (VIBRATION,))) == []


def test_the_plant_file_changes_drops_and_adds() -> None:
    plant = Plant(
        (PUMP,),
        (SPEED, VIBRATION, PRESSURE),
        alarm_overrides=(
            AlarmOverride("p1", "vibration.high", threshold=5.0, latching=True),
            AlarmOverride("p1", "pressure.low", enabled=False),
            AlarmOverride("p1", "over", signal_id="p1.pressure", condition=Condition.ABOVE, threshold=9.0),
        ),
    )
    made = {r.rule_id: r for r in default_rules(plant)}
    assert (made["vibration.high"].threshold, made["vibration.high"].latching) == (5.0, True)
    assert made["vibration.high"].title == "Vibration high: over 5 mm/s"
    assert made["over"].title == "Over: over 9 bar"
    assert "pressure.low" not in made
    assert (made["over"].signal_id, made["over"].threshold) == ("p1.pressure", 9.0)
    with pytest.raises(ConfigurationError, match=r"p1/vibration\.hihg is no default rule"):
        rules(AlarmOverride("p1", "vibration.hihg", threshold=5.0))
