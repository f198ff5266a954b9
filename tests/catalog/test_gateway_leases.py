"""The lease of a standby pair: one holder at any time, whatever asks at once; on SQLite and PostgreSQL."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import select, text

from forewarn.catalog import Catalog, open_catalog
from forewarn.catalog.engine import Database, catalog_url, create_catalog_engine
from forewarn.catalog.gateway_tables import gateway_leases
from forewarn.catalog.upgrade import MIGRATIONS
from forewarn.contracts.gateway_leases import Lease, Missing
from forewarn.kit.clock import DAY, SECOND

START = 1_800_000_000 * SECOND
Span = tuple[str, int, int | None]


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


def told(catalog: Catalog, gateway: str, covered_until: int, *spans: Span, until: int | None = None) -> Lease:
    return catalog.leases.claim("g", gateway, covered_until, 20 * SECOND, missing=Missing(spans, until))


def test_who_waits_learns_what_the_holder_has_missed(opened: Catalog) -> None:
    told(opened, "a", START, ("plc", START + 10, START + 20))
    told(opened, "b", 0, ("plc", START, START + 50))  # who waits is not asked
    assert claim(opened, "b").missing_by_others == (("plc", START + 10, START + 20),)
    assert claim(opened, "a").missing_by_others == ()
    assert told(opened, "a", START + 60, ("server", 5, START + 30)).missing_by_others == ()
    missing = claim(opened, "b").missing_by_others
    assert missing == (("plc", START + 10, START + 20), ("server", START, START + 30))  # of the time it covers


def test_what_lasts_ends_as_far_as_the_holder_said_or_had_come(opened: Catalog, clock: Clock) -> None:
    told(opened, "a", START)
    told(opened, "a", START + 100, ("plc", START + 10, None))
    assert claim(opened, "b").missing_by_others == (("plc", START + 10, START + 100),)
    told(opened, "a", START + 100, ("plc", START + 10, None), until=START + 170)
    assert claim(opened, "b").missing_by_others == (("plc", START + 10, START + 170),)
    told(opened, "a", START + 300, ("plc", START + 10, START + 165), until=START + 290)
    assert claim(opened, "b").missing_by_others == (("plc", START + 10, START + 165),)


def test_a_word_that_comes_late_does_not_shorten_what_is_over(opened: Catalog) -> None:
    """The gateway had given it up, and asked again; then the site took both, the other way round."""
    told(opened, "a", START)
    told(opened, "a", START + 300, ("plc", START + 10, START + 165), until=START + 290)
    told(opened, "a", START + 100, ("plc", START + 10, None), until=START + 120)
    told(opened, "a", START + 400, until=START + 390)
    assert claim(opened, "b").missing_by_others == (("plc", START + 10, START + 165),)
    told(opened, "a", START + 500, ("plc", START + 10, None), until=START + 490)  # an older process's end
    assert claim(opened, "b").missing_by_others == (("plc", START + 10, START + 490),)


def test_what_lasted_when_the_holder_died_ends_where_its_lease_does(opened: Catalog, clock: Clock) -> None:
    told(opened, "a", START)
    told(opened, "a", START + 90, ("plc", START + 10, None), until=START + 85)
    clock.now += 20 * SECOND
    taken = opened.leases.claim("g", "b", 0, 20 * SECOND, lambda _: START + 95)
    assert taken.cover_from == START + 95
    assert taken.missing_by_others == (("plc", START + 10, START + 95),)


def test_a_holder_that_started_again_does_not_leave_open_what_it_does_not_name(opened: Catalog) -> None:
    told(opened, "a", START)
    told(opened, "a", START + 90, ("plc", START + 10, None), until=START + 85)
    told(opened, "a", 0, ("plc", START + 8, None), until=START + 120)
    assert claim(opened, "b").missing_by_others == (("plc", START + 10, START + 85), ("plc", START + 8, START + 120))
    told(opened, "a", START + 500)  # an older version of it: it names nothing
    assert claim(opened, "b").missing_by_others == (("plc", START + 10, START + 85), ("plc", START + 8, START + 120))


def test_what_lasted_when_the_holder_died_may_have_lasted_until_its_newest_reading(opened: Catalog) -> None:
    """It was connected again after its last word, and died before the next one."""
    told(opened, "a", START)
    told(opened, "a", START + 90, ("plc", START + 10, None), until=START + 85)
    told(opened, "a", START + 90, ("plc", START + 130, START + 170), ("plc", START + 180, None), until=START + 190)
    spans = (("plc", START + 10, START + 130), ("plc", START + 130, START + 170), ("plc", START + 180, START + 190))
    assert claim(opened, "b").missing_by_others == spans


def test_what_was_missed_before_one_took_over_is_the_other_s_affair(opened: Catalog, clock: Clock) -> None:
    claim(opened, "a", START)
    claim(opened, "a", START + 50)
    clock.now += 20 * SECOND
    told(opened, "b", 0, ("plc", START + 10, START + 40), ("server", START + 30, START + 70), until=START + 60)
    assert claim(opened, "a").missing_by_others == (("server", START + 50, START + 70),)


def test_the_newest_thousand_are_kept(opened: Catalog) -> None:
    told(opened, "a", START)
    for first in range(0, 1_500, 500):
        told(
            opened, "a", START + 9_000, *(("plc", START + 3 * n, START + 3 * n + 1) for n in range(first, first + 500))
        )
    missing = claim(opened, "b").missing_by_others
    assert (len(missing), missing[0], missing[-1][1]) == (1_000, ("plc", START + 1_500, START + 1_501), START + 4_497)


def test_what_was_covered_long_ago_is_forgotten(url: str, opened: Catalog, clock: Clock) -> None:
    other = claim(opened, "z", START, group="another").cover_from
    for turn in range(5):
        claim(opened, "ab"[turn % 2], clock.now)
        claim(opened, "ab"[turn % 2], clock.now)
        clock.now += 12 * DAY
    # They had come to 60, 48, 36, 24 and 12 days ago.
    assert next(end for _, end in claim(opened, "c").covered_by_others) == clock.now - 24 * DAY
    database = Database(create_catalog_engine(catalog_url(url)))
    with database.read() as connection:
        rows = connection.execute(select(gateway_leases).order_by(gateway_leases.c.epoch)).all()
    database.close()
    assert [row.epoch for row in rows if row.standby_group == "g"] == [4, 5, 6]
    assert [row.cover_from for row in rows if row.standby_group == "another"] == [other]


def test_who_was_away_for_months_learns_what_the_last_one_told(opened: Catalog, clock: Clock) -> None:
    claim(opened, "a", START)
    claim(opened, "a", START + 50)
    clock.now += 100 * DAY
    assert claim(opened, "b").covered_by_others == ((START, START + 50),)


def test_leases_of_before_are_taken_over(new_url: Callable[[], str], clock: Clock) -> None:
    """A database at 0005 with a lease in it."""
    url = new_url()
    database = Database(create_catalog_engine(catalog_url(url)))
    row = {"standby_group": "g", "epoch": 7, "holder": "a", "until": START + 9 * SECOND}
    with database.write() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
        columns = "standby_group, epoch, holder, until, cover_from, covered_until"
        values = f":standby_group, :epoch, :holder, :until, {START - 100}, {START}"
        connection.execute(text(f"INSERT INTO gateway_leases ({columns}) VALUES ({values})"), row)
    database.close()
    with open_catalog(url, now=clock) as catalog:
        lease = claim(catalog, "b")
        assert (lease.holder, lease.epoch) == ("a", 7)
        assert (lease.covered_by_others, lease.missing_by_others) == (((START - 100, START),), ())
        told(catalog, "a", START + 60, ("plc", START + 10, START + 20))
        assert claim(catalog, "b").missing_by_others == (("plc", START + 10, START + 20),)
