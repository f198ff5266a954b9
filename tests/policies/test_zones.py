"""Vibration zones: the tables as published, and what is asked when a class cannot be derived."""

import math

import pytest

from forewarn.domain.assets import Limits
from forewarn.domain.errors import InvalidInput
from forewarn.policies.zones import ZONES, Specifications, Zones, vibration_zones


@pytest.mark.parametrize("zones", ZONES.values(), ids=lambda z: f"{z.standard} {z.machine}")
def test_boundaries_rise_and_take_the_lower_zone(zones: Zones) -> None:
    assert 0.71 <= zones.a_b < zones.b_c < zones.c_d <= 18.0
    for boundary, below, above in ((zones.a_b, "A", "B"), (zones.b_c, "B", "C"), (zones.c_d, "C", "D")):
        assert zones.zone(boundary) == below
        assert zones.zone(math.nextafter(boundary, math.inf)) == above
    assert zones.limits == Limits(high=zones.b_c, high_critical=zones.c_d)


@pytest.mark.parametrize(
    ("standard", "specifications", "wanted"),
    [
        ("10816-7", {"rated_power_kw": 15, "iso_class": "I"}, (2.5, 4.0, 6.6)),
        ("10816-7", {"rated_power_kw": 200, "iso_class": "II"}, (3.2, 5.1, 8.5)),
        ("10816-7", {"rated_power_kw": 200.1, "iso_class": "I"}, (3.5, 5.0, 7.6)),
        ("10816-7", {"rated_power_kw": 500, "iso_class": "II"}, (4.2, 6.1, 9.5)),
        ("20816-3", {"rated_power_kw": 301, "mounting": "rigid"}, (2.3, 4.5, 7.1)),
        ("20816-3", {"rated_power_kw": 301, "mounting": "flexible"}, (3.5, 7.1, 11.0)),
        ("20816-3", {"rated_power_kw": 300, "mounting": "rigid"}, (1.4, 2.8, 4.5)),
        ("20816-3", {"rated_power_kw": 15.1, "mounting": "flexible"}, (2.3, 4.5, 7.1)),
        ("20816-3", {"rated_power_kw": 15}, (0.71, 1.8, 4.5)),
        ("10816-1", {"rated_power_kw": 15}, (0.71, 1.8, 4.5)),
        ("10816-1", {"rated_power_kw": 75}, (1.12, 2.8, 7.1)),
        ("10816-1", {"rated_power_kw": 76, "mounting": "rigid"}, (1.8, 4.5, 11.2)),
        ("10816-1", {"rated_power_kw": 76, "mounting": "flexible"}, (2.8, 7.1, 18.0)),
        ("10816-1", {"iso_class": "III"}, (1.8, 4.5, 11.2)),
        ("10816-7", {"iso_standard": "20816-3", "rated_power_kw": 90, "mounting": "rigid"}, (1.4, 2.8, 4.5)),
    ],
)
def test_class_from_specifications(
    standard: str, specifications: Specifications, wanted: tuple[float, float, float]
) -> None:
    zones = vibration_zones(standard, specifications)
    assert (zones.a_b, zones.b_c, zones.c_d) == wanted


@pytest.mark.parametrize(
    ("standard", "specifications", "field"),
    [
        ("10816-7", {"rated_power_kw": 15}, "iso_class"),
        ("10816-7", {"rated_power_kw": 15, "iso_class": "IV"}, "iso_class"),
        ("10816-7", {"iso_class": "I"}, "rated_power_kw"),
        ("10816-7", {"iso_class": "I", "rated_power_kw": 0.5}, "rated_power_kw"),
        ("20816-3", {}, "rated_power_kw"),
        ("20816-3", {"rated_power_kw": "15"}, "rated_power_kw"),
        ("20816-3", {"rated_power_kw": True}, "rated_power_kw"),
        ("20816-3", {"rated_power_kw": math.nan}, "rated_power_kw"),
        ("20816-3", {"rated_power_kw": 90}, "mounting"),
        ("20816-3", {"rated_power_kw": 90, "mounting": "soft"}, "mounting"),
        ("10816-1", {"rated_power_kw": 90}, "mounting"),
        ("10816-1", {"iso_class": "V"}, "iso_class"),
        ("10816-1", {"iso_standard": "2372"}, "iso_standard"),
    ],
)
def test_nothing_is_guessed(standard: str, specifications: Specifications, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        vibration_zones(standard, specifications)
    assert refused.value.field == field
