"""The equations against the laws they come from."""

import numpy as np
import pytest

from forewarn.simulator import electrical, hydraulics, thermal, vibration
from forewarn.simulator.compressor import discharge_kelvin, isentropic_power
from forewarn.simulator.demo_plant import DEMO_MACHINES
from forewarn.simulator.lag import Lags
from forewarn.simulator.machines import Drive, PumpRatings, Rotor
from forewarn.simulator.model import Conditions
from forewarn.simulator.pump import Pump
from forewarn.simulator.quantities import water_vapour_pressure_bar

RATIOS = np.array([0.5, 0.7, 0.85, 1.0])


def _pump(static: float = 0.0, ratio: float = 1.0, **severity: float) -> dict[str, float]:
    ratings = PumpRatings(90.0, 48.0, 0.78, Drive(18.5), Rotor(), static=static)
    one = np.full((1, 1), 1.0)
    faults = {name: one * s for name, s in severity.items()}
    conditions = Conditions(one * ratio, one, one * 0.9, one * 27.0, one, Lags(), faults)
    return {name: float(v[0, 0]) for name, v in Pump([ratings]).evaluate(conditions).values.items()}


def test_affinity_laws_hold_exactly_without_static_head() -> None:
    shutoff, steepness, friction = 58.0, 1.3e-3, 5.9e-3
    flow = hydraulics.operating_flow(RATIOS, shutoff, steepness, 0.0, friction)
    lift = np.asarray(hydraulics.head(flow, RATIOS, shutoff, steepness))
    power = hydraulics.shaft_power(flow, lift, RATIOS, 90.0, 0.78)
    np.testing.assert_allclose(flow / flow[-1], RATIOS, rtol=1e-12)
    np.testing.assert_allclose(lift / lift[-1], RATIOS**2, rtol=1e-12)
    np.testing.assert_allclose(power / power[-1], RATIOS**3, rtol=1e-12)


def test_the_operating_point_lies_on_both_curves() -> None:
    flow = hydraulics.operating_flow(RATIOS, 58.0, 1.3e-3, 8.0, 4.9e-3)
    np.testing.assert_allclose(hydraulics.head(flow, RATIOS, 58.0, 1.3e-3), 8.0 + 4.9e-3 * flow**2, rtol=1e-12)


def test_a_pump_too_slow_for_the_static_head_delivers_nothing() -> None:
    assert hydraulics.operating_flow(np.array([0.3]), 58.0, 1.3e-3, 20.0, 4e-3)[0] == 0.0


def test_rated_point_is_what_the_nameplate_says() -> None:
    point = _pump(static=0.4)
    assert point["flow"] == pytest.approx(90.0, rel=0.01)
    lift = (point["discharge_pressure"] - point["suction_pressure"]) * 1e5 / (998.2 * 9.80665)
    assert lift == pytest.approx(48.0, rel=0.01)


def test_energy_balance_hydraulic_power_over_efficiency_is_shaft_power() -> None:
    flow = hydraulics.operating_flow(RATIOS, 58.0, 1.3e-3, 8.0, 4.9e-3)
    lift = np.asarray(hydraulics.head(flow, RATIOS, 58.0, 1.3e-3))
    eta = hydraulics.efficiency(flow, RATIOS, 90.0, 0.78)
    shaft = hydraulics.shaft_power(flow, lift, RATIOS, 90.0, 0.78)
    np.testing.assert_allclose(hydraulics.hydraulic_power(flow, lift), shaft * eta, rtol=1e-12)
    assert pytest.approx(hydraulics.hydraulic_power(90.0, 48.0)) == 998.2 * 9.80665 * 90.0 * 48.0 / 3.6e6


def test_motor_losses_are_the_nameplate_losses_at_rated_load() -> None:
    power_in = electrical.input_power(45.0, 45.0, 0.942, 1.0)
    assert power_in == pytest.approx(45.0 / 0.942)
    amps = float(electrical.current(power_in, 400.0, 45.0, 0.942, 1.0))
    assert amps == pytest.approx(float(electrical.rated_current(45.0, 0.942, 400.0)))
    assert power_in * 1e3 / (3**0.5 * 400.0 * amps) == pytest.approx((1 - 0.35**2) ** 0.5)  # power factor


