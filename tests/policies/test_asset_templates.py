"""Templates: names others rely on, limits that follow from ratings, nothing guessed."""

from itertools import pairwise

import pytest

from forewarn.domain.assets import Limits
from forewarn.domain.errors import InvalidInput
from forewarn.policies.asset_templates import RATINGS, TEMPLATES, Ratings, alarm_text
from forewarn.policies.asset_templates.model import FAILURE_MODES, KINDS, AssetTemplate
from forewarn.policies.asset_templates.ratings import Of

FULL: dict[str, str | float | int | bool] = {
    "rated_power_kw": 15.0,
    "rated_speed_rpm": 1480.0,
    "rated_speed_m_s": 2.0,
    "rated_current_a": 28.4,
    "rated_voltage_v": 400.0,
    "rated_flow_m3h": 50.0,
    "rated_head_m": 32.0,
    "rated_dp_pa": 1200.0,
    "suction_pressure_bar": 1.5,
    "max_bearing_temperature_c": 95.0,
    "max_casing_temperature_c": 90.0,
    "max_discharge_temperature_c": 110.0,
    "max_oil_temperature_c": 90.0,
    "max_seal_leakage_ml_h": 6.0,
    "max_filter_dp_bar": 0.8,
    "min_oil_pressure_bar": 1.2,
    "rated_belt_tension_kn": 12.0,
    "insulation_class": "F",
    "iso_class": "II",
    "mounting": "rigid",
    "compressor_type": "screw",
}
EACH = pytest.mark.parametrize("template", TEMPLATES.values(), ids=list(TEMPLATES))


def test_names_the_simulator_and_the_dialect_rely_on() -> None:
    names = {name: " ".join(s.name for s in t.signals) for name, t in TEMPLATES.items()}
    assert names == {
        "centrifugal_pump": "speed flow suction_pressure discharge_pressure bearing_temperature casing_temperature"
        " vibration motor_current motor_power seal_leakage ambient_temperature",
        "induction_motor": "speed current voltage power winding_temperature bearing_temperature vibration",
        "fan": "speed flow dp motor_current bearing_temperature vibration",
        "compressor": "speed suction_pressure discharge_pressure discharge_temperature oil_pressure motor_current"
        " vibration filter_dp flow",
        "conveyor": "speed motor_current belt_tension bearing_temperature vibration",
        "gearbox": "speed oil_temperature oil_pressure vibration",
        "pump_dialect": "Motor_RPM Bearing_Temperature_C Oil_Pressure_bar Vibration_mm_s Flow_Rate_L_min"
        " Suction_Pressure_bar Discharge_Pressure_bar Motor_Current_A Casing_Temperature_C Ambient_Temperature_C",
    }


@EACH
@pytest.mark.parametrize(
    "specifications", [FULL, {"rated_power_kw": 5.0, "iso_class": "I", "compressor_type": "screw"}]
)
def test_limits_are_in_order_and_within_range(
    template: AssetTemplate, specifications: dict[str, str | float | int | bool]
) -> None:
    signals = template.instantiate("m1", specifications)
    assert sum(s.running_above is not None for s in signals) == 1
    for s in signals:
        limits = [
            v for v in (s.limits.low_critical, s.limits.low, s.limits.high, s.limits.high_critical) if v is not None
        ]
        bounds = [s.range_low if s.range_low is not None else -1e9, *limits, s.range_high or 1e9]
        assert all(a < b for a, b in pairwise(bounds)), s
        assert (s.id, s.asset_id, s.key) == (f"m1.{s.name}", "m1", 0)
        assert s.kind in KINDS
        assert s.unit
        assert s.deadband >= 0
        assert alarm_text(template.name, s.name, s.kind, "high").action


@EACH
def test_failure_modes_are_iso_14224_codes(template: AssetTemplate) -> None:
    parts = template.components_for(FULL)
    assert parts
    assert len({p.name for p in parts}) == len(parts)
    assert {mode for p in parts for mode in p.failure_modes} <= set(FAILURE_MODES)


