"""Fault hypotheses: textbook cases get their name, and what must not matter does not."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.policies.asset_templates import TEMPLATES
from forewarn.policies.asset_templates.model import KINDS
from forewarn.policies.fault_signatures import Deviations, RankedFault, ranked_faults
from forewarn.policies.fault_table import FAULTS, Sign
from forewarn.policies.signal_roles import ROLES, role_of

PUMP = [(s.name, s.kind) for s in TEMPLATES["centrifugal_pump"].signals]


def seen(
    signals: list[tuple[str, str]],
    level: Mapping[str, float] = MappingProxyType({}),
    *,
    running: bool = True,
    restless: dict[str, float] | None = None,
    missing: dict[str, float] | None = None,
    share: dict[str, float] | None = None,
) -> Deviations:
    """level: by signal name, in sigmas; 0 where not given."""
    names = [n for n, _ in signals]
    return Deviations(
        names,
        [k for _, k in signals],
        np.array([level.get(n, 0.0) for n in names]),
        np.array([share.get(n, 0.0) if share else np.nan for n in names]),
        np.array([(restless or {}).get(n, 1.0) for n in names]),
        np.array([(missing or {}).get(n, 0.0) for n in names]),
        running,
    )


def best(template: str, given_: Deviations) -> RankedFault:
    return ranked_faults(template, given_)[0]


def test_textbook_cases_of_a_pump() -> None:
    cavitation = seen(
        PUMP,
        {"suction_pressure": -30, "discharge_pressure": -12, "flow": -9, "vibration": 25},
        restless={"flow": 6.0, "discharge_pressure": 5.0},
    )
    first = best("centrifugal_pump", cavitation)
    assert first.fault == "cavitation"
    assert 0.8 < first.score <= 1.0
    told = first.told()
    for words in ("suction pressure low", "flow low", "flow unsteady", "vibration high"):
        assert words in told.speaks_for
    cases: tuple[tuple[str, dict[str, float]], ...] = (
        ("clogged_filter", {"suction_pressure": -30.0, "flow": -10.0, "discharge_pressure": -6.0}),
        ("impeller_wear", {"discharge_pressure": -30.0, "flow": -20.0, "vibration": 4.0}),
        ("seal_leak", {"seal_leakage": 40.0}),
        ("bearing_wear", {"vibration": 20.0, "bearing_temperature": 15.0}),
        ("imbalance", {"vibration": 20.0}),
        ("blocked_discharge", {"discharge_pressure": 8.0, "flow": -30.0, "motor_current": -12.0, "motor_power": -12.0}),
        ("sensor_drift", {"bearing_temperature": 20.0}),
    )
    for name, levels in cases:
        assert best("centrifugal_pump", seen(PUMP, levels)).fault == name


def test_what_is_missing_or_not_part_of_it_speaks_against() -> None:
    vibration = ranked_faults("centrifugal_pump", seen(PUMP, {"vibration": 20}))
    bearing = next(h for h in vibration if h.fault == "bearing_wear").told()
    assert bearing.speaks_for == "vibration high"
    assert "bearing temperature normal" in bearing.speaks_against
    both = ranked_faults("centrifugal_pump", seen(PUMP, {"vibration": 20, "bearing_temperature": 5}))
    imbalance = next(h for h in both if h.fault == "imbalance").told()
    assert "bearing temperature high, which is not part of it" in imbalance.speaks_against
    lone = next(h for h in both if h.fault == "imbalance").score
    assert lone < vibration[0].score


def test_nothing_unusual_has_no_hypothesis_and_neither_has_what_fits_nothing() -> None:
    assert ranked_faults("centrifugal_pump", seen(PUMP)) == ()
    assert ranked_faults("centrifugal_pump", seen(PUMP, {"vibration": 1.9, "flow": -1.9})) == ()
    odd = seen(
        PUMP,
        {
            "vibration": -30,
            "suction_pressure": 30,
            "seal_leakage": -30,
            "motor_current": 30,
            "bearing_temperature": -30,
        },
    )
    assert ranked_faults("centrifugal_pump", odd) == ()
    assert ranked_faults("centrifugal_pump", seen([])) == ()
    assert ranked_faults("centrifugal_pump", seen(PUMP, {"vibration": 50}, running=False)) == ()


def test_broken_sensors_go_before_the_machine() -> None:
    stuck = best("centrifugal_pump", seen(PUMP, {"flow": -20}, restless={"flow": 0.0}))
    assert (stuck.fault, stuck.signal) == ("sensor_stuck", "flow")
    gone = best("centrifugal_pump", seen(PUMP, missing={"flow": 0.6}))
    assert (gone.fault, gone.signal, gone.score) == ("sensor_dropout", "flow", 1.0)
    assert "60% of the readings of flow are bad or missing" in gone.told().speaks_for
    everything = {n: 1.0 for n, _ in PUMP}
    assert ranked_faults("centrifugal_pump", seen(PUMP, missing=everything)) == ()
    assert ranked_faults("centrifugal_pump", seen(PUMP, restless={n: 0.0 for n, _ in PUMP})) == ()


def test_the_models_blame_tips_the_balance() -> None:
    levels = {"vibration": 8.0, "bearing_temperature": 8.0}
    neutral = ranked_faults("centrifugal_pump", seen(PUMP, levels))
    tipped = ranked_faults("centrifugal_pump", seen(PUMP, levels, share={"vibration": 1.0}))

    def score(found: tuple[RankedFault, ...], fault: str) -> float:
        return next((f.score for f in found if f.fault == fault), 0.0)

    assert score(tipped, "imbalance") > score(neutral, "imbalance")


def test_lines_of_shaft_speed_tell_imbalance_from_misalignment() -> None:
    signals = [
        ("vibration", "vibration_velocity"),
        ("vibration_1x", "vibration_velocity"),
        ("vibration_2x", "vibration_velocity"),
        ("bearing_temperature", "temperature"),
    ]
    assert best("fan", seen(signals, {"vibration": 20, "vibration_1x": 25})).fault == "imbalance"
    assert best("fan", seen(signals, {"vibration": 20, "vibration_2x": 25})).fault == "misalignment"


EXAMPLE = {
    "vibration": "vibration_velocity",
    "vibration_1x": "vibration_velocity",
    "vibration_2x": "vibration_velocity",
    "filter_dp": "differential_pressure",
    "pressure_rise": "differential_pressure",
    "leakage": "leakage",
    "tension": "force",
}


@pytest.mark.parametrize("template", sorted(FAULTS))
def test_every_fault_is_first_where_all_its_symptoms_are_measured_and_seen(template: str) -> None:
    assert template in TEMPLATES or template == ""
    roles = sorted({s.role for fault in FAULTS[template] for s in fault.symptoms})
    assert set(roles) <= ROLES
    signals = [(role, EXAMPLE.get(role, role.rsplit("_", 1)[-1])) for role in roles]
    assert [role_of(*signal) for signal in signals] == roles
    for fault in FAULTS[template]:
        assert all(s.weight in (1, 2, 3) for s in fault.symptoms)
        sigmas = {Sign.UP: 1.0, Sign.DOWN: -1.0}
        levels = {s.role: 5.0 * s.weight * sigmas[s.sign] for s in fault.symptoms if s.sign in sigmas}
        restless = {s.role: 5.0 for s in fault.symptoms if s.sign is Sign.UNSTEADY}
        first = best(template, seen(signals, levels, restless=restless))
        assert first.fault == fault.name
        assert first.score > 0.9
        assert not first.told().speaks_against


def test_roles_are_read_from_names_of_every_style() -> None:
    for name, kind, role in (
        ("Discharge_Pressure_bar", "pressure", "discharge_pressure"),
        ("dischargePressure", "pressure", "discharge_pressure"),
        ("P_SUCTION", "pressure", "suction_pressure"),
        ("oil_discharge", "pressure", "oil_pressure"),
        ("pressure", "pressure", ""),
        ("Bearing_Temperature_C", "temperature", "bearing_temperature"),
        ("ambient_temperature", "temperature", ""),
        ("filter_dp", "differential_pressure", "filter_dp"),
        ("dp", "differential_pressure", "pressure_rise"),
        ("vibration_1x", "vibration_velocity", "vibration_1x"),
        ("axial", "vibration_acceleration", "vibration"),
        ("flow", "other", ""),
    ):
        assert role_of(name, kind) == role, name


NUMBER = st.one_of(st.floats(-1e9, 1e9), st.just(float("nan")), st.sampled_from([0.0, 3.0, -8.0, 40.0]))
SHARE = st.one_of(st.floats(0, 1), st.just(float("nan")))
NAMES = st.sampled_from(["flow", "suction", "discharge", "oil", "bearing", "casing", "x", "filter_dp", "dp", "v_2x"])
ONE = st.tuples(NAMES, st.sampled_from(KINDS), NUMBER, SHARE, st.floats(0, 50), SHARE)
SIGNALS = st.lists(ONE, max_size=10, unique_by=lambda row: row[0])  # a machine has no two signals of one name


def built(rows: list[tuple[str, str, float, float, float, float]], running: bool = True) -> Deviations:
    level, share, restless, missing = (np.array([r[i] for r in rows], np.float64) for i in (2, 3, 4, 5))
    return Deviations([r[0] for r in rows], [r[1] for r in rows], level, share, restless, missing, running)


def told(found: tuple[RankedFault, ...]) -> list[tuple[str, str, float, list[str]]]:
    return [(f.fault, f.signal, round(f.score, 9), sorted(p.what for p in f.points)) for f in found]


@given(rows=SIGNALS, template=st.sampled_from(sorted(FAULTS)), running=st.booleans())
def test_scores_are_from_0_to_1_without_nan_and_best_first(
    rows: list[tuple[str, str, float, float, float, float]], template: str, running: bool
) -> None:
    found = ranked_faults(template, built(rows, running))
    scores = [f.score for f in found]
    assert len(found) <= 3
    assert all(0.5 <= s <= 1.0 for s in scores)
    assert scores == sorted(scores, reverse=True)
    assert all(np.isfinite(p.weight) and "nan" not in p.what for f in found for p in f.points)


@given(rows=SIGNALS, template=st.sampled_from(sorted(FAULTS)), data=st.data())
def test_the_order_of_signals_changes_nothing(
    rows: list[tuple[str, str, float, float, float, float]], template: str, data: st.DataObject
) -> None:
    mixed = data.draw(st.permutations(rows))
    assert told(ranked_faults(template, built(rows))) == told(ranked_faults(template, built(mixed)))


@given(rows=SIGNALS, template=st.sampled_from(sorted(FAULTS)), level=NUMBER)
def test_unknown_kinds_are_ignored(
    rows: list[tuple[str, str, float, float, float, float]], template: str, level: float
) -> None:
    """Blame and restlessness left out: both are compared among all signals."""
    plain = [(n, k, z, float("nan"), 1.0, 0.0) for n, k, z, *_ in rows]
    more = [*plain, ("mystery", "a kind from elsewhere", level, float("nan"), 1.0, 0.0)]
    assert told(ranked_faults(template, built(plain))) == told(ranked_faults(template, built(more)))
