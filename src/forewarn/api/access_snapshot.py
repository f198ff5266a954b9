"""People, sessions and machines as they were at one moment, in memory."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from forewarn.domain.access import Principal, PrincipalKind
from forewarn.domain.people import Machine, Person, Session
from forewarn.policies.person_names import folded

KEY_PREFIX = "fwk_"


def machine_key(machine_id: str, secret: str) -> str:
    """What a machine shows: `fwk_<machine_id>_<secret>`. The id holds no underscore."""
    return f"{KEY_PREFIX}{machine_id}_{secret}"


def digest_of(secret: str) -> bytes:
    """SHA-256: for secrets of 256 random bits, nothing slower is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def shown_id(session_id: str) -> str:
    """The session as lists and the audit log name it. The id itself is half of the cookie: with any secret it looks
    like a replay and ends the session, so whoever reads lists must not have it."""
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Standing:
    """A session that may be used until expires_at (microseconds UTC)."""

    principal: Principal
    expires_at: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """people, sessions: by id. names: by folded name. standing: by session id, of enabled people alone. machines: by
    id, those not revoked. speaking: by machine id, as whom it acts with (its key, its next key). certified: by the
    SHA-256 (hex) of a client certificate, as whom its machine acts."""

    revision: int
    people: Mapping[str, Person]
    names: Mapping[str, Person]
    sessions: Mapping[str, Session]
    standing: Mapping[str, Standing]
    machines: Mapping[str, Machine]
    speaking: Mapping[str, tuple[Principal | None, Principal | None]]
    certified: Mapping[str, Principal]

    @classmethod
    def of(
        cls, revision: int, people: Iterable[Person], sessions: Iterable[Session], machines: Iterable[Machine]
    ) -> Self:
        by_id = {person.id: person for person in people}
        by_session = {session.id: session for session in sessions}
        standing = {
            session.id: Standing(_of_person(person, session), session.expires_at)
            for session in by_session.values()
            if (person := by_id.get(session.person_id)) is not None and not person.disabled
        }
        allowed = {machine.id: machine for machine in machines if not machine.revoked}
        return cls(
            revision,
            by_id,
            {folded(person.name): person for person in by_id.values()},
            by_session,
            standing,
            allowed,
            {m.id: (_of_machine(m, m.key_hash), _of_machine(m, m.next_key_hash)) for m in allowed.values()},
            {m.certificate: _acting(m, m.certificate[:16]) for m in allowed.values() if m.certificate is not None},
        )


def _of_person(person: Person, session: Session) -> Principal:
    return Principal(PrincipalKind.PERSON, person.id, person.name, person.grants, session.id, person.must_change)


def _of_machine(machine: Machine, key_hash: bytes | None) -> Principal | None:
    return None if key_hash is None else _acting(machine, key_hash[:8].hex())


def _acting(machine: Machine, session_id: str) -> Principal:
    return Principal(PrincipalKind.MACHINE, machine.id, machine.name, machine.grants, session_id)
