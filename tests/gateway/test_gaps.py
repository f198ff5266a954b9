"""What was not read is told exactly, whatever is lost and comes back in whatever order."""

import asyncio
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.errors import BatchLogFull, SourceUnreachable
from forewarn.domain.sources import SourceTimes
from forewarn.gateway.gaps import MOST_GAPS, Gaps, SourceGaps
from forewarn.gateway.runner import SourceRunner
from forewarn.kit.clock import SECOND
from forewarn.kit.retry import Backoff
from tests.gateway.scripted import MemoryDoor, ScriptedConnector, Started, signal, source
from tests.plugins.connectors.recording import eventually

MARGIN = 5 * SECOND
QUICK = Backoff(first_s=0.01, cap_s=0.05)
STEPS = st.lists(st.tuples(st.sampled_from(["read", "lost"]), st.integers(1, 20 * SECOND)), max_size=60)


class Clock:
    now = 1_000 * SECOND

    def __call__(self) -> int:
        return self.now


class Polled(ScriptedConnector):
    times = SourceTimes.RECEPTION


@given(STEPS)
def test_of_a_polled_source_a_gap_is_between_two_readings_and_holds_none(steps: list[tuple[str, int]]) -> None:
    clock = Clock()
    gaps = SourceGaps(0, True, clock)
    read, lost_after = [0], {0}
    for step, later in steps:
        clock.now += later
        if step == "read":
            gaps.took(clock.now, clock.now)
            read.append(clock.now)
        else:
            gaps.lost()
            lost_after.add(read[-1])
    between = [(before, after) for before, after in pairwise(read) if before in lost_after]
    lasts = [(read[-1], None)] if read[-1] in lost_after else []
    assert gaps.spans() == [*between, *lasts]


@given(STEPS, st.integers(-MARGIN + 1, MARGIN - 1))
def test_of_a_device_s_times_none_is_missing_that_no_gap_names(steps: list[tuple[str, int]], off_us: int) -> None:
    """Its clock is a little off; what it says anew after a loss is old."""
    clock = Clock()
    gaps = SourceGaps(0, False, clock)
    is_lost, missed, last = True, [], 0
    for step, later in steps:
        clock.now += later
        if step == "lost":
            gaps.lost()
            is_lost = True
        elif is_lost:
            missed.append(clock.now + off_us)  # the device says something while we do not hear it
            clock.now += 1
            gaps.took(last, max(last, 1))
            is_lost = False
        else:
            last = clock.now + off_us
            gaps.took(last, last)
    spans = gaps.spans()
    for at in missed:
        assert any(start < at and (end is None or at < end) for start, end in spans), (at, spans)
    closed = [span for span in spans if span[1] is not None]
    assert all(before[1] <= after[0] for before, after in pairwise(closed)), "merged where they touch"


def test_after_our_clock_was_set_back_a_gap_of_a_polled_source_is_told_all_the_same() -> None:
    clock = Clock()
    gaps = SourceGaps(clock.now - SECOND, True, clock)
    gaps.took(clock.now, clock.now)
    clock.now -= 600 * SECOND
    gaps.took(clock.now, clock.now)
    before = clock.now
    gaps.lost()
    clock.now += 9 * SECOND
    gaps.took(clock.now, clock.now)
    assert gaps.spans()[-1] == (before, clock.now)


def test_a_device_that_says_any_time_at_all_makes_no_span_that_a_site_refuses() -> None:
    clock = Clock()
    gaps = SourceGaps(0, False, clock)
    for newest in (2**63 - 1, 253_402_300_799 * SECOND, 5):
        gaps.took(-(2**63), newest)
        gaps.lost()
    assert all(0 <= start < (end or 2**62) <= clock.now + 3_700 * SECOND or end is None for start, end in gaps.spans())


def test_only_the_newest_are_kept_and_those_that_last_among_them() -> None:
    clock = Clock()
    gaps = Gaps(clock)
    lasting = gaps.of("away", exact=True)
    flaps = [gaps.of(name, exact=True) for name in ("a", "b")]
    for _ in range(MOST_GAPS):
        clock.now += SECOND
        for each in flaps:
            each.took(clock.now - 2, clock.now - 1)
            each.lost()
    spans = gaps.spans()
    assert len(spans) == MOST_GAPS
    assert ("away", 0, None) in spans
    assert min(end for _, _, end in spans if end is not None) > clock.now - MOST_GAPS // 2 * SECOND - 2
    assert lasting.spans() == [(0, None)]
    assert gaps.until() == clock.now - MARGIN


def runner_of(connector: ScriptedConnector, door: MemoryDoor, gaps: Gaps, **more: object) -> SourceRunner:
    signals = [signal(1, "a"), signal(2, "b")]
    sources = [source("a"), source("b")]
    return SourceRunner(sources, signals, {"scripted": connector}, door, lambda _: -1, backoff=QUICK, gaps=gaps, **more)


async def test_a_source_that_is_lost_and_comes_back_leaves_its_gap() -> None:
    door, gaps = MemoryDoor(), Gaps(Clock())
    connector = Polled(a=[(1, 10, 1.0), (1, 20, 1.0), SourceUnreachable("cut"), (1, 90, 2.0)], b=[(2, 5, 1.0)])
    async with Started(runner_of(connector, door, gaps)) as runner:
        await eventually(lambda: len(door.rows(1)) == 4 and len(door.rows(2)) == 1, "back again")
        assert gaps.spans() == [("b", 0, 5), ("a", 0, 10), ("a", 20, 90)]
        await runner.update([source("a")], [signal(1, "a")])
        assert ("b", 5, None) in gaps.spans()  # the partner may have it still
    assert {("a", 90, None), ("b", 5, None)} <= set(gaps.spans())


async def test_who_starts_again_misses_everything_since_what_it_had_stored() -> None:
    gaps = Gaps(Clock())
    stored = {1: 70, 2: np.iinfo(np.int64).min}
    dead = Polled(a=[SourceUnreachable("cut")] * 100, b=[SourceUnreachable("cut")] * 100)
    runner_of(dead, MemoryDoor(), gaps, newest=lambda keys: np.array([stored[int(key)] for key in keys]))
    assert gaps.spans() == [("b", 0, None), ("a", 70, None)]  # before anything runs


async def test_while_the_disk_refuses_nothing_is_read() -> None:
    door, gaps = MemoryDoor(), Gaps(Clock())
    door.refusals = [BatchLogFull("full", retry_after_s=0.2)]
    connector = Polled(a=[(1, 10, 1.0), (1, 20, 2.0)])
    async with Started(runner_of(connector, door, gaps)):
        await eventually(lambda: ("a", 10, None) in gaps.spans(), "told while it lasts")
        await asyncio.sleep(0)
        await eventually(lambda: len(door.rows(1)) == 2, "stored at last")
        assert ("a", 10, 20) in gaps.spans()
