"""Several detectors on one scale: what a ratio means, who joins, and that nothing bad comes of bad input."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import Matrix, TrainedDetector
from forewarn.domain.errors import InvalidInput, NotEnoughData
from forewarn.learning.ensemble import (
    EnsembleScorer,
    EnsembleSettings,
    fit_ensemble,
    healthy_level,
    healthy_levels,
    held_out_scores,
    joined,
    mean_log,
    mean_ratio,
    thinned,
)
from forewarn.plugins.trained_detectors.pca import Pca
from forewarn.plugins.trained_detectors.ridge_twin import RidgeTwin
from forewarn.plugins.trained_detectors.robust_z import RobustZ
from forewarn.plugins.trained_detectors.window_mahalanobis import WindowMahalanobis

pytestmark = pytest.mark.filterwarnings("error")
DETECTORS: Mapping[str, TrainedDetector] = {d.name: d for d in (RobustZ(), Pca(), RidgeTwin(), WindowMahalanobis())}
ALONE = np.zeros(1, np.intp)


def machine(seed: int, rows: int, signals: int = 6) -> Matrix:
    random = np.random.default_rng(seed)
    gain, level = random.uniform(1, 2, signals), random.uniform(-10, 50, signals)
    load = random.normal(0, 1, rows)
    return np.asarray(load[:, None] * gain + random.normal(0, 1, (rows, signals)) + level)


@pytest.fixture(scope="module")
def fleet() -> Any:
    return [fit_ensemble(machine(seed, 3000)[:600], DETECTORS) for seed in range(3)]


def test_healthy_rows_to_come_are_seldom_over_1_and_faults_are(fleet: Any) -> None:
    scorer = EnsembleScorer(DETECTORS, fleet)
    to_come = np.stack([machine(seed, 3000)[600:] for seed in range(3)])
    ratio = scorer.ratio(to_come, np.arange(3))
    known = ratio[:, scorer.context :]
    assert np.isnan(ratio[:, : scorer.context]).all()
    assert np.mean(known > 1) < 0.02
    to_come[:, 1000:, 2] += 6.0
    assert np.mean(scorer.ratio(to_come, np.arange(3))[:, 1050:] > fleet[0].threshold) > 0.99


def test_the_ratio_is_the_members_geometric_mean(fleet: Any) -> None:
    scorer, block = EnsembleScorer(DETECTORS, fleet), machine(1, 700)[None, 600:]
    members = scorer.by_member(block, np.array([1]))
    assert list(members) == list(DETECTORS)
    logs = np.log(np.maximum(np.stack(list(members.values())), 0.2))
    np.testing.assert_allclose(scorer.ratio(block, np.array([1])), np.exp(logs.mean(axis=0)))


def test_one_new_row_scores_as_it_does_in_bulk(fleet: Any) -> None:
    scorer, rows = EnsembleScorer(DETECTORS, fleet), machine(2, 700)[600:]
    bulk = scorer.ratio(rows[None], np.array([2]))[0]
    for last in (scorer.context, 50, 99):
        one = scorer.ratio(rows[None, last - scorer.context : last + 1], np.array([2]))[0]
        assert one[-1] == pytest.approx(bulk[last], rel=1e-9)


def test_blame_names_the_signal_and_what_was_expected(fleet: Any) -> None:
    scorer, rows = EnsembleScorer(DETECTORS, fleet), machine(0, 700)[600:]
    rows[-20:, 4] += 8.0
    blame = scorer.explain(rows[None, -scorer.context - 1 :], ALONE)
    assert blame.share[0].argmax() == 4
    assert blame.share[0].sum() == pytest.approx(1.0)
    assert abs(blame.expected[0, 4] - np.median(machine(0, 600)[:, 4])) < 4.0


def test_held_out_scores_know_nothing_of_their_rows() -> None:
    """A level that only one block has is foreign to the fits without it."""
    rows = machine(5, 800)
    rows[300:350] += 30.0
    detector = RobustZ()
    seen = detector.prepare([detector.fit(rows)]).score(rows[None], ALONE)[0]
    assert np.nanmax(held_out_scores(rows, detector, 16)[300:350]) > np.nanmax(seen[300:350])


def test_the_healthy_level_lies_between_seen_and_held_out() -> None:
    low, high = np.full(100, 2.0), np.full(100, 4.0)
    assert 2.0 < healthy_level(low, high, 0.99) < 4.0
    assert healthy_level(np.full(9, np.nan), np.full(9, np.nan), 0.99) == 1.0
    assert healthy_level(np.zeros(9), np.zeros(9), 0.99) == 1.0


@pytest.mark.parametrize("alike", [True, False])
def test_1_is_the_healthy_quantile_of_the_mean_whether_members_peak_together_or_not(alike: bool) -> None:
    random = np.random.default_rng(3)
    one = random.lognormal(0, 0.5, 20_000)
    scores = np.stack([one * gain if alike else random.permutation(one) * gain for gain in (1.0, 5.0, 100.0, 0.01)])
    levels = healthy_levels(scores, scores, 0.995)
    ratio = mean_ratio(scores / levels[:, None])
    assert np.mean(ratio > 1.0) == pytest.approx(0.005, abs=1e-3)
    own = np.quantile(scores, 0.995, axis=1)
    np.testing.assert_allclose(levels / own, (levels / own)[0])
    assert (levels / own)[0] == pytest.approx(1.0) if alike else (levels / own)[0] < 0.6


def test_a_member_by_itself_keeps_its_own_level() -> None:
    seen, held_out = np.random.default_rng(4).lognormal(0, 0.5, (2, 1, 5000))
    assert healthy_levels(seen, held_out, 0.99)[0] == pytest.approx(healthy_level(seen[0], held_out[0], 0.99))


def test_a_drifting_signal_takes_no_part() -> None:
    rows = np.column_stack((machine(1, 600), np.linspace(0, 50, 600)))
    ensemble = fit_ensemble(rows, DETECTORS)
    assert [s.takes_part for s in ensemble.screened] == [True] * 6 + [False]
    scorer = EnsembleScorer(DETECTORS, [ensemble])
    block = rows[None, -60:].copy()
    before = scorer.ratio(block, ALONE)
    block[:, :, 6] += 1e6
    np.testing.assert_array_equal(scorer.ratio(block, ALONE), before)


def plant(seed: int, rows: int) -> Matrix:
    """Flow, pressure and power follow a load that changes by the quarter hour; two temperatures follow the weather, a
    day of which is ten times the healthy past; noise."""
    random = np.random.default_rng(seed)
    load = np.convolve(random.normal(0, 1, rows + 299), np.ones(300) / np.sqrt(300), "valid") * 6
    weather = 20 - 5 * np.cos(2 * np.pi * np.arange(rows) / 40_000 + 1)
    noise = random.normal(0, 1, (rows, 6)) * [0.5, 0.03, 0.3, 0.15, 0.15, 2.0]
    levels = [50 + load, 9 - 0.06 * load, 20 + 0.4 * load, weather + 25, weather + 45, np.full(rows, 1450.0)]
    return np.asarray(np.column_stack(levels) + noise)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_follows_a_load_is_watched_and_what_follows_the_weather_is_no_fault(seed: int) -> None:
    rows = plant(seed, 10_000)
    ensemble = fit_ensemble(rows[:4000], DETECTORS)
    assert all(s.takes_part for s in ensemble.screened)
    scorer = EnsembleScorer(DETECTORS, [ensemble])
    healthy, sick = rows[4000:], rows[4000:].copy()
    sick[1000:, 0] -= 4.0  # two thirds of a spread of the flow, eight of what the others leave of it
    assert np.mean(scorer.ratio(healthy[None], ALONE) > ensemble.threshold) < 0.01
    assert np.mean(scorer.ratio(sick[None], ALONE)[0, 1040:] > ensemble.threshold) > 0.95
    assert scorer.explain(sick[None], ALONE).share[0].argmax() == 0


def test_a_detector_with_too_little_is_left_out_and_none_at_all_is_refused() -> None:
    ensemble = fit_ensemble(machine(1, 110), DETECTORS)
    assert [m.detector for m in ensemble.members] == ["robust_z", "window_mahalanobis"] or [
        m.detector for m in ensemble.members
    ] == ["robust_z"]
    with pytest.raises(NotEnoughData, match="robust_z"):
        fit_ensemble(machine(1, 20), DETECTORS)
    with pytest.raises(NotEnoughData):
        fit_ensemble(machine(1, 500), {})


def test_a_long_past_is_learned_from_stretches_of_all_of_it() -> None:
    rows = machine(1, 50_000)
    kept = thinned(rows, 6000)
    assert len(kept) <= 6010
    breaks = np.isnan(kept).all(axis=1)
    assert breaks.sum() == 9
    np.testing.assert_array_equal(kept[0], rows[0])
    np.testing.assert_array_equal(kept[-1], rows[-1])
    assert thinned(rows[:500], 6000) is not None
    ensemble = fit_ensemble(rows, DETECTORS, EnsembleSettings(most_rows=6000))
    assert ensemble.rows == 50_000
    assert len(ensemble.held_out) == len(kept)


def test_parts_are_joined_with_a_break() -> None:
    parts = joined([np.ones((2, 3)), np.zeros((0, 3)), np.zeros((1, 3))])
    np.testing.assert_array_equal(np.isnan(parts).all(axis=1), [False, False, True, False])
    assert joined([np.zeros((0, 3))]).shape == (0, 3)


def test_a_mean_of_less_than_half_is_no_opinion() -> None:
    nan = np.nan
    logs = np.array([[1.0, nan, nan], [3.0, 2.0, nan], [nan, nan, nan], [nan, 4.0, 5.0]])
    np.testing.assert_array_equal(mean_log(logs), [2.0, 3.0, nan])


def test_fits_are_repeatable() -> None:
    first, second = (fit_ensemble(machine(4, 500), DETECTORS, seed=3) for _ in range(2))
    assert first.threshold == second.threshold
    np.testing.assert_array_equal(first.held_out, second.held_out)
    assert [m.healthy for m in first.members] == [m.healthy for m in second.members]


def test_what_cannot_stand_side_by_side_is_refused(fleet: Any) -> None:
    other = fit_ensemble(machine(1, 500), {"robust_z": RobustZ()})
    with pytest.raises(InvalidInput, match="members"):
        EnsembleScorer(DETECTORS, [fleet[0], other])
    with pytest.raises(InvalidInput, match="no ensemble"):
        EnsembleScorer(DETECTORS, [])
    with pytest.raises(InvalidInput, match="pca"):
        EnsembleScorer({"robust_z": RobustZ()}, fleet)


@pytest.mark.parametrize("what", ["gaps", "constant", "unknown", "infinite", "huge", "vanishes"])
def test_bad_input_is_learned_and_scored_without_a_word(what: str) -> None:
    rows = machine(7, 1500)
    if what == "gaps":
        rows[np.random.default_rng(1).random(rows.shape) < 0.3] = np.nan
    elif what in ("constant", "unknown", "infinite"):
        rows[:, 1] = {"constant": 3.0, "unknown": np.nan, "infinite": np.inf}[what]
    scorer = EnsembleScorer(DETECTORS, [fit_ensemble(rows[:1000], DETECTORS)])
    block = rows[1000:].copy()
    if what == "huge":
        block[200:, 3] *= 1000.0
    if what == "vanishes":
        block[200:, 3] = np.nan
    ratio = scorer.ratio(block[None], ALONE)[0]
    assert not np.isinf(ratio).any()
    assert np.mean(np.isnan(ratio[scorer.context :])) < 0.2
    if what == "huge":
        assert (ratio[220:] > 1.1).all()
    else:
        assert np.nanmean(ratio > 1.1) < 0.05


class Silent:
    """Has an opinion on nothing."""

    name: ClassVar[str] = "silent"
    context = 0
    least_rows = 0

    def fit(self, healthy: Matrix, seed: int = 0) -> dict[str, NDArray[Any]]:
        return {}

    def prepare(self, models: Any) -> "Silent":
        return self

    def score(self, blocks: Matrix, models: NDArray[np.intp]) -> Matrix:
        return np.full(blocks.shape[:2], np.nan)

    def parameters(self) -> dict[str, Any]:
        return {}


def test_one_silent_member_does_not_silence_the_rest() -> None:
    detectors: Any = {**DETECTORS, "silent": Silent()}
    ensemble = fit_ensemble(machine(1, 500), detectors)
    assert len(ensemble.members) == 5
    scorer = EnsembleScorer(detectors, [ensemble])
    ratio = scorer.ratio(machine(1, 500)[None], ALONE)
    assert not np.isnan(ratio[0, scorer.context :]).any()
