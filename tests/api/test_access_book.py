"""Who is behind a request, over a real catalog."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from forewarn.api.access_book import AccessBook
from forewarn.api.access_snapshot import digest_of, machine_key
from forewarn.api.access_tokens import TokenSigner
from forewarn.domain.access import Grant, PrincipalKind, Role
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import NotSignedIn
from forewarn.domain.people import Machine, Person, Session
from forewarn.kit.clock import DAY, SECOND
from tests.api.access_site import SetClock, Stores, open_stores

DEED = Deed(AuditAction.PERSON_CHANGED, "test", "test")


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def stores(tmp_path: Path, clock: SetClock) -> Iterator[Stores]:
    with open_stores(tmp_path, clock) as opened:
        yield opened


@pytest.fixture
def signer(clock: SetClock) -> TokenSigner:
    return TokenSigner(b"\x01" * 32, clock)


@pytest.fixture
def book(stores: Stores, signer: TokenSigner, clock: SetClock) -> AccessBook:
    stores.people.add(
        Person("p1", "Anna", "", (Grant(Role.ADMIN),), None, must_change=False, disabled=False, created_at=clock()),
        DEED,
    )
    stores.people.add(
        Person("p2", "Ben", "", (Grant(Role.ADMIN),), None, must_change=False, disabled=False, created_at=clock()), DEED
    )
    stores.people.open_session(_session("s1", "p1", clock), DEED)
    stores.people.open_session(_session("s2", "p2", clock), DEED)
    stores.machines.add(
        Machine("m1", "gw", (Grant(Role.GATEWAY),), None, None, digest_of("k1"), None, None, False, clock(), None), DEED
    )
    return AccessBook(stores.people, stores.machines, signer, clock)


def _session(session_id: str, person_id: str, clock: SetClock, life_us: int = DAY) -> Session:
    return Session(session_id, person_id, b"x", None, clock(), clock(), clock() + life_us, "127.0.0.1", "")


def _granted(grant: Grant, person: Person) -> Person:
    return replace(person, grants=(grant,))


def _bearer(signer: TokenSigner, person_id: str = "p1", session_id: str = "s1") -> str:
    return f"Bearer {signer.issue(person_id, session_id)[0]}"


def _key(secret: str, machine_id: str = "m1") -> str:
    return f"Bearer {machine_key(machine_id, secret)}"


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Basic YTpi", "bearer x.y.z", "Bearer fwk_", "Bearer fwk_m1", "Bearer fwk__"],
)
def test_what_is_nobody(book: AccessBook, header: str | None) -> None:
    with pytest.raises(NotSignedIn):
        book.principal(header)


def test_a_person(book: AccessBook, signer: TokenSigner) -> None:
    principal = book.principal(_bearer(signer))
    assert (principal.kind, principal.id, principal.session_id) == (PrincipalKind.PERSON, "p1", "s1")
    assert book.principal(_bearer(signer).replace("Bearer", "bEARER")) == principal


def test_a_token_known_long_since_still_ends(book: AccessBook, signer: TokenSigner, clock: SetClock) -> None:
    token = _bearer(signer)
    book.principal(token)
    clock.now += 600 * SECOND
    with pytest.raises(NotSignedIn, match="expired"):
        book.principal(token)


def test_a_session_that_ends_before_its_token(
    book: AccessBook, stores: Stores, signer: TokenSigner, clock: SetClock
) -> None:
    stores.people.open_session(_session("short", "p1", clock, 5 * SECOND), DEED)
    book.changed()
    token = _bearer(signer, "p1", "short")
    book.principal(token)
    clock.now += 5 * SECOND
    with pytest.raises(NotSignedIn, match="ended"):
        book.principal(token)


def test_another_persons_session_is_no_session(book: AccessBook, signer: TokenSigner) -> None:
    with pytest.raises(NotSignedIn):
        book.principal(_bearer(signer, "p2", "s1"))


def test_what_another_process_ended_counts_until_the_next_look(
    book: AccessBook, stores: Stores, signer: TokenSigner
) -> None:
    token = _bearer(signer)
    book.principal(token)
    stores.people.close_sessions(["s1"], DEED)
    assert book.principal(token).id == "p1"
    assert book.refresh()
    assert not book.refresh()
    with pytest.raises(NotSignedIn):
        book.principal(token)


def test_the_disabled_are_out_and_changed_grants_count(book: AccessBook, stores: Stores, signer: TokenSigner) -> None:
    token = _bearer(signer)
    stores.people.change("p1", lambda p: replace(p, grants=(Grant(Role.AUDITOR),)), lambda a, b: DEED)
    book.changed()
    assert book.principal(token).grants == (Grant(Role.AUDITOR),)
    stores.people.change("p1", lambda p: replace(p, disabled=True), lambda a, b: DEED)
    book.changed()
    with pytest.raises(NotSignedIn):
        book.principal(token)
    assert book.person_named("ANNA") is not None


def test_a_machine(book: AccessBook, stores: Stores) -> None:
    principal = book.principal(_key("k1"))
    assert (principal.kind, principal.name, principal.label) == (PrincipalKind.MACHINE, "gw", "gateway gw")
    for wrong in (_key("k2"), _key(""), _key("k1", "m2"), _key("k1") + " ", _key("k1x")):
        with pytest.raises(NotSignedIn):
            book.principal(wrong)
    stores.machines.change("m1", lambda m: replace(m, revoked=True), lambda a, b: DEED)
    book.changed()
    with pytest.raises(NotSignedIn):
        book.principal(_key("k1"))
    assert book.machine("m1") is None


def test_a_machine_that_waits_has_no_key(book: AccessBook, stores: Stores) -> None:
    stores.machines.change("m1", lambda m: replace(m, key_hash=None, enrol_hash=digest_of("t")), lambda a, b: DEED)
    book.changed()
    for secret in ("k1", "t", ""):
        with pytest.raises(NotSignedIn):
            book.principal(_key(secret))


def test_both_keys_count_until_the_next_is_used_and_then_it_alone(book: AccessBook, stores: Stores) -> None:
    stores.machines.change("m1", lambda m: replace(m, next_key_hash=digest_of("k2")), lambda a, b: DEED)
    book.changed()
    assert book.principal(_key("k1")).session_id != book.principal(_key("k2")).session_id
    for look in range(4):
        book.principal(_key("k2"))
        with pytest.raises(NotSignedIn):
            book.principal(_key("k1"))
        assert book.refresh() is (look == 0)
    machine = stores.machines.machines()[0]
    assert (machine.key_hash, machine.next_key_hash) == (digest_of("k2"), None)
    assert [d.why for d in stores.deeds(AuditAction.KEY_ROTATED)] == ["the new key was used; the old one ended"]


def test_two_processes_that_see_the_first_use_record_it_once(
    book: AccessBook, stores: Stores, signer: TokenSigner, clock: SetClock
) -> None:
    stores.machines.change("m1", lambda m: replace(m, next_key_hash=digest_of("k2")), lambda a, b: DEED)
    other = AccessBook(stores.people, stores.machines, signer, clock)
    book.changed()
    book.principal(_key("k2"))
    other.principal(_key("k2"))
    book.refresh()
    other.refresh()
    assert len(stores.deeds(AuditAction.KEY_ROTATED)) == 1
    for one in (book, other):
        one.principal(_key("k2"))
        with pytest.raises(NotSignedIn):
            one.principal(_key("k1"))


def test_enrolled_anew_while_a_first_use_is_not_written(book: AccessBook, stores: Stores) -> None:
    stores.machines.change("m1", lambda m: replace(m, next_key_hash=digest_of("k2")), lambda a, b: DEED)
    book.changed()
    book.principal(_key("k2"))
    stores.machines.change("m1", lambda m: replace(m, key_hash=digest_of("k3"), next_key_hash=None), lambda a, b: DEED)
    book.changed()
    book.principal(_key("k3"))
    for gone in ("k1", "k2"):
        with pytest.raises(NotSignedIn):
            book.principal(_key(gone))


def test_when_machines_were_seen_is_written_now_and_then(book: AccessBook, stores: Stores, clock: SetClock) -> None:
    book.principal(_key("k1"))
    first = clock()
    book.refresh()
    assert stores.machines.machines()[0].last_seen_at is None
    clock.now += 30 * SECOND
    revision = stores.people.revision()
    book.refresh()
    assert stores.machines.machines()[0].last_seen_at == first
    assert stores.people.revision() == revision
    book.principal(_key("k1"))
    book.close()
    assert stores.machines.machines()[0].last_seen_at == clock()


def test_readers_beside_changes_see_whole_moments(book: AccessBook, stores: Stores, signer: TokenSigner) -> None:
    """Whoever stands in a session has the grants that the same moment's person has."""
    token, stop = _bearer(signer), threading.Event()
    wrong: list[object] = []

    def read() -> None:
        while not stop.is_set():
            moment = book._snapshot
            told = {s.id: moment.people[s.person_id].grants for s in moment.sessions.values()}
            if told != {name: standing.principal.grants for name, standing in moment.standing.items()}:
                wrong.append(told)
            if book.principal(token).id != "p1":
                wrong.append(token)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for turn in range(20):
        role = (Role.AUDITOR, Role.TECHNICIAN)[turn % 2]
        stores.people.change("p1", partial(_granted, Grant(role)), lambda a, b: DEED)
        book.changed()
        assert book.principal(token).grants == (Grant(role),)
    stop.set()
    for reader in readers:
        reader.join()
    assert not wrong


def test_a_change_while_the_lists_are_read_has_them_read_again(
    book: AccessBook, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = stores.people.sessions
    meddled: list[int] = []

    def meddle() -> object:
        found = read()
        if not meddled:
            meddled.append(stores.people.close_sessions(["s1"], DEED))
        return found

    stores.people.close_sessions(["s2"], DEED)
    monkeypatch.setattr(stores.people, "sessions", meddle)
    assert book.refresh()
    assert meddled == [1]
    assert book.session("s1") is None
    assert not book.refresh()
