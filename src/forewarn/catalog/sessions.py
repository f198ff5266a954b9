"""Sessions of people, and the refresh secrets that change with every use."""

from collections.abc import Sequence
from dataclasses import replace
from hmac import compare_digest
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from forewarn.catalog.access_changes import RecordedStore, count_up
from forewarn.catalog.tables import people, sessions
from forewarn.domain.audit import Deed
from forewarn.domain.errors import Conflict, NotFound
from forewarn.domain.people import Session

GRACE_US: Final = 10_000_000


class CatalogSessions(RecordedStore):
    """The sessions of PeopleStore."""

    def sessions(self) -> Sequence[Session]:
        standing = select(sessions).where(sessions.c.expires_at > self._now())
        with self._database.read() as connection:
            rows = connection.execute(standing.order_by(sessions.c.created_at.desc(), sessions.c.session_id))
            return [_session(row) for row in rows]

    def open_session(self, session: Session, deed: Deed, verified: str | None = None) -> None:
        with self._changing() as connection:
            _sweep(connection, self._now())
            able = select(people.c.disabled, people.c.password_hash).where(people.c.person_id == session.person_id)
            person = connection.execute(able).one_or_none()
            # A check takes its time: in between the password may have been changed, and all sessions ended.
            if person is None or person.disabled or verified not in (None, person.password_hash):
                raise NotFound(f"there is no person {session.person_id!r} who may sign in")
            connection.execute(insert(sessions).values(_row(session)))
            self._record(connection, deed)

    def rotate(
        self, session_id: str, given: bytes, fresh: bytes, now: int, expires_at: int, deed: Deed
    ) -> Session | None:
        with self._changing() as connection:
            _sweep(connection, now)
            this = sessions.c.session_id == session_id
            row = connection.execute(select(sessions).where(this).with_for_update()).one_or_none()
            if row is None:
                return None
            session = _session(row)
            if compare_digest(given, session.secret_hash):
                after = replace(
                    session,
                    secret_hash=fresh,
                    previous_hash=session.secret_hash,
                    rotated_at=now,
                    expires_at=expires_at,
                )
                connection.execute(update(sessions).where(this).values(_row(after)))
                count_up(connection)
                return after
            if _within_grace(session, given, now):
                return session
            connection.execute(delete(sessions).where(this))
            self._record(connection, deed)
        # Outside: the session must be gone and the deed recorded whatever becomes of the caller.
        raise Conflict("this session's secret was used before and is in somebody else's hands: the session has ended")

    def close_sessions(self, ids: Sequence[str], deed: Deed) -> int:
        if not ids:
            return 0
        with self._changing() as connection:
            closed = connection.execute(delete(sessions).where(sessions.c.session_id.in_(ids))).rowcount
            if closed:
                self._record(connection, deed)
            return closed


def _within_grace(session: Session, given: bytes, now: int) -> bool:
    return (
        session.previous_hash is not None
        and compare_digest(given, session.previous_hash)
        and now - session.rotated_at < GRACE_US
    )


def _sweep(connection: Connection, now: int) -> None:
    connection.execute(delete(sessions).where(sessions.c.expires_at <= now))


def _row(session: Session) -> dict[str, Any]:
    return {
        "session_id": session.id,
        "person_id": session.person_id,
        "secret_hash": session.secret_hash,
        "previous_hash": session.previous_hash,
        "created_at": session.created_at,
        "rotated_at": session.rotated_at,
        "expires_at": session.expires_at,
        "address": session.address,
        "agent": session.agent,
    }


def _session(row: Row[Any]) -> Session:
    return Session(
        id=row.session_id,
        person_id=row.person_id,
        secret_hash=row.secret_hash,
        previous_hash=row.previous_hash,
        created_at=row.created_at,
        rotated_at=row.rotated_at,
        expires_at=row.expires_at,
        address=row.address,
        agent=row.agent,
    )
