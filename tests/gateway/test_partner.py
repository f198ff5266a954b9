"""Holder, site and waiting partner over a time of cuts and kills: each moment of a polled source is told by one."""

from dataclasses import dataclass, field
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.catalog import lease_gaps
from forewarn.contracts.gateway_leases import Missing
from forewarn.contracts.outbox import Packed, Urgency
from forewarn.domain.series import Series
from forewarn.gateway.gaps import Gaps
from forewarn.gateway.partner import MARGIN_US, Origins, Told
from forewarn.gateway.wire import Wire
from forewarn.kit.clock import SECOND
from tests.gateway.scripted import signal

TICK = SECOND // 10
POLL, CLAIM, FOUND_OUT = 10, 20, 100  # ticks
BEGIN = 10_000 * SECOND
ORIGINS = Origins.of([signal(1, "plc")], ["plc"])


@dataclass
class Holder:
    """It polls at full seconds. Another source of it is always read, so that what it covers goes on while it runs."""

    has_other: bool
    tick: int = 0
    read: list[int] = field(default_factory=list)
    runs: bool = True
    reaches: bool = True
    lost_at: int | None = None

    def __post_init__(self) -> None:
        self.row = SimpleNamespace(cover_from=BEGIN, covered_until=BEGIN, missing=None)
        self.losses: list[int] = []
        self.told: set[int] = set()
        self.start()

    @property
    def now(self) -> int:
        return BEGIN + self.tick * TICK

    def start(self) -> None:
        self.runs, self.reaches, self.lost_at = True, True, None
        self.losses.append(self.now)
        self.gaps = Gaps(lambda: self.now)
        self.plc = self.gaps.of("plc", exact=True, newest=lambda: self.read[-1] if self.read else BEGIN)

    def step(self) -> None:
        self.tick += 1
        if not self.runs:
            return
        if self.lost_at == self.tick:
            self.plc.lost()
            self.losses.append(self.now)
        if self.reaches and self.tick % POLL == 0:
            self.plc.took(self.now, self.now)
            self.read.append(self.now)
        if self.tick % CLAIM == 3:
            self.claim()

    def claim(self) -> None:
        came = self.now - 1 if self.has_other else self.read[-1] if self.read else 0
        self.row.covered_until = max(came, self.row.covered_until)
        missing = Missing(tuple(self.gaps.spans()), self.gaps.until())
        self.told |= {start for _, start, _ in missing.spans}
        self.row.missing = lease_gaps.merged(self.row.missing, missing, self.row.cover_from, self.row.covered_until)

    def has_said_all(self) -> bool:
        """All that is or was missing, be it before it was over."""
        return {start for _, start, _ in self.gaps.spans()} <= self.told

    def holes(self) -> list[tuple[int, int]]:
        """Between two polls, where it lost the device or its life; at the moment of a poll: after it."""
        ends = pairwise([BEGIN, *self.read, 2**62])
        return [(before, after) for before, after in ends if any(before <= lost < after for lost in self.losses)]


class Waiting:
    """It polls half a second later, a parcel each."""

    def __init__(self, holder: Holder) -> None:
        self.holder = holder
        self.waits: list[tuple[int, Packed]] = []  # (when it came, parcel)
        self.sent: list[int] = []
        self.dropped: list[int] = []

    def step(self) -> None:
        tick = self.holder.tick
        if tick % POLL == POLL // 2:
            self.waits.append((tick, parcel(self.holder.now)))
        if tick % CLAIM == 9:
            self.ask()

    def ask(self) -> None:
        row = self.holder.row
        covered = ((row.cover_from, row.covered_until),) if row.covered_until > row.cover_from else ()
        told = Told(covered, tuple(lease_gaps.told_of(row, is_newest=True)), row.covered_until - MARGIN_US, ORIGINS)
        keep, in_line = [], True
        for came, packed in self.waits:
            share = told.share(packed, settled=came <= self.holder.tick - FOUND_OUT - CLAIM)
            if share.rest is None:
                self.dropped.append(packed.first_time)
            elif share.undecided or not in_line:
                in_line = False
                keep.append((came, packed))
            else:
                self.sent.append(packed.first_time)
        self.waits = keep


def parcel(at: int) -> Packed:
    row = Series(np.array([1], np.int32), np.array([at]), np.array([1.0]), np.zeros(1, np.uint32))
    return Wire().readings(row, Urgency.NORMAL)


def inside(at: int, spans: list[tuple[int, int]]) -> bool:
    return any(start < at < end for start, end in spans)


def play(has_other: bool, events: list[tuple[str, int, int, int]]) -> tuple[Holder, Waiting]:
    """events: (what, ticks before it, ticks until it is found out, ticks more until it is mended)."""
    holder = Holder(has_other)
    waiting = Waiting(holder)

    def go_on(ticks: int) -> None:
        for _ in range(ticks):
            holder.step()
            waiting.step()

    for what, before, found_out, lasts in events:
        go_on(before)
        if what == "cut":
            holder.reaches, holder.lost_at = False, holder.tick + found_out
            go_on(found_out + lasts)
            holder.reaches = True
        else:
            while not holder.has_said_all():  # what was lost and found between two words dies with it
                go_on(1)
            holder.runs = False
            go_on(lasts)
            holder.start()
    go_on(FOUND_OUT + 200)
    return holder, waiting


def events(*kinds: str) -> st.SearchStrategy[list[tuple[str, int, int, int]]]:
    one = st.tuples(st.sampled_from(kinds), st.integers(1, 150), st.integers(1, FOUND_OUT), st.integers(0, 150))
    return st.lists(one, max_size=4)


@settings(max_examples=30, deadline=None)
@given(st.booleans(), events("cut"))
def test_what_the_holder_misses_is_told_by_its_partner_and_nothing_else(
    has_other: bool, happens: list[tuple[str, int, int, int]]
) -> None:
    holder, waiting = play(has_other, happens)
    holes = holder.holes()
    assert not [at for at in waiting.dropped if inside(at, holes)]
    assert not [at for at in waiting.sent if not inside(at, holes)]
    left = [packed.first_time for _, packed in waiting.waits]
    assert all(at > holder.now - 25 * SECOND for at in left)
    assert not set(left) & set(waiting.sent)


@settings(max_examples=30, deadline=None)
@given(st.booleans(), events("cut", "kill"))
def test_whatever_the_holder_suffers_nothing_is_lost(has_other: bool, happens: list[tuple[str, int, int, int]]) -> None:
    """Killed between two words to the site it may leave something told twice."""
    holder, waiting = play(has_other, happens)
    assert not [at for at in waiting.dropped if inside(at, holder.holes())]
    told = {*waiting.sent, *(packed.first_time for _, packed in waiting.waits)}
    polls = [BEGIN + tick * TICK for tick in range(POLL // 2, holder.tick, POLL)]
    assert not [at for at in polls if inside(at, holder.holes()) and at not in told]
