"""Which past findings look like one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.evidence import Contribution, Evidence
from forewarn.domain.findings import Finding, Severity
from forewarn.policies.similar_episodes import most_alike, similarity

NAMES = ("flow", "pressure", "temperature", "vibration")
parts = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(st.floats(0.0, 1.0), st.none() | st.floats(-9.0, 9.0), st.none() | st.floats(-9.0, 9.0)),
)


def finding(shares: dict[str, float], asset: str = "p1", at: int = 100) -> Finding:
    """A share below 0: less was measured than expected."""
    told = [Contribution(f"{asset}.{n}", abs(s), 50.0 + (1 if s > 0 else -1), 50.0, "u") for n, s in shares.items()]
    return plain(asset, at, tuple(told))


def plain(asset: str, at: int, contributions: tuple[Contribution, ...]) -> Finding:
    evidence = Evidence(2.0, 1.2, 0, 1, 0, 1, contributions=contributions)
    return Finding(
        1, f"{asset}.flow", asset, "ensemble", "", Severity.LOW, 0.6, 1.0, None, "", at, at, evidence=evidence
    )


def drawn(asset: str, given_parts: dict[str, tuple[float, float | None, float | None]]) -> Finding:
    return plain(asset, 1, tuple(Contribution(f"{asset}.{n}", *p, "u") for n, p in given_parts.items()))


@given(parts, parts)
def test_similarity_is_symmetric_bounded_and_whole_with_itself(
    a: dict[str, tuple[float, float | None, float | None]], b: dict[str, tuple[float, float | None, float | None]]
) -> None:
    one, other = drawn("p1", a), drawn("p2", b)
    assert similarity(one, other) == pytest.approx(similarity(other, one))
    assert abs(similarity(one, other)) <= 1 + 1e-9
    if any(share > 1e-100 for share, _, _ in a.values()):
        assert similarity(one, drawn("p2", a)) == pytest.approx(1.0)


def test_the_other_direction_is_another_fault() -> None:
    falls = finding({"flow": -0.8, "pressure": -0.2})
    assert similarity(falls, finding({"flow": -0.7, "pressure": -0.3})) > 0.95
    assert similarity(falls, finding({"flow": 0.7, "pressure": 0.3})) < -0.9
    assert similarity(falls, finding({"vibration": 1.0})) == 0.0
    assert similarity(falls, replace(falls, evidence=None)) == 0.0


def test_its_own_come_first_then_other_machines_and_only_what_came_before() -> None:
    this = finding({"flow": -0.8, "pressure": -0.2}, at=100)
    candidates = [
        finding({"flow": -0.8, "pressure": -0.2}, "p2", 50),
        finding({"flow": -0.6, "pressure": -0.4}, "p1", 40),
        finding({"flow": -0.8, "pressure": -0.2}, "p1", 30),
        finding({"flow": -0.8, "pressure": -0.2}, "p1", 35),
        finding({"flow": -0.8, "pressure": -0.2}, "p1", 100),
        finding({"flow": -0.8, "pressure": -0.2}, "p1", 200),
        finding({"temperature": 1.0}, "p1", 20),
    ]
    assert [a.place for a in most_alike(this, candidates)] == [3, 2, 1, 0]
    assert [a.place for a in most_alike(this, candidates, 1)] == [3]
