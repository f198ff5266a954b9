"""Who is behind a request: answered from memory, for every request."""

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from hmac import compare_digest
from typing import Final

from forewarn.api.access_snapshot import KEY_PREFIX, Snapshot, digest_of
from forewarn.api.access_tokens import LONGEST, Claims, TokenSigner
from forewarn.contracts.machine_store import MachineStore
from forewarn.contracts.people_store import PeopleStore
from forewarn.domain.access import Principal, PrincipalKind
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import Conflict, NotFound, NotSignedIn
from forewarn.domain.people import Machine, Person, Session
from forewarn.kit.clock import SECOND
from forewarn.policies.person_names import folded

_TOKENS: Final = 4_096
_SEEN_EVERY_US: Final = 30 * SECOND
_READ_AGAIN: Final = 5


class AccessBook:
    """Any thread may ask; what one question sees is one moment of the catalog. clock: microseconds UTC.

    A change that this process made counts when `changed` returns, another process's after the next `refresh`. While the
    catalog does not answer the last moment read counts on."""

    def __init__(
        self, people: PeopleStore, machines: MachineStore, signer: TokenSigner, clock: Callable[[], int]
    ) -> None:
        """Reads the catalog. Raises StorageFailed."""
        self._people, self._machines, self._clock = people, machines, clock
        # The signature is checked once a token; failures are not kept, so garbage drives nothing out.
        self._verified: Callable[[str], Claims] = lru_cache(_TOKENS)(signer.verify)
        self._turn = threading.Lock()
        # By machine id: the next key's hash that was used, and ends the old one, before the catalog knows.
        self._taken_over: dict[str, bytes] = {}
        self._seen: dict[str, int] = {}
        self._seen_written: dict[str, int] = {}
        self._seen_written_at = clock()
        self._snapshot = self._read()

    def principal(self, authorization: str | None, certificate: str | None = None) -> Principal:
        """Whose token or key the Authorization header shows; without one, whose client certificate (SHA-256, hex) the
        handshake proved. No I/O. Raises NotSignedIn."""
        if not authorization:
            if certificate is not None:
                return self._certified(certificate)
            raise NotSignedIn("nobody is signed in; send Authorization: Bearer <access token or machine key>")
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise NotSignedIn("the Authorization header is not `Bearer <access token or machine key>`")
        if len(secret) > LONGEST:
            raise NotSignedIn(f"the token is longer than {LONGEST:,} characters")
        return self._machine(secret) if secret.startswith(KEY_PREFIX) else self._person(secret)

    def stands(self, principal: Principal) -> bool:
        """Whether the one who was let in before would be let in still, with the same roles; for streams that stay open.

        An access token that has run out meanwhile does not count, the session does. No I/O."""
        snapshot = self._snapshot
        if principal.kind is PrincipalKind.PERSON:
            standing = snapshot.standing.get(principal.session_id)
            return standing is not None and standing.principal == principal and standing.expires_at > self._clock()
        old, fresh = snapshot.speaking.get(principal.id, (None, None))
        if principal == old:
            return principal.id not in self._taken_over
        return principal == fresh or principal in snapshot.certified.values()

    def person(self, person_id: str) -> Person | None:
        return self._snapshot.people.get(person_id)

    def person_named(self, name: str) -> Person | None:
        """By the name in whatever case; disabled ones too."""
        return self._snapshot.names.get(folded(name))

    def session(self, session_id: str) -> Session | None:
        return self._snapshot.sessions.get(session_id)

    def sessions_of(self, person_id: str) -> list[Session]:
        return [session for session in self._snapshot.sessions.values() if session.person_id == person_id]

    def machine(self, machine_id: str) -> Machine | None:
        """None for one that is revoked."""
        return self._snapshot.machines.get(machine_id)

    def last_seen(self, machine_id: str) -> int | None:
        """As this process knows; the catalog is told now and then."""
        return self._seen.get(machine_id)

    def changed(self) -> None:
        """Call after every change of people, sessions or machines: it counts on return. Raises StorageFailed."""
        self.refresh()

    def refresh(self) -> bool:
        """Read the catalog anew if it changed, and write down what was noted meanwhile; True if it was read.

        Blocks on the catalog: call about once a second, never on an event loop. Raises StorageFailed."""
        with self._turn:
            self._write_takeovers()
            moved = self._people.revision() != self._snapshot.revision
            if moved:
                self._snapshot = self._read()
            self._forget_takeovers()
            if self._clock() - self._seen_written_at >= _SEEN_EVERY_US:
                self._write_seen()
            return moved

    def close(self) -> None:
        """Write down what was noted. Raises StorageFailed."""
        with self._turn:
            self._write_takeovers()
            self._write_seen()

    def _person(self, token: str) -> Principal:
        claims = self._verified(token)
        now = self._clock()
        claims.check(now)
        standing = self._snapshot.standing.get(claims.session_id)
        if standing is None or standing.principal.id != claims.person_id or standing.expires_at <= now:
            raise NotSignedIn("this session has ended; sign in")
        return standing.principal

    def _machine(self, key: str) -> Principal:
        machine_id, _, secret = key.removeprefix(KEY_PREFIX).partition("_")
        snapshot = self._snapshot
        machine = snapshot.machines.get(machine_id)
        if machine is None:
            raise NotSignedIn("this machine key is not known here, or was revoked; enrol the machine")
        given = digest_of(secret)
        old, fresh = snapshot.speaking[machine_id]
        if fresh is not None and compare_digest(given, machine.next_key_hash or b""):
            self._taken_over[machine_id] = given
            principal = fresh
        # Once the next key was used the old one is over, whether or not catalog and snapshot say so yet.
        elif (
            old is not None
            and compare_digest(given, machine.key_hash or b"")
            and compare_digest(given, self._taken_over.get(machine_id, given))
        ):
            principal = old
        else:
            raise NotSignedIn("this machine key is wrong, or another took its place; enrol the machine")
        self._seen[machine_id] = self._clock()
        return principal

    def _certified(self, certificate: str) -> Principal:
        principal = self._snapshot.certified.get(certificate)
        if principal is None:
            raise NotSignedIn("this client certificate is no machine's here, or the machine was revoked")
        self._seen[principal.id] = self._clock()
        return principal

    def _read(self) -> Snapshot:
        """Three lists of one moment: a change while they are read moves the revision, and they are read again."""
        revision = self._people.revision()
        for _ in range(_READ_AGAIN):
            lists = self._people.people(), self._people.sessions(), self._machines.machines()
            after = self._people.revision()
            if after == revision:
                break
            revision, before = after, revision
        else:
            # Whoever reads next reads again.
            revision = before
        return Snapshot.of(revision, *lists)

    def _write_takeovers(self) -> None:
        for machine_id, taken in list(self._taken_over.items()):
            self._take_over(machine_id, taken)

    def _forget_takeovers(self) -> None:
        """Those that the snapshot knows of, or that another enrolment made void."""
        for machine_id, taken in list(self._taken_over.items()):
            machine = self._snapshot.machines.get(machine_id)
            if machine is None or machine.next_key_hash != taken:
                self._taken_over.pop(machine_id, None)

    def _take_over(self, machine_id: str, taken: bytes) -> None:
        def change(machine: Machine) -> Machine:
            if machine.next_key_hash != taken:
                raise Conflict("another process wrote it down, or the key is another by now")
            return replace(machine, key_hash=taken, next_key_hash=None)

        try:
            self._machines.change(machine_id, change, _taken_over)
        except (Conflict, NotFound):
            return

    def _write_seen(self) -> None:
        seen = dict(self._seen)
        fresh = {machine_id: at for machine_id, at in seen.items() if self._seen_written.get(machine_id) != at}
        if fresh:
            self._machines.seen(fresh)
        self._seen_written = seen
        self._seen_written_at = self._clock()


def _taken_over(before: Machine, after: Machine) -> Deed:
    return Deed(
        AuditAction.KEY_ROTATED,
        actor=f"gateway {before.name}",
        target=f"machine {before.name}",
        before={"rotating": True},
        after={"rotating": False},
        why="the new key was used; the old one ended",
    )
