"""Numenta's score: the values of its paper, and what must hold for any alarms and windows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.policies.nab_score import NabFile, nab_score, probation, raw_scores

WINDOWS = np.array([[1000, 1099], [2000, 2199]])
ROWS = 6000


def file(*alarms: int, windows: np.ndarray = WINDOWS) -> NabFile:
    return NabFile(np.isin(np.arange(ROWS), alarms), windows)


def sigmoid(x: float) -> float:
    return 2 / (1 + np.exp(5 * x)) - 1


def test_perfect_is_100_and_silence_0() -> None:
    best, none = nab_score([file(1000, 2000)]), nab_score([file()])
    assert (best.standard, best.low_fp, best.low_fn) == pytest.approx((100, 100, 100))
    assert (none.standard, none.low_fp, none.low_fn) == (0, 0, 0)


def test_an_alarm_in_every_row_costs_its_false_ones() -> None:
    alarm = np.ones(ROWS, bool)
    free = ROWS - probation(ROWS) - 300
    after = [min(row - 1099, 297) / 99 for row in range(1100, 2000)] + [
        min(row - 2199, 597) / 199 for row in range(2200, ROWS)
    ]
    fined = sum(1.0 if x >= 3 and x > 2.999 else -sigmoid(x) for x in after) + free - len(after)
    assert raw_scores(NabFile(alarm, WINDOWS))[0] == pytest.approx(2 - 0.11 * fined, rel=1e-4)


@pytest.mark.parametrize(
    ("late", "earned"), [(0, 1.0), (50, sigmoid(-0.5) / sigmoid(-1)), (99, sigmoid(-0.01) / sigmoid(-1))]
)
def test_the_first_alarm_in_a_window_counts_by_its_place(late: int, earned: float) -> None:
    assert raw_scores(file(1000 + late)).tolist() == pytest.approx([earned - 1, earned - 1, earned - 2])
    assert raw_scores(file(1000 + late, 1099)).tolist() == raw_scores(file(1000 + late)).tolist()


@pytest.mark.parametrize(("row", "fine"), [(900, 1.0), (1100, -sigmoid(1 / 99)), (1198, -sigmoid(1.0)), (1900, 1.0)])
def test_an_alarm_outside_costs_less_just_after_a_window(row: int, fine: float) -> None:
    assert raw_scores(file(row)).tolist() == pytest.approx([-0.11 * fine - 2, -0.22 * fine - 2, -0.11 * fine - 4])


@pytest.mark.parametrize(("rows", "unscored"), [(4032, 604), (7267, 750), (22695, 750), (100, 15)])
def test_probation(rows: int, unscored: int) -> None:
    assert probation(rows) == unscored


def test_alarms_in_probation_count_for_nothing() -> None:
    assert raw_scores(file(0, 300, 749)).tolist() == raw_scores(file()).tolist()
    assert raw_scores(file(750)).tolist() < raw_scores(file()).tolist()


def test_a_window_within_probation_is_not_scored() -> None:
    early = NabFile(np.zeros(ROWS, bool), np.array([[100, 200]]))
    assert raw_scores(early).tolist() == [0, 0, 0]
    assert np.isnan(nab_score([early]).standard)


def test_files_are_summed_before_they_are_scaled() -> None:
    one, other = file(1000, 2000), NabFile(np.zeros(ROWS, bool), np.array([[3000, 3100]]))
    assert nab_score([one, other]).standard == pytest.approx(100 * (2 - 1 + 3) / 6)


@given(st.sets(st.integers(0, ROWS - 1), max_size=40), st.integers(2200, ROWS - 1))
def test_the_future_changes_nothing_that_was(alarms: set[int], cut: int) -> None:
    """What is earned and fined up to a row after the last window is the same whatever comes later."""
    before = {row for row in alarms if row < cut}
    later = sum(1 for row in alarms if row >= cut)
    lost = raw_scores(file(*before))[0] - raw_scores(file(*alarms))[0]
    assert -1e-12 <= lost <= 0.11 * later + 1e-9


@given(st.sets(st.integers(0, ROWS - 1), max_size=40), st.integers(0, ROWS - 1))
def test_one_alarm_more_earns_a_window_at_most_and_costs_a_fine_at_most(alarms: set[int], row: int) -> None:
    change = raw_scores(file(*alarms, row)) - raw_scores(file(*alarms))
    assert (change >= np.array([-0.11, -0.22, -0.11]) - 1e-9).all()
    assert (change <= np.array([2.0, 2.0, 3.0]) + 1e-9).all()


# Rows in alarm on machine_temperature_system_failure, and the scores that the benchmark's own files of results state
# for it (repository numenta/NAB at ea702d7, MIT licence): standard, low FP, low FN.
MACHINE = np.array([[2126, 2692], [3703, 4269], [16057, 16623], [19232, 19798]])
MACHINE_ROWS = 22695
PUBLISHED: dict[str, tuple[list[int], tuple[float | None, ...]]] = {
    "ARTime": (
        [
            1308,
            2386,
            2575,
            2799,
            3443,
            3541,
            3968,
            4017,
            11682,
            11731,
            16099,
            16323,
            18045,
            18080,
            18367,
            19536,
            19543,
            19774,
            20649,
        ],
        (2.5563301921824606, 1.5184273798792873, 2.5563301921824606),
    ),
    "contextOSE": ([2374, 3904], (-0.164969541073, -0.164969541073, None)),
    "contextOSE, low FN": ([1989, 2373, 2374, 3904, 19465], (None, None, 0.638277592936)),
    "relative entropy": (
        [
            829,
            842,
            850,
            3962,
            3968,
            3974,
            3980,
            3986,
            3998,
            4002,
            4007,
            4015,
            4027,
            4036,
            4046,
            18045,
            18051,
            18062,
            18075,
            19376,
            19389,
            19403,
            19775,
            19781,
            19792,
        ],
        (-0.916101489945, -1.68609873383, -2.91610148994),
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_scores_of_one_file_to_the_last_digit(name: str) -> None:
    alarms, published = PUBLISHED[name]
    scored = raw_scores(NabFile(np.isin(np.arange(MACHINE_ROWS), alarms), MACHINE))
    for ours, theirs in zip(scored, published, strict=True):
        assert theirs is None or ours == pytest.approx(theirs, abs=1e-10)
