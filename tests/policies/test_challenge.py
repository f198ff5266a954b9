"""A candidate whose own card speaks against it is not tried."""

from collections.abc import Mapping

import pytest

from forewarn.domain.model_versions import ModelCard
from forewarn.policies.challenge import weakness

CHAMPION = "abcdef012345" + "0" * 52
GOOD = {
    "held_back_rows": 2_000.0,
    "over_threshold": 0.001,
    "alarms_per_week": 1.0,
    "shifts_found": 0.9,
    "shift_median": 4.0,
}


def why(new: Mapping[str, float], old: Mapping[str, float] = GOOD, of: str = "the champion abcdef012345") -> str:
    return weakness(ModelCard((), 9, ("s",), {**GOOD, **new}, {**GOOD, **old}, of), CHAMPION, 1.0)


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ({"alarms_per_week": 1.6}, "1.6 false alarms a week"),
        ({"over_threshold": 0.011}, "1.1% of the healthy rows held back"),
        ({"shift_median": 6.5}, "smallest shift it finds is 6.5 healthy spreads"),
        ({"shifts_found": 0.6}, "lasting shift of 60% of the signals, the champion of 90%"),
    ],
)
def test_too_loud_or_too_blind_is_not_tried(new: Mapping[str, float], words: str) -> None:
    assert words in why(new)


@pytest.mark.parametrize(
    "new",
    [{}, {"alarms_per_week": 1.5}, {"over_threshold": 0.01}, {"shift_median": 6.0}, {"shifts_found": 0.65}],
)
def test_a_little_worse_is_no_difference(new: Mapping[str, float]) -> None:
    assert why(new) == ""


def test_a_champion_that_is_as_loud_is_no_reason_to_stay_with_it() -> None:
    assert why({"over_threshold": 0.04}, {"over_threshold": 0.02}) == ""
    assert why({"over_threshold": 0.05}, {"over_threshold": 0.02}) != ""


def test_it_is_compared_with_the_champion_that_acts_and_with_nothing_else() -> None:
    blind = {"shift_median": 30.0}
    assert why(blind) != ""
    for of in ("each signal by itself (robust z)", "the champion 999999999999", ""):
        assert why(blind, of=of) == ""
        assert "false alarms" in why({"alarms_per_week": 9.0}, of=of)


def test_without_rows_held_back_nothing_is_compared() -> None:
    assert why({"held_back_rows": 0.0, "over_threshold": 0.5, "shift_median": 30.0}) == ""


def test_a_model_that_finds_no_shift_at_all_is_blind() -> None:
    card = ModelCard((), 9, ("s",), {"held_back_rows": 100.0}, GOOD, "the champion abcdef012345")
    assert "inf" in weakness(card, CHAMPION, 1.0)