def test_power_factor_falls_at_low_load_and_slip_rises_when_voltage_sags() -> None:
    def factor(shaft: float) -> float:
        power_in = electrical.input_power(shaft, 45.0, 0.942, 1.0)
        return float(power_in * 1e3 / (3**0.5 * 400 * electrical.current(power_in, 400.0, 45.0, 0.942, 1.0)))

    assert factor(10.0) < factor(25.0) < factor(45.0)
    assert electrical.slip(1.0, 0.016, 0.9) == pytest.approx(0.016 / 0.81)


def test_vapour_pressure_at_known_points() -> None:
    assert water_vapour_pressure_bar(100.0) == pytest.approx(1.01325, rel=0.002)
    assert water_vapour_pressure_bar(20.0) == pytest.approx(0.02339, rel=0.01)


def test_npsh_available_of_an_open_tank_is_about_ten_metres() -> None:
    assert hydraulics.npsh_available(0.0, 0.0, 0.01, 20.0) == pytest.approx(10.11, abs=0.03)


def test_head_loss_at_npsh3_is_three_percent_by_definition() -> None:
    assert float(hydraulics.cavitation_head_loss(4.0, 4.0)) == pytest.approx(0.03)
    assert float(hydraulics.cavitation_head_loss(12.0, 4.0)) < 1e-6
    assert float(hydraulics.cavitation_head_loss(0.0, 4.0)) == pytest.approx(0.6)


def test_cavitation_comes_from_npsh_and_costs_head_flow_and_calm() -> None:
    healthy, cavitating = _pump(static=0.4), _pump(static=0.4, cavitation=0.9)
    assert cavitating["suction_pressure"] < 0.0 < healthy["suction_pressure"]
    assert cavitating["flow"] < 0.95 * healthy["flow"]
    assert cavitating["discharge_pressure"] < healthy["discharge_pressure"] - 1.0
    assert cavitating["vibration"] > 5.1


def test_a_blocked_strainer_can_make_the_pump_cavitate_only_by_its_npsh() -> None:
    healthy, blocked = _pump(static=0.4), _pump(static=0.4, clogged_filter=1.0)
    assert blocked["suction_pressure"] < healthy["suction_pressure"] - 0.8
    assert blocked["vibration"] == pytest.approx(healthy["vibration"], rel=0.1)  # 10 m NPSHa are left


def test_seal_leakage_grows_with_the_cube_of_the_gap() -> None:
    assert _pump(seal_leak=1.0)["seal_leakage"] / _pump()["seal_leakage"] == pytest.approx(3.6**3)


def test_imbalance_goes_with_speed_squared() -> None:
    assert vibration.imbalance(1.0, 0.5, 0.4) == pytest.approx(0.25 * float(vibration.imbalance(1.0, 1.0, 0.4)))
    assert vibration.overall(3.0, 4.0) == pytest.approx(5.0)


def test_steady_bearing_temperature_is_ambient_plus_rise() -> None:
    assert thermal.bearing_steady(27.0, 24.0, 1.0, 1.0, 0.0) == pytest.approx(51.0)
    assert thermal.bearing_steady(27.0, 24.0, 0.0, 0.0, 1.0) == pytest.approx(27.0)
    assert thermal.winding_steady(27.0, 62.0, 1.0, 1.0) == pytest.approx(89.0)


def test_polytropic_temperature_and_isentropic_power() -> None:
    assert discharge_kelvin(300.0, 8.0, 1.4) == pytest.approx(300.0 * 8.0 ** (0.4 / 1.4))
    assert discharge_kelvin(300.0, 8.0, 1.0) == pytest.approx(300.0)
    # 10 m3/min of free air to 8 bar absolute takes about 47 kW without losses.
    assert isentropic_power(1.01325, 600.0, 8.0 / 1.01325) == pytest.approx(47.5, rel=0.02)


@pytest.mark.parametrize("demo", [d for d in DEMO_MACHINES if isinstance(d.machine.ratings, PumpRatings)])
def test_demo_pumps_turn_55_to_80_percent_of_the_electricity_into_lift(demo: object) -> None:
    r = demo.machine.ratings  # type: ignore[attr-defined]
    hydraulic = float(hydraulics.hydraulic_power(r.flow, r.head))
    shaft = hydraulic / float(r.best_efficiency) + 0.01 * float(r.drive.power)
    assert 0.7 * r.drive.power < shaft <= r.drive.power
    assert 0.55 <= hydraulic / float(electrical.input_power(shaft, r.drive.power, r.drive.efficiency, 1.0)) <= 0.80
