"""What is learned from is what is scored: rows of the historian are those of the stream."""

from pathlib import Path

import numpy as np

from forewarn.domain.model_versions import Span
from forewarn.domain.readings import ReadingBatch
from forewarn.jobs.training.past_rows import joined, past_rows, step_of
from forewarn.learning.fleet import holds
from forewarn.plugins.historians.parquet import HISTORIAN
from forewarn.policies.machine_rows import MachineRows
from tests.learning.test_fleet import SECOND, SIGNALS, START, behaviour, readings


def test_rows_of_the_past_are_those_of_the_stream(tmp_path: Path) -> None:
    batch = readings({"a": behaviour(3, 300)})
    random = np.random.default_rng(0)
    kept = np.flatnonzero(
        (random.random(len(batch)) < 0.8) & ~((batch.time > START + 200 * SECOND) & (batch.signal == 2))
    )
    some = batch.take(kept)
    signals = SIGNALS[:4]
    stream = MachineRows(np.array([[1, 2, 3, 4]], np.int32), SECOND, holds(signals, SECOND)[None], 1)
    live = {}
    for block in stream.take(some):
        live |= {int(t): row for t, row in zip(block.time[0], block.value[0, 1:], strict=True)}
    historian = HISTORIAN(tmp_path)
    try:
        order = np.argsort(some.time, kind="stable")
        for number, part in enumerate(np.array_split(order, 7), 1):
            one = some.take(part[np.lexsort((some.time[part], some.signal[part]))])
            historian.append([(number, ReadingBatch(one.signal, one.time, one.value, one.quality, "gw", number))])
        spans = [Span(START + 20 * SECOND, START + 120 * SECOND), Span(START + 150 * SECOND, START + 290 * SECOND)]
        found = past_rows(historian, signals, SECOND, spans)
    finally:
        historian.close()
    breaks = np.flatnonzero(np.isnan(found).all(axis=1))
    first, second = found[: breaks[np.searchsorted(breaks, 50)]], found[breaks[np.searchsorted(breaks, 50)] + 1 :]
    for rows, start in ((first[-80:], 120 - 80), (second[-120:], 290 - 120)):
        told = np.array([live[START + (start + i) * SECOND] for i in range(len(rows))])
        np.testing.assert_array_equal(rows, told)
    assert np.isnan(second[-70:, 1]).all()  # the flow that was no longer read


def test_nothing_stored_is_no_row_and_the_grid_is_as_fast_as_the_fastest_signal() -> None:
    assert past_rows(None, SIGNALS[:4], SECOND, []).shape == (0, 4)  # type: ignore[arg-type]
    assert step_of(SIGNALS[:4]) == SECOND


def test_a_span_in_which_nothing_was_read_has_no_row(tmp_path: Path) -> None:
    historian = HISTORIAN(tmp_path)
    try:
        found = past_rows(historian, SIGNALS[:4], SECOND, [Span(START, START + 60 * SECOND)])
    finally:
        historian.close()
    assert found.shape == (0, 4)
    assert joined([], 4).shape == (0, 4)
    rows = np.arange(8.0).reshape(2, 4)
    np.testing.assert_array_equal(joined([rows, rows], 4), [*rows, [np.nan] * 4, *rows])
