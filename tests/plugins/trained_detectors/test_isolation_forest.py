"""Isolation forest: a tree walked by hand, gaps both ways, and models that somebody damaged."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import Matrix, Parameters
from forewarn.domain.errors import ConfigurationError, InvalidInput
from forewarn.plugins.trained_detectors.isolation_forest import IsolationForest

ALONE = np.zeros(1, np.intp)


def healthy(rows: int = 400, signals: int = 4, seed: int = 0) -> Matrix:
    random = np.random.default_rng(seed)
    return random.normal(0.0, 1.0, (rows, signals)) @ random.normal(0.0, 1.0, (signals, signals))


def by_hand(p: Parameters, row: NDArray[np.float64]) -> float:
    """The same score as Liu (2008) defines it, one node after the other."""
    z = np.clip((row - p["centre"]) / p["spread"], -50, 50)
    trees, leaves = p["path"].shape
    depth = int(np.log2(leaves))

    def walk(tree: int, node: int, level: int) -> float:
        if level == depth:
            return float(p["path"][tree, node - (leaves - 1)])
        value, cut = z[p["feature"][tree, node]], p["threshold"][tree, node]
        left = float(p["left_share"][tree, node]) if np.isnan(value) else float(not value > cut)
        ways = ((left, 2 * node + 1), (1.0 - left, 2 * node + 2))
        return sum(weight * walk(tree, child, level + 1) for weight, child in ways if weight > 0)

    n = float(p["sample"][0])
    usual = 2 * (np.log(n - 1) + 0.5772156649) - 2 * (n - 1) / n
    return float(2.0 ** (-np.mean([walk(t, 0, 0) for t in range(trees)]) / usual))


def test_a_tree_drawn_on_paper() -> None:
    """Signal 0 is cut at 2: beyond it lay one healthy row of eight; the other seven are cut once more, by signal 1."""
    detector = IsolationForest(trees=1, sub_sample=8, smooth=1)
    feature, threshold = np.zeros((1, 7), np.int16), np.full((1, 7), np.nan, np.float32)
    share, path = np.ones((1, 7), np.float32), np.zeros((1, 8), np.float32)
    threshold[0, 0], share[0, 0] = 2.0, 7 / 8
    feature[0, 1], threshold[0, 1], share[0, 1] = 1, 0.0, 3 / 7
    path[0, [0, 2, 4]] = [3.5, 4.5, 1.0]
    model: Parameters = {
        "centre": np.zeros(2),
        "spread": np.ones(2),
        "feature": feature,
        "threshold": threshold,
        "left_share": share,
        "path": path,
        "sample": np.array([8], np.int64),
    }
    usual = 2 * (np.log(7) + 0.5772156649) - 2 * 7 / 8
    rows = np.array([[0.0, -1.0], [0.0, 1.0], [3.0, 1.0], [np.nan, -1.0], [0.0, np.nan]])
    lengths = np.array([3.5, 4.5, 1.0, 7 / 8 * 3.5 + 1 / 8 * 1.0, 3 / 7 * 3.5 + 4 / 7 * 4.5])
    score = detector.prepare([model]).score(rows[None], ALONE)[0]
    np.testing.assert_allclose(score, 2.0 ** (-lengths / usual), rtol=1e-6)


@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_all_trees_together_say_what_each_says_by_itself(gaps: float) -> None:
    detector = IsolationForest(trees=7, sub_sample=32, smooth=1)
    models = [detector.fit(healthy(seed=i), seed=i) for i in range(3)]
    random = np.random.default_rng(9)
    blocks = 2 * np.stack([healthy(20, seed=i) for i in (2, 0, 1, 0)])
    blocks[random.random(blocks.shape) < gaps] = np.nan
    order = np.array([2, 0, 1, 0])
    score = detector.prepare(models).score(blocks, order)
    for i, j in np.ndindex(*score.shape):
        if np.isnan(blocks[i, j]).sum() <= 2:
            assert score[i, j] == pytest.approx(by_hand(models[order[i]], blocks[i, j]), rel=1e-9)
        else:
            assert np.isnan(score[i, j])


def test_every_healthy_row_of_a_full_tree_ends_alone() -> None:
    """A sample of distinct values needs no more than its depth, and what is left together is counted by c(n)."""
    p = IsolationForest(trees=50, sub_sample=256).fit(healthy())
    assert p["path"].max() <= 8 + 2 * (np.log(255) + 0.5772156649) - 2 * 255 / 256
    assert p["path"][:, 0].min() >= 1
    known = ~np.isnan(p["threshold"])
    assert known.any(axis=1).all()
    assert ((p["left_share"][known] >= 0) & (p["left_share"][known] <= 1)).all()
    assert (p["left_share"][~known] == 1).all()


def test_what_lies_apart_in_one_signal_or_in_none_but_jointly() -> None:
    random = np.random.default_rng(1)
    first = random.uniform(-1, 1, 2000)
    ring = np.column_stack((first, first + random.normal(0, 0.05, 2000)))
    detector = IsolationForest(smooth=1)
    s = detector.prepare([detector.fit(ring)])
    usual, off_the_line, far = s.score(np.array([[[0.2, 0.2], [0.7, -0.7], [3.0, 3.0]]]), ALONE)[0]
    assert usual < off_the_line < far


def test_a_signal_that_never_moved_is_never_cut() -> None:
    rows = np.column_stack((healthy(), np.full(400, 3.0)))
    p = IsolationForest(trees=20).fit(rows)
    assert p["feature"].max() == 3
    wild = np.column_stack((healthy(10), np.linspace(-1e6, 1e6, 10)))
    s = IsolationForest(trees=20).prepare([p])
    still = wild.copy()
    still[:, 4] = 3.0
    np.testing.assert_array_equal(s.score(wild[None], ALONE), s.score(still[None], ALONE))


def test_one_spike_is_outvoted_and_a_lasting_fault_is_not() -> None:
    detector = IsolationForest(trees=30)
    s = detector.prepare([detector.fit(healthy())])
    quiet, spike, lasting = (np.zeros((1, 12, 4)) for _ in range(3))
    spike[0, 6], lasting[0, 6:] = 20.0, 20.0
    was = s.score(quiet, ALONE)[0, -1]
    np.testing.assert_allclose(s.score(spike, ALONE)[0, 4:], was)
    assert s.score(lasting, ALONE)[0, -1] > 1.2 * was
    assert np.isnan(s.score(quiet[:, :3], ALONE)).all()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("feature", np.full((10, 31), 4, np.int16)),
        ("feature", np.full((10, 31), -1, np.int16)),
        ("feature", np.zeros((10, 30), np.int16)),
        ("feature", np.zeros((10, 31), np.float64)),
        ("threshold", np.zeros(10, np.float32)),
        ("threshold", np.full((10, 31), 1e9, np.float32)),
        ("left_share", np.full((10, 31), 1.5, np.float32)),
        ("left_share", np.full((10, 31), np.nan, np.float32)),
        ("path", np.full((10, 32), np.inf, np.float32)),
        ("path", np.full((10, 32), -1, np.float32)),
        ("path", np.zeros((10, 16), np.float32)),
        ("sample", np.array([1])),
        ("sample", None),
        ("centre", np.full(4, np.inf)),
        ("spread", np.array(["a", "b", "c", "d"])),
    ],
)
def test_a_damaged_model_is_refused_by_the_name_of_what_is_wrong(field: str, value: Any) -> None:
    detector = IsolationForest(trees=10, sub_sample=32)
    right = detector.fit(healthy())
    with pytest.raises(InvalidInput) as caught:
        detector.prepare([{**right, field: value}])
    assert caught.value.field == field
    assert "isolation_forest" in str(caught.value)


@pytest.mark.parametrize("wrong", [{"trees": 0}, {"sub_sample": 4}, {"smooth": 0}])
def test_settings_that_make_no_forest_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match="isolation_forest"):
        IsolationForest(**wrong)
