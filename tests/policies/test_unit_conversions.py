"""Which conversions are looked for, and which a fault could be taken for."""

from itertools import pairwise

import pytest

from forewarn.policies.unit_conversions import CLEAR_FACTOR, LEAST_FACTOR, Conversion, conversions


@pytest.mark.parametrize(
    ("unit", "other", "factor"),
    [
        ("bar", "psi", 14.504),
        ("bar", "kPa", 100.0),
        ("psi", "bar", 0.068948),
        ("rpm", "Hz", 1 / 60),
        ("mm/s", "in/s", 1 / 25.4),
        ("m3/h", "L/min", 16.667),
        ("l/min", "m3/h", 0.06),
        ("%", "1", 0.01),
        ("A", "mA", 1000.0),
    ],
)
def test_units_of_one_kind_are_known(unit: str, other: str, factor: float) -> None:
    found = {c.unit: c.factor for c in conversions(unit, "")}
    assert found[other] == pytest.approx(factor, rel=1e-4)


@pytest.mark.parametrize("unit", ["bar", "psi", "rpm", "mm/s", "m/s2", "furlong", "", "A", "%", "mm"])
def test_nothing_that_a_fault_does_at_once_is_a_unit(unit: str) -> None:
    for kind in ("pressure", "vibration_velocity"):
        for c in conversions(unit, kind):
            assert max(c.factor, 1 / c.factor) >= LEAST_FACTOR
            assert not (kind.startswith("vibration") and 1 < c.factor < CLEAR_FACTOR)


@pytest.mark.parametrize("unit", ["bar", "furlong", ""])
def test_a_thousand_is_a_unit_everywhere(unit: str) -> None:
    factors = [c.factor for c in conversions(unit, "")]
    for wanted in (1e3, 1e-3, 1e6, 1e-6, 100.0):
        assert any(f == pytest.approx(wanted, rel=1e-3) for f in factors)
    logs = sorted(factors)
    assert all(b > 1.005 * a for a, b in pairwise(logs))  # each once


def test_a_hundredth_is_one_where_the_unit_has_one() -> None:
    assert not [c for c in conversions("m3/h", "flow") if 0.005 < c.factor < 0.015]
    assert [c for c in conversions("kPa", "pressure") if c.factor == pytest.approx(0.01)]


def test_temperatures_change_by_an_offset() -> None:
    found = {c.unit: c for c in conversions("°C", "temperature")}
    assert set(found) == {"K", "degF"}
    assert found["K"].factor * 60 + found["K"].offset == pytest.approx(333.15)
    assert found["degF"].factor * 60 + found["degF"].offset == pytest.approx(140.0)
    (kelvin,) = [c for c in conversions("degF", "temperature") if c.unit == "K"]
    assert kelvin.factor * 140 + kelvin.offset == pytest.approx(333.15)


def test_it_is_told_in_words() -> None:
    assert Conversion(1000.0).words == "1,000 times too much"
    assert Conversion(14.5038, unit="psi").words == "14.5 times too much"
    assert Conversion(0.001).words == "a 1,000th of it"
