"""Accounts, sessions and failed sign-ins: what is kept, refused and recorded."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import update

from forewarn.catalog.audit import CatalogAudit
from forewarn.catalog.engine import Database, catalog_url, create_catalog_engine
from forewarn.catalog.people import CatalogPeople
from forewarn.catalog.tables import audit_head
from forewarn.catalog.upgrade import upgrade
from forewarn.contracts.audit_log import AuditQuery
from forewarn.contracts.people_store import PeopleStore
from forewarn.domain.access import Grant, Role
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import Conflict, InvalidInput, NotFound, StorageFailed
from forewarn.domain.people import Person, Session

SECOND = 1_000_000
DAY = 86_400 * SECOND
ADMIN = Grant(Role.ADMIN)


@dataclass
class Site:
    """A catalog's people, its audit log, and a clock that the test sets."""

    database: Database
    audit: CatalogAudit
    now: int = 1_000 * SECOND

    @property
    def people(self) -> CatalogPeople:
        store = CatalogPeople(self.database, lambda: self.now, self.audit)
        _: PeopleStore = store
        return store

    def recorded(self) -> list[tuple[AuditAction, str]]:
        return [(e.deed.action, e.deed.target) for e in reversed(self.audit.find(AuditQuery()))]


@pytest.fixture
def site(url: str) -> Iterator[Site]:
    database = Database(create_catalog_engine(catalog_url(url)))
    upgrade(database)
    yield Site(database, CatalogAudit(database, lambda: 5, b"k" * 32, None))
    database.close()


def person(name: str, *grants: Grant, **changes: Any) -> Person:
    plain = Person(f"id-{name}", name, name.title(), grants, "hash", False, False, 7)
    return replace(plain, **changes)


def session(person_id: str, session_id: str = "s1", expires_at: int = 2_000 * SECOND) -> Session:
    return Session(session_id, person_id, b"first", None, 1, 1_000 * SECOND, expires_at, "127.0.0.1", "a browser")


def deed(target: str = "anna", action: AuditAction = AuditAction.PERSON_CHANGED) -> Deed:
    return Deed(action, "local root", target)


def changed(before: Person, after: Person) -> Deed:
    return Deed(
        AuditAction.PERSON_CHANGED, "root", after.name, {"disabled": before.disabled}, {"disabled": after.disabled}
    )


def test_people_are_read_as_they_were_added(site: Site) -> None:
    berta = person("berta", Grant(Role.TECHNICIAN, "acme/pune"), Grant(Role.AUDITOR), subject="https://idp|1")
    site.people.add(berta, deed("berta"))
    site.people.add(person("Anna", ADMIN), deed("Anna"))
    in_order = replace(berta, grants=(Grant(Role.AUDITOR), Grant(Role.TECHNICIAN, "acme/pune")))
    assert site.people.people() == [person("Anna", ADMIN), in_order]
    assert site.recorded() == [(AuditAction.PERSON_CHANGED, "berta"), (AuditAction.PERSON_CHANGED, "Anna")]
    assert site.people.revision() == 2


@pytest.mark.parametrize("name", ["anna", "ANNA", "ａｎｎａ", " Anna "])
def test_names_differ_in_more_than_case(site: Site, name: str) -> None:
    site.people.add(person("Anna"), deed())
    with pytest.raises(Conflict, match="'Anna' is taken"):
        site.people.add(person(name, id="other"), deed())
    assert (len(site.people.people()), len(site.recorded()), site.people.revision()) == (1, 1, 1)


def test_one_identity_of_single_sign_on_is_one_person(site: Site) -> None:
    site.people.add(person("anna", subject="https://idp|1"), deed())
    site.people.add(person("berta"), deed())
    with pytest.raises(Conflict, match="belongs to 'anna' already"):
        site.people.change("id-berta", lambda p: replace(p, subject="https://idp|1"), changed)
    for name in (" ", "gateway edge-1", "Local root", "forewarn", "\u3164", "..."):
        with pytest.raises(InvalidInput, match="kept for the program, or shows no letter"):
            site.people.add(person(name), deed())


def test_a_change_is_told_what_was_and_what_is(site: Site) -> None:
    site.people.add(person("anna", Grant(Role.TECHNICIAN, "acme")), deed())
    after = site.people.change(
        "id-anna", lambda p: replace(p, disabled=True, grants=(), id="forged", created_at=0), changed
    )
    assert [after] == site.people.people() == [person("anna", disabled=True)]
    entry = site.audit.find(AuditQuery())[0]
    assert (entry.deed.before, entry.deed.after) == ({"disabled": False}, {"disabled": True})


