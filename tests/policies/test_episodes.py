"""Scores become episodes; the same readings give the same episodes however they are cut."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.domain.assets import Signal
from forewarn.domain.findings import Finding, Severity
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.plugins.detectors.robust_z import RobustZ
from forewarn.policies.episodes import Episode, EpisodeSettings, EpisodeTracker
from forewarn.policies.severity import severity_of

SECOND = 1_000_000
START = 1_700_000_000 * SECOND


def batch(scores: list[float], first_s: int = 0, signal: int = 1) -> tuple[ReadingBatch, np.ndarray, np.ndarray]:
    n = len(scores)
    time = START + (first_s + np.arange(n)) * SECOND
    score = np.array(scores)
    readings = ReadingBatch(np.full(n, signal, np.int32), time, 100 * score, np.zeros(n, np.uint32), "gw", 0)
    return readings, score, np.full(n, 7.0)


def tracker(**settings: float) -> EpisodeTracker:
    made = EpisodeTracker(EpisodeSettings(**settings))  # type: ignore[arg-type]
    made.resize(5)
    return made


def seconds(episode: Episode) -> tuple[int, int, int | None]:
    ended = None if episode.ended_at is None else (episode.ended_at - START) // SECOND
    return (episode.started_at - START) // SECOND, (episode.last_at - START) // SECOND, ended


def test_one_spike_is_an_episode_that_ends_after_calm() -> None:
    told = tracker(off_s=5.0).track(*batch([0.1, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1]))
    assert [seconds(e) for e in told] == [(2, 2, 2)]
    assert (told[0].score, told[0].value, told[0].expected, told[0].count) == (0.9, 90.0, 7.0, 1)


def test_persistence_asks_for_k_of_n_and_for_time() -> None:
    assert not tracker(k=3, n=4).track(*batch([0.9, 0.9, 0.1, 0.1, 0.9, 0.9, 0.1]))
    opened = tracker(k=3, n=4).track(*batch([0.9, 0.1, 0.9, 0.6]))
    assert [seconds(e) for e in opened] == [(0, 3, None)]
    assert not tracker(k=1, n=1, on_s=5.0).track(*batch([0.9] * 5))
    assert tracker(k=1, n=1, on_s=5.0).track(*batch([0.9] * 6))


def test_between_calm_and_limit_it_lasts_and_no_opinion_is_calm() -> None:
    one = tracker(off_s=3.0)
    one.track(*batch([0.9]))
    assert not one.track(*batch([0.45] * 10, 1))
    told = one.track(*batch([float("nan")] * 4, 11))
    assert [seconds(e) for e in told] == [(0, 0, 10)]


def test_a_long_silence_ends_it_and_a_new_one_begins() -> None:
    one = tracker(off_s=3.0)
    one.track(*batch([0.9]))
    told = one.track(*batch([0.8, 0.8], 300))
    assert [seconds(e) for e in told] == [(0, 0, 0), (300, 301, None)]


def test_readings_slower_than_the_off_delay_are_one_episode() -> None:
    one = tracker(off_s=3.0)
    for second in (0, 60, 120):
        one.track(*batch([0.9], second))
    assert [seconds(e) for e in one.standing()] == [(0, 120, None)]


def test_a_lasting_episode_is_told_when_it_rises_and_once_a_minute() -> None:
    one = tracker(retell_s=60.0)
    assert len(one.track(*batch([0.6]))) == 1
    assert not one.track(*batch([0.61] * 30, 1))
    risen = one.track(*batch([0.7], 31))
    assert [e.score for e in risen] == [0.7]
    assert len(one.track(*batch([0.6] * 70, 32))) == 1


def test_readings_told_again_change_nothing() -> None:
    one = tracker(off_s=3.0)
    one.track(*batch([0.1, 0.9, 0.9]))
    assert one.track(*batch([0.1, 0.9, 0.9])) == []
    assert one.standing()[0].count == 2


def test_an_episode_goes_on_after_a_restart() -> None:
    found = Finding(1, "a.b", "a", "x", "t", Severity.HIGH, 0.8, 80.0, None, "r", START, START + 3 * SECOND)
    one = tracker(off_s=3.0)
    one.resume([found])
    told = one.track(*batch([0.9, 0.1, 0.1, 0.1, 0.1], 4))
    assert [seconds(e) for e in told] == [(0, 4, 4)]
    assert told[0].count == 2


@settings(max_examples=200, deadline=None)
@given(
    scores=st.lists(st.sampled_from([float("nan"), 0.0, 0.45, 0.6, 0.9]), min_size=1, max_size=80),
    cuts=st.lists(st.integers(0, 80), max_size=6),
    k=st.integers(1, 4),
    spare=st.integers(0, 3),
    on_s=st.integers(0, 4),
)
def test_cutting_changes_no_episode_and_a_plain_loop_agrees(
    scores: list[float], cuts: list[int], k: int, spare: int, on_s: int
) -> None:
    policy = {"k": k, "n": k + spare, "on_s": float(on_s), "off_s": 4.0}
    whole, pieces = tracker(**policy), tracker(**policy)
    closed = [seconds(e) for e in whole.track(*batch(scores)) if e.ended_at is not None]
    edges = sorted({0, len(scores), *(c for c in cuts if c < len(scores))})
    in_parts = [
        seconds(e)
        for first, end in itertools.pairwise(edges)
        for e in pieces.track(*batch(scores[first:end], first))
        if e.ended_at is not None
    ]
    assert in_parts == closed
    assert [seconds(e) for e in pieces.standing()] == [seconds(e) for e in whole.standing()]
    assert (closed, [seconds(e) for e in whole.standing()]) == by_hand(scores, k, k + spare, on_s, 4)


def by_hand(
    scores: list[float], k: int, n: int, on_s: int, off_s: int
) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, None]]]:
    """The policy's own words, one reading at a time."""
    closed, started, begun, warm, last = [], None, None, -10_000, 0
    for t, score in enumerate(scores):
        if t - warm >= off_s:
            if started is not None:
                closed.append((started, last, warm))
            started = begun = None
        if score >= 0.4:
            warm = t
        if score > 0.5:
            begun = t if begun is None else begun
            recent = [s > 0.5 for s in scores[max(0, t - n + 1) : t + 1]]
            if started is None and sum(recent) >= k and t - begun >= on_s:
                started = begun
            last = t
    return closed, [] if started is None else [(started, last, None)]


