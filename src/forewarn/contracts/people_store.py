"""Accounts and sessions of people. Every change is recorded in the audit log in the same transaction, or not made."""

from collections.abc import Callable, Sequence
from typing import Protocol

from forewarn.domain.audit import Deed
from forewarn.domain.people import Person, Session


class PeopleStore(Protocol):
    def revision(self) -> int:
        """Grows with every change of people, sessions or machines, by whatever process; cheap to poll."""
        ...

    def people(self) -> Sequence[Person]:
        """All, disabled ones too, by name."""
        ...

    def add(self, person: Person, deed: Deed) -> None:
        """Raises Conflict when the name or the subject is taken; names differ in more than case."""
        ...

    def change(
        self,
        person_id: str,
        change: Callable[[Person], Person],
        deed: Callable[[Person, Person], Deed],
        *,
        keep_sessions: bool = False,
    ) -> Person:
        """Read, apply `change`, write, in one transaction; `deed` is told what was and what is. Raises NotFound, and
        Conflict when no enabled admin of everything would be left; what `change` raises rolls back.
        All sessions end where the person is disabled, or password, must_change or subject are others now;
        keep_sessions: not for these three."""
        ...

    def sessions(self) -> Sequence[Session]:
        """Those that have not expired, newest first."""
        ...

    def open_session(self, session: Session, deed: Deed, verified: str | None = None) -> None:
        """verified: the hash that the password was checked against. Raises NotFound when the person is gone or
        disabled, or has another password by now."""
        ...

    def rotate(
        self, session_id: str, given: bytes, fresh: bytes, now: int, expires_at: int, deed: Deed
    ) -> Session | None:
        """The session with `fresh` as its secret's hash, if `given` is the present one.

        If `given` is the previous one and was replaced less than 10 s ago, the session as it is. None when there is no
        such session. Raises Conflict, after the session is gone and `deed` recorded, for any other: an old secret in
        somebody's hands."""
        ...

    def close_sessions(self, ids: Sequence[str], deed: Deed) -> int:
        """How many there were; nothing is recorded when none was."""
        ...

    def failures(self, keys: Sequence[str]) -> Sequence[tuple[str, int, int]]:
        """(key, count, last_at) of failed sign-ins; those older than a day are forgotten."""
        ...

    def record_failure(self, keys: Sequence[str], at: int, deed: Deed) -> None:
        """Count one more for each key."""
        ...

    def forget_failures(self, keys: Sequence[str]) -> None: ...
