"""How long wrong passwords make one wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.kit.clock import MINUTE, SECOND
from forewarn.policies.lockout import LIMITS, Counted, Failures, delay_us, key_of, wait_s

_COUNTS = st.integers(0, 10**9)
_TIMES = st.integers(-(10**18), 10**18)
_FAILURES = st.builds(Failures, st.sampled_from(Counted), _COUNTS, _TIMES)


@pytest.mark.parametrize(
    ("by", "count", "seconds"),
    [
        (Counted.PAIR, 0, 0),
        (Counted.PAIR, 4, 0),
        (Counted.PAIR, 5, 1),
        (Counted.PAIR, 6, 2),
        (Counted.PAIR, 9, 16),
        (Counted.PAIR, 14, 512),
        (Counted.PAIR, 15, 900),
        (Counted.PAIR, 10_000, 900),
        (Counted.ADDRESS, 19, 0),
        (Counted.ADDRESS, 20, 1),
        (Counted.ADDRESS, 1_000, 900),
        (Counted.NAME, 49, 0),
        (Counted.NAME, 50, 1),
        (Counted.NAME, 10**9, 30),
    ],
)
def test_the_steps(by: Counted, count: int, seconds: int) -> None:
    assert delay_us(by, count) == seconds * SECOND
    assert wait_s([Failures(by, count, 1_000)], 1_000) == seconds


def test_the_longest_of_all_counts() -> None:
    now = 100 * MINUTE
    assert wait_s([], now) == 0
    assert wait_s([Failures(Counted.PAIR, 6, now), Failures(Counted.NAME, 55, now - SECOND)], now) == 29


@given(st.lists(_FAILURES, max_size=4), _TIMES)
def test_nobody_waits_longer_than_the_longest_whatever_the_clocks_say(failures: list[Failures], now: int) -> None:
    longest = max((LIMITS[f.by].longest_us for f in failures), default=0)
    assert 0 <= wait_s(failures, now) * SECOND <= longest


@given(st.sampled_from(Counted), _COUNTS, _COUNTS)
def test_more_failures_never_wait_less(by: Counted, one: int, other: int) -> None:
    assert delay_us(by, min(one, other)) <= delay_us(by, max(one, other))


@given(_FAILURES, st.integers(0, 10**10))
def test_who_waits_the_time_told_waits_no_more(failures: Failures, passed: int) -> None:
    now = failures.last_at + passed
    waited = now + round(wait_s([failures], now) * SECOND)
    assert wait_s([failures], waited) == 0


def test_a_name_counts_however_it_is_written() -> None:
    assert key_of(Counted.NAME, "ANNA", "1.2.3.4") == key_of(Counted.NAME, "ａnna ", "5.6.7.8")
    assert key_of(Counted.PAIR, "ANNA", "1.2.3.4") == key_of(Counted.PAIR, "anna", "1.2.3.4")
    assert len({key_of(by, "1.2.3.4", "1.2.3.4") for by in Counted}) == 3
