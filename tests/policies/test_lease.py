"""Of two partners one holds the lease, however their claims cross."""

from hypothesis import given
from hypothesis import strategies as st

from forewarn.kit.clock import SECOND
from forewarn.policies.lease import Lease, claim

NOW = 1_800_000_000 * SECOND
names = st.sampled_from(["a", "b"])
leases = st.builds(Lease, names, st.integers(NOW - 100 * SECOND, NOW + 100 * SECOND), st.integers(1, 9))


def test_nobody_holds_it_so_it_is_taken() -> None:
    assert claim(None, "a", NOW, 15, 0.0) == Lease("a", NOW + 15 * SECOND, 1)


def test_the_holder_renews_it_without_a_change_of_hands() -> None:
    assert claim(Lease("a", NOW + SECOND, 4), "a", NOW, 15, 3.0) == Lease("a", NOW + 15 * SECOND, 4)
    assert claim(Lease("a", NOW - SECOND, 4), "a", NOW, 15, 99.0) == Lease("a", NOW + 15 * SECOND, 4)


@given(leases, names, st.floats(0, 60))
def test_only_one_that_is_not_renewed_changes_hands_whatever_the_clocks_say(
    current: Lease, name: str, unchanged_s: float
) -> None:
    mine = claim(current, name, NOW, 15, unchanged_s)
    if current.holder != name and unchanged_s <= 15:
        assert mine is None
    else:
        assert mine is not None
        assert mine.epoch == current.epoch + (current.holder != name)
        assert not current.before(mine) or mine.epoch == current.epoch


@given(leases, leases)
def test_of_two_claims_that_cross_exactly_one_stands(one: Lease, other: Lease) -> None:
    if (one.epoch, one.holder) != (other.epoch, other.holder):
        assert one.before(other) != other.before(one)
