"""Minutes that gateways told: they stand in for readings that were kept back, at any age, once, and after kill -9."""

import signal as signals
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.domain.errors import WouldBlock
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Aggregates
from forewarn.plugins.historians.parquet import ParquetHistorian, ParquetReader

MINUTE = 60_000_000
HOUR = 60 * MINUTE
START = 1_800_000_000_000_000 // HOUR * HOUR
NAMES = ("signal", "start", "count", "good", "mean", "minimum", "maximum", "stddev")


def keys(*wanted: int) -> np.ndarray:
    return np.array(wanted, np.int32)


def batch(rows: list[tuple[int, int, float]]) -> ReadingBatch:
    signal, time, value = zip(*rows, strict=True)
    return ReadingBatch(
        np.array(signal, np.int32),
        np.array(time, np.int64),
        np.array(value, np.float64),
        np.zeros(len(rows), np.uint32),
        "gw",
        1,
    )


def statistics(rows: list[tuple[int, int, float]], width: int = MINUTE) -> Aggregates:
    """As plainly as it can be said."""
    buckets: dict[tuple[int, int], list[float]] = {}
    for key, time, value in rows:
        buckets.setdefault((key, time // width * width), []).append(value)
    found = [(k, at, np.array(values)) for (k, at), values in sorted(buckets.items())]
    return Aggregates(
        np.array([k for k, _, _ in found], np.int32),
        np.array([at for _, at, _ in found], np.int64),
        np.array([v.mean() for _, _, v in found]),
        np.array([v.min() for _, _, v in found]),
        np.array([v.max() for _, _, v in found]),
        np.array([v.std(ddof=1) if len(v) > 1 else np.nan for _, _, v in found]),
        np.array([len(v) for _, _, v in found], np.int64),
        np.array([len(v) for _, _, v in found], np.int64),
    )


def alike(found: Aggregates, wanted: Aggregates) -> None:
    for name in NAMES:
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=1e-9, atol=1e-9, err_msg=name)


def every_second(key: int, minutes: int, first: int = START) -> list[tuple[int, int, float]]:
    noise = np.random.default_rng(key).normal(50.0, 3.0, minutes * 60)
    return [(key, first + i * 1_000_000, float(v)) for i, v in enumerate(noise)]


@pytest.fixture
def historian(tmp_path: Path) -> Iterator[ParquetHistorian]:
    opened = ParquetHistorian(tmp_path / "historian")
    yield opened
    opened.close()


@pytest.mark.parametrize("width", [MINUTE, 5 * MINUTE, HOUR, 24 * HOUR])
def test_told_minutes_give_what_all_readings_would(historian: ParquetHistorian, width: int) -> None:
    rows, plain = every_second(1, 130), every_second(2, 130)
    kept = [row for i, row in enumerate(rows) if i % 97 == 0 or 3_000 <= i < 3_020]
    historian.append([(1, batch(kept + plain))])
    historian.flush()
    assert historian.append_minutes(statistics(rows)) == 130
    alike(historian.aggregate(keys(1, 2), START, START + 3 * HOUR, width), statistics(rows + plain, width))
    alike(historian.aggregate(None, START, START + 3 * HOUR, width), statistics(rows + plain, width))
    alike(historian.aggregate(keys(1), START, START + 3 * HOUR, width), statistics(rows, width))


def test_below_a_minute_only_readings_count(historian: ParquetHistorian) -> None:
    rows = every_second(1, 2)
    historian.append([(1, batch(rows[:7]))])
    historian.append_minutes(statistics(rows))
    for width in (1, 1_000_000, 30_000_000, 90_000_000):
        alike(historian.aggregate(keys(1), START, START + HOUR, width), statistics(rows[:7], width))
    assert historian.raw(keys(1), START, START + HOUR).time.tolist() == [t for _, t, _ in rows[:7]]


def test_a_minute_that_the_range_cuts_is_not_told_of(historian: ParquetHistorian) -> None:
    rows = every_second(1, 3)
    historian.append([(1, batch(rows[::10]))])
    historian.append_minutes(statistics(rows))
    found = historian.aggregate(keys(1), START + 30_000_000, START + 3 * MINUTE - 1, MINUTE)
    assert found.count.tolist() == [3, 60, 6]


def test_readings_that_come_late_count_once_and_outnumber_it_when_they_are_more(historian: ParquetHistorian) -> None:
    rows = every_second(1, 2)
    historian.append_minutes(statistics(rows[:100]))  # 60, and 40 of the second minute
    historian.append([(1, batch(rows[:10]))])
    historian.flush()
    alike(historian.aggregate(keys(1), START, START + HOUR, HOUR), statistics(rows[:100], HOUR))
    historian.append([(2, batch(rows))])  # all of them after all, asked for
    alike(historian.aggregate(keys(1), START, START + HOUR, HOUR), statistics(rows, HOUR))
    historian.flush()
    alike(historian.aggregate(keys(1), START, START + HOUR, HOUR), statistics(rows, HOUR))


def test_a_minute_told_again_counts_once_and_the_fuller_one_stands(historian: ParquetHistorian) -> None:
    rows = every_second(1, 2)
    assert historian.append_minutes(statistics(rows[:90])) == 2
    assert historian.append_minutes(statistics(rows[:90])) == 0
    assert historian.append_minutes(statistics(rows)) == 1
    assert historian.append_minutes(statistics(rows[:70])) == 0
    alike(historian.aggregate(keys(1), START, START + HOUR, HOUR), statistics(rows, HOUR))
    alike(historian.told_minutes(keys(1), START, START + HOUR), statistics(rows))


def test_the_event_loop_does_not_wait_for_it(historian: ParquetHistorian) -> None:
    historian.append_minutes(statistics(every_second(1, 1)))
    historian.append([(1, batch(every_second(2, 1)))])
    with pytest.raises(WouldBlock):
        historian.at_once.aggregate(keys(1), START, START + HOUR, MINUTE)
    assert len(historian.at_once.aggregate(keys(2), START, START + HOUR, MINUTE)) == 1


def test_another_process_sees_it(historian: ParquetHistorian, tmp_path: Path) -> None:
    reader = ParquetReader(tmp_path / "historian")
    try:
        rows = every_second(1, 1)
        historian.append_minutes(statistics(rows))
        alike(reader.aggregate(keys(1), START, START + HOUR, MINUTE), statistics(rows))
    finally:
        reader.close()


def test_it_is_let_go_with_the_rollups(historian: ParquetHistorian) -> None:
    historian.append_minutes(statistics(every_second(1, 120)))
    historian.forget(START + HOUR, 0)
    assert len(historian.told_minutes(keys(1), START, START + 2 * HOUR)) == 120
    historian.forget(START + HOUR, START + HOUR + 5)
    assert historian.told_minutes(keys(1), START, START + 2 * HOUR).start.min() == START + HOUR


CHILD = """
import sys
from pathlib import Path
from forewarn.plugins.historians.parquet import ParquetHistorian
from tests.plugins.historians.parquet.test_told_minutes import every_second, statistics
historian = ParquetHistorian(Path(sys.argv[1]))
for key in range(1, 1_000):
    historian.append_minutes(statistics(every_second(key, 2)))
    print(key, flush=True)
"""


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    told = [int(child.stdout.readline()) for _ in range(20)]
    child.send_signal(signals.SIGKILL)
    told += [int(line) for line in child.stdout.read().split()]
    child.wait()
    historian = ParquetHistorian(tmp_path)
    try:
        found = historian.told_minutes(keys(*told), START, START + HOUR)
        assert np.unique(found.signal).tolist() == told
        assert found.count.tolist() == [60] * 2 * len(told)
    finally:
        historian.close()


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_any_order_of_tellings_and_readings_gives_one_answer(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A law: per minute the fuller one counts, whatever came first, flushed or not, before or after a restart."""
    folder = tmp_path_factory.mktemp("law")
    everything = {key: every_second(key, 3) for key in (1, 2)}
    told: dict[tuple[int, int], list[tuple[int, int, float]]] = {}
    stored: dict[tuple[int, int], tuple[int, int, float]] = {}
    historian, offset = ParquetHistorian(folder), 0
    try:
        for _ in range(data.draw(st.integers(1, 12))):
            step = data.draw(st.sampled_from(("tell", "store", "flush", "restart")))
            key = data.draw(st.sampled_from((1, 2)))
            begin = data.draw(st.integers(0, 170))
            rows = everything[key][begin : begin + data.draw(st.integers(1, 120))]
            if step == "tell":
                historian.append_minutes(statistics(rows))
                for at in {t // MINUTE for _, t, _ in rows}:
                    mine = [row for row in rows if row[1] // MINUTE == at]
                    if len(mine) > len(told.get((key, at), [])):
                        told[key, at] = mine
            elif step == "store":
                offset += 1
                historian.append([(offset, batch(rows))])
                stored |= {(key, t): (key, t, v) for _, t, v in rows}
            elif step == "flush":
                historian.flush()
            else:
                historian.close()
                historian = ParquetHistorian(folder)
        raw: dict[tuple[int, int], list[tuple[int, int, float]]] = {}
        for row in sorted(stored.values()):
            raw.setdefault((row[0], row[1] // MINUTE), []).append(row)
        wanted = []
        for cell in sorted({*told, *raw}):
            wanted += told[cell] if len(told.get(cell, [])) >= len(raw.get(cell, [])) else raw[cell]
        for width in (MINUTE, 2 * MINUTE, HOUR):
            alike(historian.aggregate(None, START - HOUR, START + 2 * HOUR, width), statistics(wanted, width))
    finally:
        historian.close()
