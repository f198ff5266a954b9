"""Of two partners one holds the lease, however their claims cross."""

from hypothesis import given
from hypothesis import strategies as st

from forewarn.kit.clock import SECOND
from forewarn.policies.lease import Lease, claim

NOW = 1_800_000_000 * SECOND
names = st.sampled_from(["a", "b"])
leases = st.builds(Lease, names, st.integers(NOW - 100 * SECOND, NOW + 100 * SECOND), st.integers(1, 9))


def test_nobody_holds_it_so_it_is_taken() -> None:
    assert claim(None, "a", NOW, 15) == Lease("a", NOW + 15 * SECOND, 1)


def test_the_holder_renews_it_without_a_change_of_hands() -> None:
    assert claim(Lease("a", NOW + SECOND, 4), "a", NOW, 15) == Lease("a", NOW + 15 * SECOND, 4)
    assert claim(Lease("a", NOW - SECOND, 4), "a", NOW, 15) == Lease("a", NOW + 15 * SECOND, 4)


def test_a_clock_that_is_far_ahead_holds_it_for_no_ever() -> None:
    assert claim(Lease("b", NOW + 10_000 * SECOND, 4), "a", NOW, 15) == Lease("a", NOW + 15 * SECOND, 5)


@given(leases, names)
def test_only_one_that_ran_out_changes_hands(current: Lease, name: str) -> None:
    mine = claim(current, name, NOW, 15)
    if current.holder != name and NOW <= current.until <= NOW + 150 * SECOND:
        assert mine is None
    else:
        assert mine is not None
        assert mine.epoch == current.epoch + (current.holder != name)
        assert current.before(mine) is False or mine.epoch == current.epoch


@given(leases, leases)
def test_of_two_claims_that_cross_exactly_one_stands(one: Lease, other: Lease) -> None:
    if (one.epoch, one.holder) != (other.epoch, other.holder):
        assert one.before(other) != other.before(one)
