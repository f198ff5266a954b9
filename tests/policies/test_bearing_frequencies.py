"""Bearing frequencies against figures that others published for the same bearings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.errors import ConfigurationError, InvalidInput
from forewarn.policies.bearing_frequencies import BearingGeometry, Specifications, bearing_geometry
from forewarn.policies.plant_file import parse_plant


def test_the_6205_of_the_case_western_test_bed() -> None:
    """Its page states 3.5848, 5.4152, 4.7135 (a ball's damage meets a race twice a turn) and 0.39828 of shaft speed."""
    orders = BearingGeometry(9, 1.537 * 25.4, 0.3126 * 25.4).orders
    assert orders.outer == pytest.approx(3.5848, abs=2e-3)
    assert orders.inner == pytest.approx(5.4152, abs=2e-3)
    assert 2 * orders.spin == pytest.approx(4.7135, abs=2e-3)
    assert orders.cage == pytest.approx(0.39828, abs=2e-4)


def test_the_roller_bearing_of_the_ims_test_bed_at_2000_rpm() -> None:
    """Rexnord ZA-2115: BPFO 236.4, BPFI 296.9, BSF 139.9, FTF 14.78 Hz (Qiu et al., J. Sound Vib. 289, 2006)."""
    orders, hertz = BearingGeometry(16, 71.5, 8.4, 15.17).orders, 2000 / 60
    assert orders.outer * hertz == pytest.approx(236.4, abs=0.3)
    assert orders.inner * hertz == pytest.approx(296.9, abs=0.3)
    assert orders.spin * hertz == pytest.approx(139.9, abs=0.3)
    assert orders.cage * hertz == pytest.approx(14.78, abs=0.03)


@given(balls=st.integers(3, 30), pitch=st.floats(20, 500), share=st.floats(0.01, 0.99), angle=st.floats(0, 60))
def test_the_frequencies_keep_their_relations(balls: int, pitch: float, share: float, angle: float) -> None:
    """Balls pass both races at BPFO + BPFI = balls x shaft speed in all; the cage turns at less than half of it."""
    orders = BearingGeometry(balls, pitch, pitch * share * 3.1 / balls if balls > 3 else pitch * share, angle).orders
    assert orders.outer + orders.inner == pytest.approx(balls)
    assert orders.outer == pytest.approx(balls * orders.cage)
    assert 0 < orders.cage < 0.5 < orders.inner / balls


def test_a_nameplate_without_a_bearing_is_no_mistake_and_half_a_bearing_is() -> None:
    assert bearing_geometry({"rated_power_kw": 15}) is None
    given = {"bearing_balls": 9, "bearing_pitch_mm": 39.04, "bearing_ball_mm": 7.94}
    assert bearing_geometry(given) == BearingGeometry(9, 39.04, 7.94, 0.0)
    assert bearing_geometry({**given, "bearing_contact_deg": 15}) == BearingGeometry(9, 39.04, 7.94, 15.0)
    for wrong, field in (
        ({"bearing_balls": None}, "bearing_balls"),
        ({"bearing_balls": 8.5}, "bearing_balls"),
        ({"bearing_balls": True}, "bearing_balls"),
        ({"bearing_balls": 40}, "bearing_balls"),
        ({"bearing_ball_mm": 40.0}, "bearing_ball_mm"),
        ({"bearing_ball_mm": "7.94"}, "bearing_ball_mm"),
        ({"bearing_pitch_mm": float("nan")}, "bearing_pitch_mm"),
        ({"bearing_contact_deg": 90}, "bearing_contact_deg"),
    ):
        spoilt: Specifications = {k: v for k, v in {**given, **wrong}.items() if v is not None}
        with pytest.raises(InvalidInput) as error:
            bearing_geometry(spoilt)
        assert error.value.field == field


def test_half_a_bearing_in_a_plant_file_is_told_with_its_line() -> None:
    plant = """
[[asset]]
id = "m"
path = "e/s/a/l"
[asset.specifications]
bearing_balls = 9
bearing_pitch_mm = 39.04
bearing_ball_mm = 79.4
[asset.signals.vib]
kind = "vibration_acceleration"
unit = "g"
"""
    with pytest.raises(ConfigurationError, match=r":8: bearing_ball_mm is 79\.4"):
        parse_plant(plant, "plant.toml")
    assert parse_plant(plant.replace("79.4", "7.94"), "plant.toml").assets[0].specifications["bearing_balls"] == 9
