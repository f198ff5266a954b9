"""The laws of contracts/shared_detector.py, kept by every trained detector that can be learned per template."""

from typing import Any

import numpy as np
import pytest

from forewarn.contracts.shared_detector import SharedDetector
from forewarn.contracts.trained_detector import Matrix, Parameters
from forewarn.domain.errors import InvalidInput, NotEnoughData
from tests.conformance.test_trained_detectors import INSTALLED, ROWS, SIGNALS, alone, healthy, later, new, same

SHARED = sorted(name for name in INSTALLED if isinstance(new(name), SharedDetector))
every_shared = pytest.mark.parametrize("name", SHARED)
pytestmark = pytest.mark.filterwarnings("error")


def shared(name: str) -> SharedDetector:
    detector = new(name)
    assert isinstance(detector, SharedDetector)
    return detector


def equal(first: Parameters, second: Parameters) -> None:
    assert first.keys() == second.keys()
    for key in first:
        assert first[key].dtype != np.object_
        np.testing.assert_array_equal(first[key], second[key])


def size(sample: Parameters) -> int:
    return sum(array.nbytes for array in sample.values())


PARTS: dict[tuple[str, int], Parameters] = {}


def part(name: str, seed: int = 0) -> Parameters:
    """Of machines 1, 2 and 3."""
    if (name, seed) not in PARTS:
        PARTS[name, seed] = shared(name).fit_shared(samples(name), seed)
    return PARTS[name, seed]


def samples(name: str) -> list[Parameters]:
    return [shared(name).sample(healthy(machine), 1 / 3) for machine in (1, 2, 3)]


def test_there_is_one_at_least() -> None:
    assert SHARED


@every_shared
def test_a_sample_is_bounded_however_long_the_past_and_however_many_the_machines(name: str) -> None:
    short, long = (np.concatenate([healthy(1, 2000)] * times) for times in (8, 32))
    whole = size(shared(name).sample(long))
    assert whole <= 1.3 * size(shared(name).sample(short))
    assert 16 * size(shared(name).sample(long, 1 / 16)) <= 1.3 * whole


@every_shared
def test_another_unit_changes_no_sample(name: str) -> None:
    """Powers of two and a shift, so that the numbers themselves lose nothing."""
    unit, shift = 2.0 ** np.arange(SIGNALS), np.arange(SIGNALS) * 4.0
    ours, theirs = shared(name).sample(healthy(1)), shared(name).sample(healthy(1) * unit + shift)
    assert ours.keys() == theirs.keys()
    for key in ours:
        same(theirs[key].astype(float), ours[key].astype(float), 1e-5)


@every_shared
def test_the_order_of_the_machines_changes_nothing_and_the_seed_decides(name: str) -> None:
    backward = shared(name).fit_shared(samples(name)[::-1], 0)
    equal(backward, part(name))
    other = shared(name).fit_shared(samples(name), 1)
    assert any(not np.array_equal(other[key], backward[key]) for key in other)


@every_shared
def test_nothing_given_is_changed(name: str) -> None:
    rows = healthy(1)
    before = rows.copy()
    given = samples(name)
    were = [{key: array.copy() for key, array in sample.items()} for sample in given]
    learned = shared(name).fit_shared(given)
    for sample, was in zip(given, were, strict=True):
        equal(sample, was)
    kept = {key: array.copy() for key, array in learned.items()}
    shared(name).calibrate(learned, rows)
    equal(learned, kept)
    np.testing.assert_array_equal(rows, before)


@every_shared
@pytest.mark.parametrize("machine", [1, 7], ids=["one that it was learned from", "one that it never saw"])
def test_calibrated_it_finds_the_fault_of_a_machine(name: str, machine: int) -> None:
    scorer = shared(name).prepare([shared(name).calibrate(part(name), healthy(machine))])
    score = scorer.score(later(name, machine)[None], alone())[0]
    assert np.median(score[-15:]) > np.nanmax(score[:-20]) > 0
    blame = scorer.explain(later(name, machine)[None], alone())
    assert blame.share[0].argmax() == 1


@every_shared
def test_another_unit_changes_no_score(name: str) -> None:
    unit, shift = 2.0 ** np.arange(SIGNALS), np.arange(SIGNALS) * 4.0
    block = later(name, 1)
    models = [shared(name).calibrate(part(name), rows) for rows in (healthy(1), healthy(1) * unit + shift)]
    plain, other = (
        shared(name).prepare([model]).score(rows[None], alone())
        for model, rows in zip(models, (block, block * unit + shift), strict=True)
    )
    same(other, plain, 1e-4)


@every_shared
def test_machines_that_share_a_part_are_scored_beside_one_another_and_beside_others(name: str) -> None:
    models = [shared(name).calibrate(part(name), healthy(m)) for m in (1, 2)] + [new(name).fit(healthy(4))]
    blocks = np.stack([later(name, m) for m in (1, 2, 4)])
    together = shared(name).prepare(models).score(blocks, np.arange(3))
    for i, model in enumerate(models):
        same(together[i : i + 1], shared(name).prepare([model]).score(blocks[i : i + 1], alone()))


@every_shared
@pytest.mark.parametrize("rows", [np.zeros((0, SIGNALS)), np.full((500, SIGNALS), np.nan), healthy(1, 10)])
def test_too_little_is_refused_by_name(name: str, rows: Matrix) -> None:
    with pytest.raises(NotEnoughData, match=name):
        shared(name).sample(rows)
    with pytest.raises(NotEnoughData, match=name):
        shared(name).calibrate(part(name), rows)


@every_shared
def test_what_does_not_go_together_is_refused(name: str) -> None:
    narrow = shared(name).sample(healthy(1)[:, :3])
    refused: list[Any] = [
        lambda: shared(name).fit_shared([]),
        lambda: shared(name).fit_shared([*samples(name), narrow]),
        lambda: shared(name).calibrate(part(name), healthy(1, ROWS)[:, :3]),
        lambda: shared(name).calibrate({}, healthy(1)),
    ]
    for call in refused:
        with pytest.raises(InvalidInput, match=name):
            call()