def test_a_name_may_change_its_case_but_not_to_another_s(site: Site) -> None:
    for name in ("anna", "berta"):
        site.people.add(person(name), deed())
    assert site.people.change("id-anna", lambda p: replace(p, name="Anna"), changed).name == "Anna"
    with pytest.raises(Conflict):
        site.people.change("id-anna", lambda p: replace(p, name="BERTA"), changed)
    with pytest.raises(NotFound):
        site.people.change("nobody", lambda p: p, changed)


def test_what_a_change_raises_rolls_back(site: Site) -> None:
    site.people.add(person("anna"), deed())

    def refuse(_: Person) -> Person:
        raise InvalidInput("too short")

    with pytest.raises(InvalidInput, match="too short"):
        site.people.change("id-anna", refuse, changed)
    assert (len(site.recorded()), site.people.revision()) == (1, 1)


@pytest.mark.parametrize(
    "loss",
    [
        partial(replace, disabled=True),
        partial(replace, grants=()),
        partial(replace, grants=(Grant(Role.ADMIN, "acme"), Grant(Role.AUDITOR))),
    ],
)
def test_the_last_admin_of_everything_stays(site: Site, loss: "partial[Person]") -> None:
    site.people.add(person("anna", ADMIN), deed())
    site.people.add(person("berta", ADMIN, disabled=True), deed())
    site.people.add(person("carla", Grant(Role.ADMIN, "acme")), deed())
    with pytest.raises(Conflict, match="anna is the last admin of everything"):
        site.people.change("id-anna", loss, changed)
    site.people.change("id-berta", lambda p: replace(p, disabled=False), changed)
    site.people.change("id-anna", loss, changed)
    with pytest.raises(Conflict, match="berta is the last"):
        site.people.change("id-berta", loss, changed)


def test_two_admins_cannot_disable_each_other_at_once(site: Site) -> None:
    for name in ("anna", "berta"):
        site.people.add(person(name, ADMIN), deed())
    together = threading.Barrier(2)

    def disable(person_id: str) -> bool:
        together.wait(30)
        try:
            site.people.change(person_id, lambda p: replace(p, disabled=True), changed)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(disable, ["id-anna", "id-berta"])) == [False, True]


def test_one_name_is_given_once_however_many_ask(site: Site) -> None:
    together = threading.Barrier(4)

    def add(number: int) -> bool:
        together.wait(30)
        try:
            site.people.add(person("admin", id=str(number)), deed())
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(add, range(4))) == 1
    assert len(site.recorded()) == 1


def test_disabling_ends_the_sessions_of_that_person(site: Site) -> None:
    for name in ("anna", "berta"):
        site.people.add(person(name), deed())
        site.people.open_session(session(f"id-{name}", name), deed())
    site.people.change("id-anna", lambda p: replace(p, disabled=True), changed)
    assert [s.id for s in site.people.sessions()] == ["berta"]
    for gone in ("id-anna", "nobody"):
        with pytest.raises(NotFound):
            site.people.open_session(session(gone, "late"), deed())
    assert [s.id for s in site.people.sessions()] == ["berta"]


def test_sessions_are_closed_by_id(site: Site) -> None:
    site.people.add(person("anna"), deed())
    for number in range(3):
        site.people.open_session(replace(session("id-anna", f"s{number}"), created_at=number), deed())
    assert [s.id for s in site.people.sessions()] == ["s2", "s1", "s0"]
    entries, revision = len(site.recorded()), site.people.revision()
    assert site.people.close_sessions(["s0", "s2", "s9"], deed()) == 2
    assert site.people.close_sessions(["s0", "s9"], deed()) == site.people.close_sessions([], deed()) == 0
    assert (len(site.recorded()), site.people.revision()) == (entries + 1, revision + 1)


def test_an_expired_session_is_gone(site: Site) -> None:
    site.people.add(person("anna"), deed())
    site.people.open_session(session("id-anna", expires_at=1_100 * SECOND), deed())
    site.now = 1_100 * SECOND
    assert list(site.people.sessions()) == []
    assert site.people.rotate("s1", b"first", b"second", site.now, site.now + DAY, deed()) is None


def opened(site: Site) -> Session:
    site.people.add(person("anna"), deed())
    site.people.open_session(session("id-anna"), deed())
    return site.people.sessions()[0]


def test_a_secret_counts_once_and_the_one_before_for_ten_seconds(site: Site) -> None:
    before = opened(site)
    at = 1_500 * SECOND
    rotate = partial(site.people.rotate, "s1", expires_at=at + DAY, deed=deed(action=AuditAction.REFRESH_REPLAYED))
    after = rotate(given=b"first", fresh=b"second", now=at)
    assert after == replace(before, secret_hash=b"second", previous_hash=b"first", rotated_at=at, expires_at=at + DAY)
    revision = site.people.revision()
    assert rotate(given=b"first", fresh=b"third", now=at + 10 * SECOND - 1) == after
    assert (list(site.people.sessions()), site.people.revision()) == ([after], revision)
    with pytest.raises(Conflict, match="has ended"):
        rotate(given=b"first", fresh=b"third", now=at + 10 * SECOND)
    assert list(site.people.sessions()) == []
    assert site.recorded()[-1] == (AuditAction.REFRESH_REPLAYED, "anna")
    assert rotate(given=b"second", fresh=b"third", now=at) is None


