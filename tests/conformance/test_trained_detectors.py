"""The laws of contracts/trained_detector.py, kept by every trained detector that is installed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import Matrix, Parameters, Scorer, TrainedDetector
from forewarn.domain.errors import InvalidInput, NotEnoughData
from forewarn.learning.built_detectors import settings_of
from forewarn.plugins.trained_detectors.pca import Pca
from forewarn.plugins.trained_detectors.ridge_twin import RidgeTwin
from forewarn.plugins.trained_detectors.robust_z import RobustZ
from forewarn.plugins.trained_detectors.window_mahalanobis import WindowMahalanobis

SIGNALS = 5
ROWS = 400
LONGEST = 2000
INSTALLED: dict[str, Any] = {d.name: d for d in (Pca, RidgeTwin, RobustZ, WindowMahalanobis)} | {
    e.name: e.load() for e in entry_points(group="forewarn.trained_detectors")
}
# Quick trainings of those that are slow by default; the laws are the same.
QUICK: dict[str, dict[str, Any]] = {"lstm_autoencoder": {"epochs": 2}}
every_detector = pytest.mark.parametrize("name", sorted(INSTALLED))
pytestmark = pytest.mark.filterwarnings("error")


def new(name: str) -> TrainedDetector:
    try:
        detector: TrainedDetector = INSTALLED[name](**QUICK.get(name, {}))
    except TypeError:
        detector = INSTALLED[name]()
    return detector


def healthy(seed: int, rows: int = ROWS) -> Matrix:
    """A load that wanders a little, signals that follow it, each with its own unit and noise."""
    random = np.random.default_rng(seed)
    gain, unit = random.uniform(1, 2, SIGNALS) * [1, -1, 1, -1, 1], 10.0 ** random.integers(-2, 4, SIGNALS)
    level = random.uniform(-20, 20, SIGNALS)
    load = np.convolve(random.normal(0, 1, LONGEST + 9), np.ones(10) / 10, "valid")
    noise = random.normal(0, 0.5, (LONGEST, SIGNALS))
    return np.asarray((load[:, None] * gain + noise + level) * unit)[:rows]


@contextmanager
def suppress_refusal(name: str) -> Iterator[None]:
    try:
        yield
    except NotEnoughData as error:
        if name not in str(error):
            raise


FITTED: dict[tuple[str, int], Parameters] = {}


def fitted(name: str, seed: int) -> Parameters:
    if (name, seed) not in FITTED:
        FITTED[name, seed] = new(name).fit(healthy(seed))
    return FITTED[name, seed]


def scorer(name: str, *seeds: int) -> Scorer:
    return new(name).prepare([fitted(name, seed) for seed in seeds])


def later(name: str, seed: int, rows: int = 40) -> Matrix:
    """Rows of machine `seed`, the second half at fault, [context + rows, m]."""
    n = new(name).context + rows
    block = healthy(seed, ROWS + n)[ROWS:]
    block[-rows // 2 :, 1] += 8 * np.std(healthy(seed)[:, 1])
    return block


def alone(count: int = 1) -> NDArray[np.intp]:
    return np.zeros(count, np.intp)


def same(got: Matrix, wanted: Matrix, tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)


@every_detector
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 3), cut=st.integers(1, 39), junk=st.sampled_from([0.0, np.nan, 1e9, np.inf]))
def test_a_score_depends_on_no_later_row_and_on_none_before_its_context(
    name: str, seed: int, cut: int, junk: float
) -> None:
    block, context, s = later(name, seed), new(name).context, scorer(name, seed)
    whole = s.score(block[None], alone())
    changed = block.copy()
    changed[context + cut :] = junk
    same(s.score(changed[None], alone())[:, : context + cut], whole[:, : context + cut])
    part = s.score(block[None, cut : cut + context + 1], alone())
    same(part[:, -1], whole[:, cut + context])


@every_detector
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2), others=st.lists(st.integers(0, 2), max_size=4))
def test_a_score_depends_on_no_block_or_model_beside_it(name: str, seed: int, others: list[int]) -> None:
    own = scorer(name, seed).score(later(name, seed)[None], alone())[0]
    together = [*others, seed]
    blocks = np.stack([later(name, i) for i in together])
    same(scorer(name, 0, 1, 2).score(blocks, np.array(together))[-1], own)


@every_detector
def test_the_first_context_rows_have_no_opinion_and_the_rest_have_one(name: str) -> None:
    block, context = later(name, 1), new(name).context
    score = scorer(name, 1).score(block[None], alone())
    assert score.shape == (1, len(block))
    assert score.dtype == np.float64
    assert np.isnan(score[0, :context]).all()
    assert (score[0, context:] >= 0).all()


@every_detector
@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_block_no_longer_than_the_context_has_no_opinion(name: str, rows: int) -> None:
    score = scorer(name, 1).score(healthy(1)[None, : min(rows, new(name).context)], alone())
    assert np.isnan(score).all()


@every_detector
def test_a_fault_scores_higher_than_health(name: str) -> None:
    score = scorer(name, 1).score(later(name, 1)[None], alone())[0]
    assert np.median(score[-15:]) > np.nanmax(score[:-20]) > 0


@every_detector
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2), exponents=st.lists(st.integers(-3, 6), min_size=SIGNALS, max_size=SIGNALS))
def test_another_unit_changes_no_score(name: str, seed: int, exponents: list[int]) -> None:
    """Powers of two and a shift, so that the numbers themselves lose nothing."""
    unit, shift = 2.0 ** np.array(exponents), np.arange(SIGNALS) * 4.0
    block = later(name, seed)
    other = new(name).prepare([new(name).fit(healthy(seed) * unit + shift)])
    same(other.score((block * unit + shift)[None], alone()), scorer(name, seed).score(block[None], alone()), 1e-4)


@every_detector
def test_fit_is_repeatable_and_changes_nothing_given(name: str) -> None:
    rows = healthy(4)
    before = rows.copy()
    first, second = new(name).fit(rows, seed=7), new(name).fit(rows, seed=7)
    np.testing.assert_array_equal(rows, before)
    assert first.keys() == second.keys()
    for key in first:
        np.testing.assert_array_equal(first[key], second[key])
        assert first[key].dtype != np.object_
    block = later(name, 4)[None]
    was = block.copy()
    s = new(name).prepare([first])
    s.score(block, alone())
    s.explain(block, alone())
    np.testing.assert_array_equal(block, was)


@every_detector
def test_parameters_say_how_to_make_the_detector_again(name: str) -> None:
    detector = new(name)
    again: TrainedDetector = INSTALLED[name](**detector.parameters())
    assert again.parameters() == detector.parameters()
    assert again.context == detector.context
    assert again.least_rows == detector.least_rows
    block = later(name, 1)[None]
    model = [fitted(name, 1)]
    np.testing.assert_array_equal(
        again.prepare(model).score(block, alone()), detector.prepare(model).score(block, alone())
    )


@every_detector
def test_parameters_are_json_and_survive_it(name: str) -> None:
    told = dict(settings_of(new(name)))
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    again: TrainedDetector = INSTALLED[name](**told)
    assert settings_of(again) == told


@every_detector
def test_a_signal_without_a_value_takes_no_part(name: str) -> None:
    """However wrong it was: with its fault hidden, the rest is healthy."""
    block = later(name, 1)
    s = scorer(name, 1)
    block[:, 1] = np.nan
    rest = s.score(block[None], alone())[0]
    assert not np.isnan(rest[new(name).context :]).any()
    sick = s.score(later(name, 1)[None], alone())[0]
    assert np.median(rest[-15:]) < np.median(sick[-15:])
    blame = s.explain(block[None], alone())
    assert not blame.share[0, 1] > 0


@every_detector
def test_less_than_half_of_the_signals_allow_no_opinion(name: str) -> None:
    block = later(name, 1)
    block[-1, :3] = np.nan
    score = scorer(name, 1).score(block[None], alone())[0]
    assert np.isnan(score[-1])
    assert not np.isnan(score[-2])
    blame = scorer(name, 1).explain(block[None], alone())
    assert np.isnan(blame.share).all()
    assert np.isnan(blame.expected).all()


@every_detector
def test_infinite_is_missing(name: str) -> None:
    gaps, infinite = later(name, 1), later(name, 1)
    gaps[-10:, 2], infinite[-10:, 2] = np.nan, np.inf
    infinite[-5:, 2] = -np.inf
    s = scorer(name, 1)
    same(s.score(infinite[None], alone()), s.score(gaps[None], alone()))


@every_detector
def test_nothing_is_carried_over_a_break(name: str) -> None:
    context = new(name).context
    block = later(name, 1, rows=60 + context)
    s = scorer(name, 1)
    at = context + 20
    block[at] = np.nan
    score = s.score(block[None], alone())[0]
    fresh = s.score(block[None, at + 1 :], alone())[0]
    spoken = ~np.isnan(fresh)
    same(score[at + 1 :][spoken], fresh[spoken])
    assert np.isnan(score[at])


@every_detector
def test_constant_and_unknown_signals_do_no_harm(name: str) -> None:
    rows = np.column_stack((healthy(1), np.full(ROWS, 7.0), np.full(ROWS, np.nan)))
    block = later(name, 1)
    wide = np.column_stack((block, np.full(len(block), 7.0), np.full(len(block), np.nan)))
    s = new(name).prepare([new(name).fit(rows)])
    score = s.score(wide[None], alone())[0]
    assert not np.isnan(score[new(name).context :]).any()
    assert np.median(score[-15:]) > np.nanmax(score[:-20])
    blame = s.explain(wide[None], alone())
    assert not (blame.share[0, SIGNALS:] > 0).any()


@every_detector
def test_blame_falls_on_the_signal_that_is_wrong(name: str) -> None:
    blame = scorer(name, 1, 2).explain(np.stack([later(name, 1), later(name, 2)]), np.array([0, 1]))
    assert blame.share.shape == blame.expected.shape == (2, SIGNALS)
    assert (blame.share >= 0).all()
    np.testing.assert_allclose(blame.share.sum(axis=1), 1.0)
    assert (blame.share.argmax(axis=1) == 1).all()


@every_detector
def test_what_was_expected_is_in_the_signals_own_unit(name: str) -> None:
    blame = scorer(name, 1).explain(later(name, 1)[None], alone())
    usual, width = np.median(healthy(1), axis=0), np.std(healthy(1), axis=0)
    known = ~np.isnan(blame.expected[0])
    assert (np.abs(blame.expected[0] - usual) < 6 * width)[known].all()


@every_detector
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_bad_input_gives_a_finite_score_or_none_and_says_nothing(name: str, data: st.DataObject) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 999)))
    block = later(name, 1)
    for _ in range(data.draw(st.integers(1, 4))):
        column = int(random.integers(0, SIGNALS))
        first = int(random.integers(0, len(block)))
        block[first:, column] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 0.0]))
    block[random.random(block.shape) < data.draw(st.sampled_from([0.0, 0.3, 0.9]))] = np.nan
    with np.errstate(over="ignore"):
        block *= data.draw(st.sampled_from([1.0, 1000.0]))
    s = scorer(name, 1)
    score = s.score(block[None], alone())
    assert not np.isinf(score).any()
    assert (score[~np.isnan(score)] >= 0).all()
    blame = s.explain(block[None], alone())
    assert not np.isinf(blame.expected).any()


@every_detector
@pytest.mark.parametrize("gaps", [0.3, 0.9])
def test_a_past_full_of_gaps_is_learned_or_refused_by_name(name: str, gaps: float) -> None:
    rows = healthy(1, 1200)
    rows[np.random.default_rng(1).random(rows.shape) < gaps] = np.nan
    parameters: Parameters = {}
    with suppress_refusal(name):
        parameters = new(name).fit(rows)
    if not parameters:
        return
    score = new(name).prepare([parameters]).score(later(name, 1)[None], alone())
    assert np.isfinite(score[0, new(name).context :]).all()


@every_detector
@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((0, SIGNALS)),
        np.full((500, SIGNALS), np.nan),
        np.full((500, SIGNALS), np.inf),
        np.full((500, SIGNALS), 3.0),
        healthy(1, 10),
    ],
    ids=["none", "unknown", "infinite", "constant", "ten"],
)
def test_too_little_is_refused_by_name(name: str, rows: Matrix) -> None:
    with pytest.raises(NotEnoughData, match=name):
        new(name).fit(rows)


@every_detector
def test_parameters_of_something_else_are_refused(name: str) -> None:
    right = dict(fitted(name, 1))
    with pytest.raises(InvalidInput):
        new(name).prepare([])
    with pytest.raises(InvalidInput):
        new(name).prepare([{}])
    for key in right:
        with pytest.raises(InvalidInput):
            new(name).prepare([{k: v for k, v in right.items() if k != key}])
    key = next(iter(right))
    with pytest.raises(InvalidInput):
        new(name).prepare([{**right, key: np.array(["x"])}])


@every_detector
def test_poisoned_parameters_never_become_a_score(name: str) -> None:
    """Refused, or no opinion, or a finite score: never a crash in the line, never infinity."""
    right, block = dict(fitted(name, 1)), later(name, 1)[None]
    for key, array in right.items():
        poisons = [array[..., :-1], array[:0], np.stack([array, array])]
        if array.dtype.kind == "f":
            poisons += [np.full_like(array, np.nan), np.full_like(array, np.inf), np.zeros_like(array)]
        for poison in poisons:
            try:
                s = new(name).prepare([{**right, key: poison}])
            except InvalidInput as error:
                refused = str(error)
                assert name in refused
                continue
            score = s.score(block, alone())
            assert not np.isinf(score).any()