@EACH
def test_without_ratings_there_are_no_limits(template: AssetTemplate) -> None:
    assert all(s.limits == Limits() for s in template.signals_for("m1", {}))
    with pytest.raises(InvalidInput):
        template.instantiate("m1", {})


def test_every_formula_names_a_known_rating() -> None:
    fields = ("low_critical", "low", "high", "high_critical", "deadband", "max_rate_per_s", "running_above")
    for template in TEMPLATES.values():
        for s in template.signals:
            amounts = [getattr(s, f) for f in fields] + list(s.range)
            assert {a.rating for a in amounts if isinstance(a, Of)} <= set(RATINGS), s.name


def test_pump_limits_follow_its_ratings() -> None:
    signals = {s.name: s for s in TEMPLATES["centrifugal_pump"].instantiate("p1", FULL)}
    assert signals["vibration"].limits == Limits(high=5.1, high_critical=8.5)
    assert signals["flow"].limits == Limits(15.0, 25.0, 60.0, 67.5)
    assert signals["bearing_temperature"].limits == Limits(high=85.0, high_critical=95.0)
    assert signals["speed"].running_above == 148.0
    discharge = 1.5 + 32 * 998.2 * 9.80665 / 1e5
    assert signals["discharge_pressure"].limits.low == pytest.approx(0.7 * discharge, rel=5e-3)


def test_ratings_that_follow_from_others() -> None:
    assert Ratings({"insulation_class": "F"}).get("max_winding_temperature_c") == 155.0
    assert Ratings({"rated_head_m": 10}).get("rated_discharge_pressure_bar") is None
    oil = Ratings({"rated_head_m": 10, "suction_pressure_bar": 0.0, "density_kg_m3": 850.0})
    assert oil.get("rated_discharge_pressure_bar") == pytest.approx(0.8335, abs=1e-3)
    assert Ratings({"rated_power_kw": True}).get("rated_power_kw") is None


def test_a_suction_below_zero_gives_no_limit() -> None:
    signals = TEMPLATES["centrifugal_pump"].signals_for("p1", {"suction_pressure_bar": -0.3})
    assert next(s for s in signals if s.name == "suction_pressure").limits == Limits()


def test_a_reciprocating_compressor_is_not_judged_by_a_rotary_table() -> None:
    compressor = TEMPLATES["compressor"]
    with pytest.raises(InvalidInput, match="reciprocating"):
        compressor.vibration_limits({**FULL, "compressor_type": "reciprocating"})
    with pytest.raises(InvalidInput, match="compressor_type is missing"):
        compressor.vibration_limits({"rated_power_kw": 15})
    parts = [c.name for c in compressor.components_for({"compressor_type": "reciprocating"})]
    assert "valves" in parts
    assert "rotor_pair" not in parts


def test_the_most_particular_alarm_text_wins() -> None:
    assert "Cavitation" in alarm_text("centrifugal_pump", "suction_pressure", "pressure", "low").consequence
    assert "Leak" in alarm_text("", "pipe_pressure", "pressure", "low").cause
    assert "dry" in alarm_text("pump_dialect", "Oil_Pressure_bar", "pressure", "low").consequence
    assert alarm_text("", "x", "unheard_of", "high").cause == "The value is above its limit"
    assert alarm_text("", "x", "flow", "silent").action
    with pytest.raises(KeyError):
        alarm_text("", "x", "flow", "sideways")


def test_a_derived_limit_feigns_no_precision() -> None:
    ratings = Ratings({"rated_head_m": 32.7, "suction_pressure_bar": 1.5, "max_oil_temperature_c": 85.25})
    assert Of("rated_discharge_pressure_bar", 0.7).value(ratings) == 3.29
    assert Of("max_oil_temperature_c", offset=-10.0).value(ratings) == 75.25