def test_two_who_have_the_same_secret_never_both_change_it(site: Site) -> None:
    opened(site)
    together = threading.Barrier(4)

    def rotate(number: int) -> Session | None:
        together.wait(30)
        return site.people.rotate("s1", b"first", b"fresh%d" % number, 1_500 * SECOND, 2_000 * SECOND, deed())

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(rotate, range(4)))
    assert len({answer.secret_hash for answer in answers if answer is not None}) == 1
    assert answers == [site.people.sessions()[0]] * 4


def test_failures_are_counted_by_key_and_forgotten_after_a_day(site: Site) -> None:
    refused = deed(action=AuditAction.SIGN_IN_REFUSED)
    site.people.record_failure(["name anna", "peer ::1"], site.now, refused)
    site.people.record_failure(["peer ::1", "peer ::1"], site.now + 5, refused)
    keys = ["name anna", "peer ::1", "name berta"]
    assert sorted(site.people.failures(keys)) == [("name anna", 1, site.now), ("peer ::1", 2, site.now + 5)]
    site.people.forget_failures(["peer ::1"])
    assert site.people.failures(["peer ::1"]) == []
    site.now += DAY
    assert site.people.failures(keys) == []
    site.people.record_failure(["name anna"], site.now, refused)
    assert site.people.failures(keys) == [("name anna", 1, site.now)]
    assert [action for action, _ in site.recorded()] == [AuditAction.SIGN_IN_REFUSED] * 3
    assert site.people.revision() == 0


def test_failures_at_once_are_all_counted(site: Site) -> None:
    def fail(number: int) -> None:
        keys = ["a", "b"] if number % 2 else ["b", "a"]
        site.people.record_failure(keys, site.now, deed(action=AuditAction.SIGN_IN_REFUSED))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fail, range(20)))
    assert sorted(site.people.failures(["a", "b"])) == [("a", 20, site.now), ("b", 20, site.now)]


def test_what_cannot_be_recorded_is_not_done(site: Site) -> None:
    before = opened(site)
    people = site.people.people()
    with site.database.write() as connection:
        connection.execute(update(audit_head).values(number=0))  # the next entry's number is there already
    for attempt in (
        lambda: site.people.add(person("berta"), deed()),
        lambda: site.people.change("id-anna", lambda p: replace(p, disabled=True), changed),
        lambda: site.people.open_session(session("id-anna", "s2"), deed()),
        lambda: site.people.close_sessions(["s1"], deed()),
        lambda: site.people.rotate("s1", b"stolen", b"x", site.now, site.now, deed()),
        lambda: site.people.record_failure(["a"], site.now, deed()),
    ):
        with pytest.raises(StorageFailed):
            attempt()
    assert (site.people.people(), list(site.people.sessions())) == (people, [before])
    assert (site.people.failures(["a"]), site.people.revision()) == ([], 2)


@pytest.mark.parametrize(
    ("change", "stays"),
    [
        ({"password_hash": "another"}, False),
        ({"must_change": True}, False),
        ({"subject": "https://idp|7"}, False),
        ({"disabled": True}, False),
        ({"full_name": "Anna B."}, True),
    ],
)
def test_sessions_do_not_outlive_what_they_were_opened_by(site: Site, change: dict[str, object], stays: bool) -> None:
    site.people.add(person("root", Grant(Role.ADMIN)), deed())
    site.people.add(person("anna"), deed())
    site.people.open_session(session("id-anna"), deed())
    site.people.change("id-anna", lambda p: replace(p, **change), changed)
    assert bool(site.people.sessions()) == stays


def test_a_fresh_hash_of_the_same_password_ends_nothing(site: Site) -> None:
    site.people.add(person("anna"), deed())
    site.people.open_session(session("id-anna"), deed())
    site.people.change("id-anna", lambda p: replace(p, password_hash="$argon2id$better"), changed, keep_sessions=True)
    assert site.people.sessions()


def test_a_session_is_not_opened_with_a_password_that_was_changed_meanwhile(site: Site) -> None:
    site.people.add(replace(person("anna"), password_hash="now"), deed())
    with pytest.raises(NotFound):
        site.people.open_session(session("id-anna"), deed(), "before")
    site.people.open_session(session("id-anna"), deed(), "now")
