"""Conditions of a gateway as findings: which, on which signals, how grave, and what they say."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.assets import Signal
from forewarn.domain.conditions import ConditionCode, GatewayCondition
from forewarn.domain.findings import BY_CONDITION, BY_EDGE, Severity
from forewarn.kit.clock import SECOND
from forewarn.policies.gateway_findings import (
    MOST_ASSETS,
    SCORES,
    Behind,
    comes_of,
    findings_of,
    is_of,
    lasted,
    touches,
)
from forewarn.policies.severity import severity_of

T = 1_767_225_600 * SECOND
REFUSED = GatewayCondition(ConditionCode.UNREACHABLE, "plc", T, T + 30 * SECOND, "connection refused", 7)


def signal(name: str, key: int, source: str | None = "plc", address: str | None = None) -> Signal:
    return Signal(name, name.split(".")[0], name.split(".")[1], "pressure", "bar", key, source=source, address=address)


BEHIND = Behind(
    "gw",
    (
        signal("p1.a", 1, address="holding:1"),
        signal("p1.ab", 2, "gw/plc", "3"),
        signal("p2.a", 3, "its partner/plc"),
        signal("p3.x", 4, "gw/other plc"),
    ),
    ("p9.lost",),
    frozenset({"plc", "mqtt"}),
)


def test_one_an_asset_on_its_first_signal_of_the_source() -> None:
    first, second = findings_of(REFUSED, BEHIND)
    assert (first.signal_key, first.signal_id, first.asset_id) == (1, "p1.a", "p1")
    assert (second.signal_key, second.asset_id) == (3, "p2")
    assert (first.detector, first.anomaly_type, first.detected_by) == (BY_CONDITION, "unreachable", BY_EDGE)
    assert (first.started_at, first.last_at, first.ended_at, first.count) == (T, T + 30 * SECOND, None, 7)
    assert (first.severity, first.score, first.expected) == (Severity.MEDIUM, 0.7, None)
    assert math.isnan(first.value)
    assert first.reason == (
        "gateway gw, source plc: connection refused (concerns 3 signals of 2 machines). "
        "Check its power, its cable and network, and the address in its settings."
    )
    assert findings_of(REFUSED, BEHIND, T + 60 * SECOND)[0].ended_at == T + 60 * SECOND


@pytest.mark.parametrize(("subject", "origin"), [("", "gateway gw: "), ("scada", "gateway gw, output scada: ")])
def test_the_gateway_itself_and_its_outputs_concern_all(subject: str, origin: str) -> None:
    found = findings_of(replace(REFUSED, code=ConditionCode.FAILED, subject=subject), BEHIND)
    assert [f.signal_id for f in found] == ["p1.a", "p2.a", "p3.x"]
    assert all(f.reason.startswith(origin) and "4 signals of 3 machines" in f.reason for f in found)


@pytest.mark.parametrize(
    ("text", "signals"),
    [
        ("signal 'p1.ab': what it holds is no number", ["p1.ab"]),
        ("p1.a: 'x' is no number", ["p1.a"]),
        ("the device says so of p1.a.", ["p1.a"]),
        ("signal 'p2.a': BadNodeIdUnknown; signal 'p1.ab': BadNodeIdUnknown", ["p1.ab", "p2.a"]),
        ("what 'holding:1' holds is no number", ["p1.a"]),
        ("what '3' holds is no number", ["p1.ab"]),
        ("3 readings are null", ["p1.a", "p2.a"]),
        ("up1.a and p1.abc and p1.a.b", ["p1.a", "p2.a"]),
        ("The site's plant has no p9.lost: apply this gateway's file there", ["p1.a"]),
    ],
)
def test_a_text_that_names_a_signal_concerns_that_one(text: str, signals: list[str]) -> None:
    told = replace(REFUSED, code=ConditionCode.WRONG_TYPE, text=text)
    assert [f.signal_id for f in findings_of(told, BEHIND)] == signals
    # Of a state that is the whole source's, a name in the text says nothing.
    assert [f.signal_id for f in findings_of(replace(told, code=ConditionCode.SILENT), BEHIND)] == ["p1.a", "p2.a"]


def test_what_does_not_touch_the_readings_is_no_finding() -> None:
    waiting = {"site_unreachable", "site_refuses", "standby_alone", "thinned_early", "failed_over"}
    assert {code.value for code in ConditionCode if not touches(replace(REFUSED, code=code))} == waiting
    assert all(findings_of(replace(REFUSED, code=ConditionCode(code)), BEHIND) == [] for code in waiting)


def test_a_flap_has_not_lasted() -> None:
    assert not lasted(REFUSED, T + 10 * SECOND - 1)
    assert lasted(REFUSED, T + 10 * SECOND)


def test_every_score_is_over_the_limit_and_says_its_severity() -> None:
    assert all(0.5 <= score <= 1.0 for score in SCORES.values())
    graves = {code for code, score in SCORES.items() if severity_of(score) is Severity.HIGH}
    assert {code.value for code in graves} == {"disk_full", "disk_read_only", "buffer_full", "buffer_damaged"}


plants = st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["plc", "mqtt", None])), max_size=80)


@given(
    plants,
    st.sampled_from(ConditionCode),
    st.sampled_from(["", "plc", "scada"]),
    st.text(max_size=1_000),
    st.none() | st.integers(0, 2 * T),
)
def test_any_condition_of_any_plant(
    made: list[tuple[int, str | None]], code: ConditionCode, subject: str, text: str, ended_at: int | None
) -> None:
    signals = [signal(f"m{asset}.s{i}", i, source) for i, (asset, source) in enumerate(made, 1)]
    condition = GatewayCondition(code, subject, T, T - 5, text, 3)
    found = findings_of(condition, Behind("gw", signals, (), frozenset({"plc"})), ended_at)
    assert len(found) <= MOST_ASSETS
    assert len({f.asset_id for f in found}) == len(found)
    order = [s.id for s in signals]
    assert sorted(found, key=lambda f: order.index(f.signal_id)) == found
    assert bool(found) == (bool(signals) and touches(condition))
    for f in found:
        assert f.started_at <= f.last_at <= (f.ended_at or f.last_at)
        assert len(f.reason) < 800
        assert f.reason.isprintable()
        assert is_of(f, "gw")
        assert comes_of(f, "gw", code, subject)


def test_more_machines_than_are_told_of_are_counted() -> None:
    signals = [signal(f"m{i}.s", i + 1) for i in range(25)]
    found = findings_of(REFUSED, replace(BEHIND, signals=signals))
    assert [f.asset_id for f in found] == [f"m{i}" for i in range(20)]
    assert "25 signals of 25 machines; 5 of them are not told of one by one" in found[0].reason


def test_whose_finding_it_is() -> None:
    (found, *_) = findings_of(REFUSED, BEHIND)
    assert is_of(found, "gw")
    assert not is_of(found, "g")
    assert not is_of(replace(found, detector="robust_z"), "gw")
    assert comes_of(found, "gw", ConditionCode.UNREACHABLE, "plc")
    assert not comes_of(found, "gw", ConditionCode.UNREACHABLE, "")
    assert not comes_of(found, "gw", ConditionCode.SILENT, "plc")
