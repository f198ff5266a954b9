"""Whole stretches: where they lie follows from the asset and the time alone, machines take turns, hours are covered."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.domain.errors import ConfigurationError
from forewarn.domain.gateways import Reduction
from forewarn.domain.model_versions import Span
from forewarn.policies.whole_stretches import WholeStretches, continued, in_both, turn_of, with_newest

SECOND = 1_000_000
ALL, NONE = (("*", True),), (("*", False),)
T0 = 1_767_225_600 * SECOND
DAY = 86_400 * SECOND
SETTINGS = st.integers(60, 86_400).flatmap(
    lambda every: st.builds(WholeStretches, st.integers(1, min(every - 1, 3_600)), st.just(every))
)


@given(SETTINGS, st.text(max_size=20), st.integers(0, 2**55), st.integers(0, 2 * DAY))
def test_the_spans_are_where_readings_are_kept(whole: WholeStretches, asset: str, start: int, length: int) -> None:
    spans = list(whole.spans(asset, start, start + length))
    edges = [t for s in spans for t in (s.start - 1, s.start, s.end - 1, s.end)]
    times = np.array([*edges, start, start + length // 2, start + length - 1], np.int64)
    times = times[(times >= start) & (times < start + length)]
    inside = whole.inside(np.full(len(times), turn_of(asset)), times)
    assert inside.tolist() == [any(s.start <= t < s.end for s in spans) for t in times.tolist()]


@given(SETTINGS, st.text(max_size=20), st.integers(0, 2**40))
def test_each_period_has_one_stretch_within_it(whole: WholeStretches, asset: str, number: int) -> None:
    every = whole.every_s * SECOND
    (span,) = whole.spans(asset, number * every, (number + 1) * every)
    assert number * every <= span.start < span.end <= (number + 1) * every
    assert span.end - span.start == whole.seconds * SECOND


def test_what_a_machine_does_every_hour_is_seen_at_every_part_of_the_hour() -> None:
    spans = WholeStretches(90, 3_600).spans("pump-1", T0, T0 + 14 * DAY)
    quarters = np.bincount([s.start % (3_600 * SECOND) // (300 * SECOND) for s in spans], minlength=12)
    assert quarters.sum() == 336
    assert quarters.min() > 0.7 * 28
    day = WholeStretches(90, 3_600).spans("pump-1", T0, T0 + DAY)
    assert len({s.start % (3_600 * SECOND) // (900 * SECOND) for s in day}) == 4


def test_machines_take_turns() -> None:
    turns = np.array([turn_of(f"pump-{n}") for n in range(1_000)], np.int64)
    whole = WholeStretches(90, 3_600)
    at_once = [int(whole.inside(turns, np.full(1_000, T0 + s * SECOND)).sum()) for s in range(0, 7_200, 30)]
    assert np.mean(at_once) == pytest.approx(25, abs=3)
    assert max(at_once) < 60, "a thousand at random would not be far from that"


def test_none_where_none_is_wanted_and_what_cannot_be_is_said() -> None:
    never = WholeStretches(0)
    assert list(never.spans("a", T0, T0 + DAY)) == []
    assert not never.inside(np.zeros(3, np.int64), np.full(3, T0)).any()
    for seconds, every, why in ((-1, 60, "whole_s"), (3_601, 7_200, "3600"), (10, 59, "60"), (60, 60, "less than")):
        with pytest.raises(ConfigurationError, match=why):
            WholeStretches(seconds, every)


def test_what_was_told_is_kept_and_what_is_new_follows_it() -> None:
    first = Reduction(100, (("*", True),), 90, 3_600)
    assert with_newest((), first) == (first,)
    assert with_newest((first,), Reduction(200, (("*", True),), 90, 3_600)) == (first,)
    other = Reduction(200, (("*", True), ("p1.*", False)), 90, 3_600)
    assert with_newest((first,), other) == (first, other)
    back = Reduction(50, (("*", True),), 30, 3_600)
    assert [r.since for r in with_newest((first, other), back)] == [100, 200, 201], "the clock was set back"
    many: tuple[Reduction, ...] = ()
    for n in range(50):
        many = with_newest(many, Reduction(n, (), n % 2, 3_600))
    assert [r.since for r in many] == list(range(30, 50))


def test_what_a_site_knows_goes_on_where_a_gateway_begins_anew() -> None:
    first, other, third = (Reduction(n, ALL, n, 3_600) for n in (10, 20, 30))
    assert continued((), (first,), 0, 500) == (replace(first, since=500),), "before it said anything nothing is known"
    assert continued((first,), (first,), 400, 500) == (first,)
    assert continued((first,), (first, other, third), 15, 500) == (first, other, third), "told late, but told"
    assert continued((first, other), (other, third), 25, 500) == (first, other, third), "it has forgotten the oldest"
    anew = continued((first, other), (replace(third, since=0),), 400, 500)
    nothing_whole = Reduction(400, ALL, 0, 3_600)
    assert anew == (first, other, nothing_whole, replace(third, since=500)), "since it was heard last nothing is known"
    assert continued(anew, (replace(third, since=0),), 550, 600) == anew
    assert continued((first,), (replace(first, since=0),), 400, 500) == (first,)
    assert continued((first,), (), 400, 500) == (), "an older version: who knows"


def test_what_a_gateway_went_back_to_while_it_was_away_is_not_what_it_never_left() -> None:
    open_, thins, again = Reduction(0, NONE), Reduction(200, ALL, 90), Reduction(300, NONE)
    known = continued((open_,), (open_, thins, again), 100, 400)
    assert known == (open_, thins, again)
    assert continued(known, (open_, thins, again), 400, 500) == known


CHOICES = [Reduction(0, NONE), Reduction(0, ALL, 90), Reduction(0, ALL, 30), Reduction(0, ALL, 0)]
STEPS = st.lists(
    st.tuples(st.sampled_from(["set", "set", "set", "heard", "heard", "lost", "idle"]), st.integers(0, 3)),
    min_size=8,
    max_size=80,
)


def holding(told: Sequence[Reduction], at: int) -> Reduction | None:
    return next((replace(r, since=0) for r in reversed(told) if r.since <= at), None)


@given(STEPS)
@settings(max_examples=300)
def test_no_time_is_called_less_thinned_than_the_gateway_said(steps: list[tuple[str, int]]) -> None:
    """Settings that change, heartbeats that come now and then, states that are lost with what was not sent yet."""
    now, heard, setting = 1_000, 0, CHOICES[0]
    told: tuple[Reduction, ...] = (setting,)
    known: tuple[Reduction, ...] = ()
    truth: list[tuple[int, Reduction | None]] = [(0, setting)]  # None: its readings never came
    for what, n in steps:
        now += 10
        if what == "set":
            setting = CHOICES[n]
            told = with_newest(told, replace(setting, since=now))
            truth.append((now, setting))
        elif what == "heard":
            known, heard = continued(known, told, heard, now), now
        elif what == "lost":
            truth = [(at, was) for at, was in truth if at < heard] + [(heard, None)]
            setting = CHOICES[n]
            told = (setting,)
            truth.append((now, setting))
        else:
            now += n
    for (start, was), (end, _) in pairwise([*truth, (now + 10, None)]):
        changes = [start, *(r.since for r in known if start < r.since < end)] if was is not None else []
        for at in changes:
            held = holding(known, at)
            # What was said since the last heartbeat comes with the next one, before it is learned from.
            if at < heard and held is not None:
                assert held == was or (held.thinned == ALL and not held.whole_s)


SPANS = st.lists(st.integers(0, 60), unique=True, max_size=12).map(
    lambda edges: [Span(a, b) for a, b in zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False)]
)


@given(SPANS, SPANS)
def test_what_lies_in_both(some: list[Span], others: list[Span]) -> None:
    found = in_both(some, others)
    ticks = [{t for s in spans for t in range(s.start, s.end)} for spans in (some, others, found)]
    assert ticks[0] & ticks[1] == ticks[2]
    assert all(a.end <= b.start for a, b in pairwise(found))