@pytest.mark.slow
@pytest.mark.parametrize("phi", [0.0, 0.9, 0.99])
def test_a_healthy_day_of_twenty_signals_is_quiet(phi: float) -> None:
    """480 signal-hours of AR(1) noise at 1 Hz, with the default detector and persistence."""
    random, size, day = np.random.default_rng(int(phi * 1000)), 20, 86_400
    shocks = random.normal(0, np.sqrt(1 - phi * phi), (size, day))
    values = np.empty((size, day))
    values[:, 0] = random.normal(0, 1, size)
    for i in range(1, day):
        values[:, i] = phi * values[:, i - 1] + shocks[:, i]
    detector, episodes = RobustZ(), EpisodeTracker(EpisodeSettings(k=5, n=20, on_s=5.0, off_s=30.0))
    detector.configure(SignalTable.of(Signal(f"a.{k}", "a", f"{k}", "x", "u", key=k) for k in range(1, size + 1)))
    episodes.resize(size + 1)
    told = []
    for first in range(0, day, 600):
        time = np.tile(START + np.arange(first, first + 600) * SECOND, size)
        signal = np.repeat(np.arange(1, size + 1, dtype=np.int32), 600)
        part = values[:, first : first + 600].ravel()
        readings = ReadingBatch(signal, time, part, np.zeros(len(part), np.uint32), "gw", first)
        found = detector.score(readings)
        told += episodes.track(readings, found.score, found.expected)
    assert told == []


def test_severity_grows_with_the_score() -> None:
    assert [severity_of(s) for s in (0.5, 0.65, 0.8, 0.95)] == [
        Severity.LOW,
        Severity.MEDIUM,
        Severity.HIGH,
        Severity.CRITICAL,
    ]
