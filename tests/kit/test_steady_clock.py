"""A step of the machine's clock is held back until it is confirmed; everything else is followed."""

from hypothesis import given
from hypothesis import strategies as st

from forewarn.kit.clock import HOUR, MINUTE, SECOND
from forewarn.kit.steady_clock import SteadyClock


class Machine:
    """Two clocks that the test moves."""

    def __init__(self) -> None:
        self.wall, self.monotonic = 1_800_000_000 * SECOND, 5 * SECOND

    def passes(self, us: int) -> None:
        self.wall += us
        self.monotonic += us

    def clock(self) -> SteadyClock:
        return SteadyClock(lambda: self.wall, lambda: self.monotonic)


def test_a_step_is_held_back_until_the_site_confirms_it() -> None:
    machine = Machine()
    clock = machine.clock()
    before = clock()
    machine.passes(SECOND)
    machine.wall += HOUR
    assert clock() == before + SECOND
    assert clock.held_us == HOUR
    assert not clock.judge(SECOND // 10)  # the site agrees with us: the step was wrong
    assert clock() == before + SECOND
    assert clock.judge(HOUR - SECOND // 10)  # the site agrees with the step
    assert clock() == machine.wall
    assert clock.held_us == 0


def test_a_step_that_is_taken_back_leaves_no_trace() -> None:
    machine = Machine()
    clock = machine.clock()
    for step in (HOUR, -HOUR):
        machine.wall += step
        machine.passes(SECOND)
        clock()
    assert (clock(), clock.held_us) == (machine.wall, 0)


def test_a_step_nobody_speaks_against_is_followed_after_a_quarter_of_an_hour() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall -= HOUR
    assert clock() == machine.wall + HOUR
    machine.passes(16 * MINUTE)
    assert clock() == machine.wall
    machine.passes(SECOND)
    assert clock() == machine.wall


@given(st.lists(st.tuples(st.integers(1, 10 * SECOND), st.integers(-SECOND, SECOND)), max_size=50))
def test_slow_corrections_are_followed(moves: list[tuple[int, int]]) -> None:
    machine = Machine()
    clock = machine.clock()
    for passed, slewed in moves:
        machine.passes(passed)
        machine.wall += slewed
        assert clock() == machine.wall


@given(st.lists(st.tuples(st.integers(1, MINUTE), st.integers(-50 * HOUR, 50 * HOUR)), max_size=12))
def test_it_never_steps_by_itself_within_a_quarter_of_an_hour(moves: list[tuple[int, int]]) -> None:
    machine = Machine()
    clock = machine.clock()
    told, drift = clock(), 0
    for passed, step in moves:
        machine.passes(passed)
        machine.wall += step
        drift += abs(step) if abs(step) <= 2 * SECOND else 0
        now = clock()
        # What looks like a slew is followed; a held step that comes back within 2 s counts as taken back.
        assert abs(now - told - passed) <= drift + 4 * SECOND
        told = now


def test_a_machine_that_booted_in_1970_is_set_right_at_once() -> None:
    machine = Machine()
    machine.wall = 12 * SECOND
    clock = machine.clock()
    machine.wall = 1_800_000_000 * SECOND
    assert clock() == machine.wall


def test_what_is_of_the_future_is_so_for_both_clocks() -> None:
    machine = Machine()
    clock = machine.clock()
    assert clock.latest() == clock()
    for other_us in (-HOUR, 0, HOUR):
        assert not clock.judge(other_us)
        assert clock.latest() == clock() + max(0, other_us)
    before = clock()
    machine.wall += HOUR
    assert clock() == before
    assert clock.latest() == machine.wall
    assert clock.judge(HOUR)  # we are where the other one is now
    assert clock.latest() == clock() == machine.wall
