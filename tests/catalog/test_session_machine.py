"""Sessions against a model of them: whatever comes in whatever order, a secret counts as the contract says."""

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from forewarn.catalog import Catalog, Seal, open_catalog
from forewarn.contracts.audit_log import AuditQuery
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import Conflict, NotFound
from forewarn.domain.people import Person, Session

SECOND = 1_000_000
LIFE = 60 * SECOND
GRACE = 10 * SECOND
PEOPLE = ("anna", "berta")
IDS = st.sampled_from(["s1", "s2"])
DEED = Deed(AuditAction.SIGNED_IN, "somebody", "something")


@dataclass
class Expected:
    person: str
    secrets: list[bytes]  # all there ever were, the present one last
    rotated_at: int
    expires_at: int


@dataclass
class Clock:
    now: int = 1_000 * SECOND


@dataclass
class World:
    expected: dict[str, Expected] = field(default_factory=dict)
    disabled: set[str] = field(default_factory=set)
    deeds: int = 0


class Sessions(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="forewarn-sessions-")
        self.clock, self.world, self.made = Clock(), World(), 0
        url = f"sqlite:///{Path(self.folder.name)}/catalog.db"
        self.catalog: Catalog = open_catalog(url, lambda: self.clock.now, Seal(b"k" * 32))
        for name in PEOPLE:
            self.catalog.people.add(Person(name, name, "", (), None, False, False, 1), DEED)
            self.world.deeds += 1

    def teardown(self) -> None:
        if hasattr(self, "catalog"):
            self.catalog.close()
            self.folder.cleanup()

    def fresh(self) -> bytes:
        self.made += 1
        return self.made.to_bytes(32, "big")

    @rule(seconds=st.sampled_from([1, 9, 10, 11, 59, 60]))
    def time_passes(self, seconds: int) -> None:
        self.clock.now += seconds * SECOND
        alive = {i: e for i, e in self.world.expected.items() if e.expires_at > self.clock.now}
        self.world.expected = alive

    @rule(session_id=IDS, person=st.sampled_from(PEOPLE))
    def sign_in(self, session_id: str, person: str) -> None:
        if session_id in self.world.expected:
            return
        now, secret = self.clock.now, self.fresh()
        try:
            self.catalog.people.open_session(
                Session(session_id, person, secret, None, now, now, now + LIFE, "::1", ""), DEED
            )
        except NotFound:
            assert person in self.world.disabled
            return
        assert person not in self.world.disabled
        self.world.expected[session_id] = Expected(person, [secret], now, now + LIFE)
        self.world.deeds += 1

    @rule(session_id=IDS, age=st.integers(0, 3))
    def refresh(self, session_id: str, age: int) -> None:
        """With the secret that was given `age` refreshes ago; older than all: one that never was."""
        now, fresh, known = self.clock.now, self.fresh(), self.world.expected.get(session_id)
        given = known.secrets[-1 - age] if known is not None and age < len(known.secrets) else b"never" * 6
        try:
            found = self.catalog.people.rotate(session_id, given, fresh, now, now + LIFE, DEED)
        except Conflict:
            assert known is not None
            assert age >= (2 if now - known.rotated_at < GRACE else 1) or age >= len(known.secrets)
            del self.world.expected[session_id]
            self.world.deeds += 1
            return
        if known is None:
            assert found is None
            return
        assert found is not None
        if age == 0:
            known.secrets.append(fresh)
            known.rotated_at, known.expires_at = now, now + LIFE
        else:
            assert age == 1
            assert age < len(known.secrets)
            assert now - known.rotated_at < GRACE
        assert (found.secret_hash, found.expires_at) == (known.secrets[-1], known.expires_at)

    @rule(session_id=IDS)
    def sign_out(self, session_id: str) -> None:
        there = self.world.expected.pop(session_id, None) is not None
        expired = self.catalog.people.close_sessions([session_id], DEED)
        # A session past its time may lie there unswept; closing it is a deed too.
        assert expired or not there
        self.world.deeds += expired

    @rule(person=st.sampled_from(PEOPLE), disabled=st.booleans())
    def let_in_or_not(self, person: str, disabled: bool) -> None:
        self.catalog.people.change(person, lambda p: replace(p, disabled=disabled), lambda _, __: DEED)
        self.world.deeds += 1
        if disabled:
            self.world.disabled.add(person)
            self.world.expected = {i: e for i, e in self.world.expected.items() if e.person != person}
        else:
            self.world.disabled.discard(person)

    @invariant()
    def the_catalog_says_the_same(self) -> None:
        if not hasattr(self, "catalog"):
            return
        found = {s.id: (s.person_id, s.secret_hash, s.expires_at) for s in self.catalog.people.sessions()}
        assert found == {i: (e.person, e.secrets[-1], e.expires_at) for i, e in self.world.expected.items()}
        assert len(self.catalog.audit.find(AuditQuery())) == min(self.world.deeds, 100)


TestSessions = Sessions.TestCase
TestSessions.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
