"""The lease of a standby pair: one holder at any time, whatever asks at once; on SQLite and PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from forewarn.catalog import Catalog, open_catalog
from forewarn.contracts.gateway_leases import Lease
from forewarn.kit.clock import SECOND

START = 1_800_000_000 * SECOND


class Clock:
    now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(url: str, clock: Clock) -> Iterator[Catalog]:
    with open_catalog(url, now=clock) as catalog:
        yield catalog


def claim(catalog: Catalog, gateway: str, covered_until: int = 0, group: str = "g") -> Lease:
    return catalog.leases.claim(group, gateway, covered_until, 20 * SECOND)


def test_who_holds_it_keeps_it_while_it_asks_in_time(opened: Catalog, clock: Clock) -> None:
    for _ in range(5):
        assert claim(opened, "a").holder == "a"
        clock.now += 19 * SECOND
        lease = claim(opened, "b")
        assert (lease.holder, lease.epoch) == ("a", 1)


def test_who_takes_over_covers_from_where_the_other_had_come(opened: Catalog, clock: Clock) -> None:
    begun = claim(opened, "a", START - 100).cover_from
    assert begun == START - 100
    claim(opened, "a", START + 50)
    clock.now += 20 * SECOND
    taken = claim(opened, "b", START - 900)
    assert (taken.holder, taken.epoch, taken.cover_from) == ("b", 2, START + 50)
    assert taken.covered_by_others == ((START - 100, START + 50),)
    assert taken.until == clock.now + 20 * SECOND


def test_who_comes_back_learns_what_the_partner_told_and_does_not_take_it_away(opened: Catalog, clock: Clock) -> None:
    claim(opened, "a", START)
    claim(opened, "a", START + 10)
    clock.now += 20 * SECOND
    claim(opened, "b")
    claim(opened, "b", START + 70)
    back = claim(opened, "a", START + 10)
    assert (back.holder, back.epoch, back.covered_by_others) == ("b", 2, ((START + 10, START + 70),))
    clock.now += 30 * SECOND
    again = claim(opened, "a", START + 10)
    assert (again.holder, again.epoch, again.cover_from) == ("a", 3, START + 70)


def test_progress_never_goes_back(opened: Catalog, clock: Clock) -> None:
    claim(opened, "a", START)
    claim(opened, "a", START + 90)
    claim(opened, "a", START + 10)
    clock.now += 20 * SECOND
    assert claim(opened, "b").cover_from == START + 90


def test_groups_are_apart(opened: Catalog) -> None:
    assert claim(opened, "a", group="one").holder == "a"
    assert claim(opened, "b", group="two").holder == "b"


def test_of_many_that_ask_at_once_one_holds_it(url: str, clock: Clock) -> None:
    """Each through connections of its own, as processes would."""
    names = [f"gw-{i}" for i in range(6)]
    open_catalog(url, now=clock).close()
    epoch = 0
    for _ in range(5):
        barrier = Barrier(len(names))

        def ask(name: str, barrier: Barrier = barrier) -> Lease:
            with open_catalog(url, now=clock) as catalog:
                barrier.wait()
                return claim(catalog, name)

        with ThreadPoolExecutor(len(names)) as pool:
            leases = list(pool.map(ask, names))
        assert len({lease.holder for lease in leases}) == 1
        (now,) = {lease.epoch for lease in leases}
        assert epoch <= now <= epoch + 1  # who held it and asks first keeps it
        epoch = now
        clock.now += 20 * SECOND
