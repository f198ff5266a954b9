"""Values held of signals that are read far more seldom than in health are no values."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.policies.read_share import ReadShare

ALONE = np.zeros(1, np.intp)


def test_what_is_held_of_a_signal_that_is_read_too_seldom_is_none() -> None:
    value = np.arange(400.0).reshape(1, 100, 4)
    read = np.ones((1, 100, 4), np.bool_)
    read[0, :, 1] = np.arange(100) % 10 == 0  # it changed in each row when it was healthy
    read[0, :, 2] = np.arange(100) % 10 == 0  # it always was so slow
    read[0, 50:58, 3] = False  # a short silence
    out = ReadShare(np.array([[1.0, 1.0, 0.1, 1.0]])).screen(ALONE, value, read)[0]
    late = np.isnan(out[40:, 1])
    np.testing.assert_array_equal(late, ~read[0, 40:, 1])
    assert not np.isnan(out[:, [0, 2, 3]]).any()


def test_after_a_silence_a_value_counts_at_once() -> None:
    read = np.ones((1, 100, 2), np.bool_)
    read[0, 10:70] = False
    out = ReadShare(np.ones((1, 2))).screen(ALONE, np.ones((1, 100, 2)), read)[0]
    assert np.isnan(out[60:70]).all()
    assert not np.isnan(out[70:]).any()


def test_what_is_not_read_at_all_is_silent_and_not_seldom() -> None:
    read = np.ones((1, 400, 3), np.bool_)
    read[0, :, 1] = np.arange(400) % 10 == 0
    read[0, 100:, 2] = False
    share = ReadShare(np.ones((1, 3)))
    share.screen(ALONE, np.ones((1, 400, 3)), read)
    assert share.seldom(ALONE).tolist() == [[False, True, False]]


@settings(max_examples=30)
@given(st.lists(st.integers(1, 79), max_size=6), st.floats(0.0, 1.0), st.integers(0, 9))
def test_cutting_changes_nothing(cuts: list[int], gaps: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    read, value = random.random((1, 80, 3)) >= gaps, random.normal(0, 1, (1, 80, 3))
    read[0, 40:] |= seed % 2 == 0
    whole, pieces = ReadShare(np.ones((2, 3))), ReadShare(np.ones((1, 3)))
    at_once = whole.screen(np.ones(1, np.intp), value, read)
    edges = [0, *sorted(set(cuts)), 80]
    parts = [pieces.screen(ALONE, value[:, a:b], read[:, a:b]) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), at_once)
    after = ReadShare(np.ones((1, 3)))
    after.carry(whole, np.ones(1, np.intp), ALONE)
    np.testing.assert_allclose(after._share, pieces._share)
