"""Slow windows: what a day of hours looks like, and models that do not fit."""

import numpy as np
import pytest

from forewarn.domain.errors import InvalidInput, NotEnoughData
from forewarn.plugins.trained_detectors.slow_windows import SlowWindows

ALONE = np.zeros(1, np.intp)
DAY = 24


def hours(count: int, seed: int = 0) -> np.ndarray:
    at = np.arange(count)
    noise = np.random.default_rng(seed).normal(0, 0.3, (count, 2))
    return np.stack((60 + 4 * np.sin(2 * np.pi * at / DAY), np.full(count, 5.0)), axis=1) + noise


def scored(block: np.ndarray) -> np.ndarray:
    detector = SlowWindows((6, DAY))
    return np.asarray(detector.prepare([detector.fit(hours(40 * DAY))]).score(block[None], ALONE)[0])


@pytest.mark.parametrize("kind", ["stuck", "unrest", "level", "turned"])
def test_what_no_limit_on_the_value_would_see(kind: str) -> None:
    """Each stays within the values seen in health."""
    block = hours(10 * DAY, seed=2)
    fault = slice(8 * DAY, 9 * DAY)
    if kind == "stuck":
        block[fault, 0] = block[8 * DAY, 0]
    elif kind == "unrest":
        block[fault, 0] = 60 + 4 * np.where(np.arange(DAY) % 2, 1, -1)
    elif kind == "level":
        block[fault, 0] = 63.5 + 0.3 * np.sin(np.arange(DAY))
    else:
        block[fault, 0] = 120 - block[fault, 0]
    found = scored(block)
    assert np.nanmax(found[fault]) > 1.3 * np.nanmax(found[: 8 * DAY])


def test_the_signal_at_fault_is_blamed_and_what_it_should_be_is_said() -> None:
    detector = SlowWindows((6, DAY))
    scorer = detector.prepare([detector.fit(hours(40 * DAY))])
    block = hours(4 * DAY, seed=3)
    block[-1, 1] = 9.0
    blame = scorer.explain(block[None], ALONE)
    assert blame.share[0].argmax() == 1
    assert blame.expected[0, 1] == pytest.approx(5.0, abs=0.8)


def test_too_short_a_past_is_told() -> None:
    with pytest.raises(NotEnoughData, match="healthy rows"):
        SlowWindows((6, DAY)).fit(hours(DAY))


def test_models_of_other_windows_are_refused() -> None:
    model = SlowWindows((6, DAY)).fit(hours(10 * DAY))
    with pytest.raises(InvalidInput, match="window lengths"):
        SlowWindows((6, 12, DAY)).prepare([model])


@pytest.mark.parametrize("lengths", [(), (1, 24)])
def test_windows_need_two_rows(lengths: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="lengths"):
        SlowWindows(lengths)
