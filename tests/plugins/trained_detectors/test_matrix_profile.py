"""Matrix profile: distances against their definition, shape and level, signals at rest, damaged models."""

from typing import Any

import numpy as np
import pytest

from forewarn.contracts.trained_detector import Matrix
from forewarn.domain.errors import ConfigurationError, InvalidInput
from forewarn.plugins.trained_detectors.matrix_profile import MatrixProfile

ALONE = np.zeros(1, np.intp)


def strokes(rows: int = 400, seed: int = 0) -> Matrix:
    """Two signals in time with each other and one that only makes noise."""
    random = np.random.default_rng(seed)
    phase = np.arange(rows) / 3.0 + random.uniform(0, 6)
    columns = np.column_stack((20 + 3 * np.sin(phase), np.cos(2 * phase), np.zeros(rows)))
    return np.asarray(columns + random.normal(0, 0.1, columns.shape))


def by_definition(healthy: Matrix, window: Matrix, floor: float, level: bool) -> float:
    """Yeh et al. (2016) with loops, every healthy window in the library."""
    size, centre = len(window), np.median(healthy, axis=0)
    spread = 1.4826 * np.median(np.abs(healthy - centre), axis=0)

    def shape(part: Matrix) -> Matrix:
        z = (part - centre) / spread
        return z / floor if level else (z - z.mean(axis=0)) / np.maximum(z.std(axis=0), floor)

    library = [shape(healthy[i : i + size]) for i in range(len(healthy) - size + 1)]
    total = 0.0
    for signal in range(healthy.shape[1]):
        own = [
            min(np.linalg.norm(a[:, signal] - b[:, signal]) for j, b in enumerate(library) if abs(i - j) >= size)
            for i, a in enumerate(library)
        ]
        nearest = min(np.linalg.norm(shape(window)[:, signal] - b[:, signal]) for b in library)
        total += (nearest / np.median(own)) ** 2
    return float(np.sqrt(total / healthy.shape[1]))


@pytest.mark.parametrize("level", [True, False])
def test_the_distance_is_that_of_the_definition(level: bool) -> None:
    healthy, later = strokes(80), 1.3 * strokes(20, seed=5)
    detector = MatrixProfile(window=10, library=71, floor=0.5, level=level)
    score = detector.prepare([detector.fit(healthy)]).score(later[None], ALONE)[0]
    for end in (9, 14, 19):
        assert score[end] == pytest.approx(by_definition(healthy, later[end - 9 : end + 1], 0.5, level), rel=1e-4)


def test_a_shift_counts_by_level_and_a_course_by_shape() -> None:
    shifted, torn = strokes(120, seed=3), strokes(120, seed=3)
    shifted[:, 0] += 5.0
    torn[60:, 0] = torn[59, 0]
    for level, seen, unseen in ((True, shifted, None), (False, torn, shifted)):
        detector = MatrixProfile(level=level)
        s = detector.prepare([detector.fit(strokes())])
        usual = np.nanmax(s.score(strokes(120, seed=3)[None], ALONE))
        assert s.score(seen[None], ALONE)[0, -1] > 1.4 * usual
        assert s.explain(seen[None], ALONE).share[0].argmax() == 0
        if unseen is not None:
            assert np.nanmax(s.score(unseen[None], ALONE)) == pytest.approx(usual, rel=1e-4)


def test_noise_at_rest_has_no_shape() -> None:
    """A window a hundredth as noisy as health, magnified, would look like nothing ever seen."""
    healthy = strokes()
    calm = strokes(60, seed=2)
    calm[:, 2] *= 0.01
    detector = MatrixProfile(level=False, floor=1.0)
    s = detector.prepare([detector.fit(healthy)])
    usual = np.nanmax(s.score(strokes(60, seed=2)[None], ALONE))
    assert np.nanmax(s.score(calm[None], ALONE)) <= usual


def test_what_was_expected_is_the_nearest_healthy_course() -> None:
    detector = MatrixProfile()
    later = strokes(60, seed=4)
    later[-1, 0] += 3.0
    blame = detector.prepare([detector.fit(strokes())]).explain(later[None], ALONE)
    assert blame.share[0].argmax() == 0
    assert blame.expected[0, 0] == pytest.approx(later[-1, 0] - 3.0, abs=1.0)


def test_gaps_stand_at_the_mean_until_they_are_half_the_window() -> None:
    detector = MatrixProfile()
    s = detector.prepare([detector.fit(strokes())])
    gaps = strokes(60, seed=4)
    gaps[35:49, 0] = np.nan
    assert np.isfinite(s.score(gaps[None], ALONE)[0, 29:]).all()
    gaps[31:49, 0] = np.nan
    wild = gaps.copy()
    wild[:31, 0] = 1e6
    np.testing.assert_allclose(s.score(wild[None], ALONE)[0, 50], s.score(gaps[None], ALONE)[0, 50])


def test_the_library_is_bounded_and_spread_over_the_past() -> None:
    rows = np.concatenate((strokes(2000), strokes(2000, seed=1) + np.array([5.0, 0.0, 0.0])))
    detector = MatrixProfile(library=64)
    model = detector.fit(rows)
    assert model["shapes"].shape == (64, 3, 30)
    assert model["shapes"].nbytes < 100_000
    s = detector.prepare([model])
    first, second, neither = (
        np.nanmedian(s.score((strokes(100, seed=8) + np.array([up, 0.0, 0.0]))[None], ALONE)) for up in (0.0, 5.0, 15.0)
    )
    assert max(first, second) < neither / 1.5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shapes", np.zeros((128, 3, 29), np.float32)),
        ("shapes", np.zeros((128, 3, 30), np.float64)),
        ("shapes", np.full((128, 3, 30), np.inf, np.float32)),
        ("shapes", None),
        ("typical", np.full(3, np.inf)),
        ("typical", np.array([1.0, 1e-200, 1.0])),
        ("typical", np.array([1.0, 1e200, 1.0])),
        ("shapes", np.full((128, 3, 30), 1e30, np.float32)),
        ("centre", np.zeros((3, 1))),
        ("spread", np.zeros(2)),
    ],
)
def test_a_damaged_model_is_refused_by_the_name_of_what_is_wrong(field: str, value: Any) -> None:
    detector = MatrixProfile()
    right = detector.fit(strokes())
    with pytest.raises(InvalidInput) as caught:
        detector.prepare([right, {**right, field: value}])
    assert caught.value.field == field
    assert "matrix_profile" in str(caught.value)


@pytest.mark.parametrize("wrong", [{"window": 3}, {"library": 1}, {"floor": 0.0}])
def test_settings_that_make_no_profile_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="matrix_profile"):
        MatrixProfile(**wrong)
