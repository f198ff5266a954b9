"""How far the site's clock is away: noise is averaged out, a clock that was set is seen at once."""

from hypothesis import given
from hypothesis import strategies as st

from forewarn.gateway.uplink.clock_offset import ClockOffset
from forewarn.kit.clock import HOUR, SECOND

MS = 1_000


def beat(offset: ClockOffset, sent_at: int, ahead_us: int, there_us: int = 5 * MS, back_us: int = 5 * MS) -> None:
    offset.add(sent_at, sent_at + there_us + ahead_us, sent_at + there_us + back_us)


def test_a_clock_that_was_set_is_seen_at_the_next_heartbeat() -> None:
    offset = ClockOffset()
    for second in range(8):
        beat(offset, second * SECOND, 0)
    beat(offset, 9 * SECOND, -HOUR, there_us=300 * MS)  # slower than all before it
    assert abs((offset.offset_s or 0) + 3_600) < 0.2
    beat(offset, 10 * SECOND, 0)
    assert offset.offset_s == 0


@given(st.lists(st.tuples(st.integers(0, 4 * SECOND), st.integers(0, 4 * SECOND)), min_size=1, max_size=30))
def test_slow_networks_set_no_clock(trips: list[tuple[int, int]]) -> None:
    offset = ClockOffset()
    for turn, (there_us, back_us) in enumerate(trips):
        beat(offset, turn * 10 * SECOND, 250 * MS, there_us, back_us)
    shortest = min(sum(trip) for trip in trips[-8:])
    assert offset.round_trip_s == shortest / SECOND
