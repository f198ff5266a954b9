"""Signing in, and the sessions that come of it."""

import secrets
from dataclasses import dataclass, replace
from typing import Final

import anyio.to_thread
from fastapi import Request

from forewarn.api.access_parts import AccessParts
from forewarn.api.access_requests import address_of, agent_of, deed
from forewarn.api.access_snapshot import digest_of, shown_id
from forewarn.api.problems import TooMany
from forewarn.api.rate_limits import address_key
from forewarn.domain.audit import AuditAction
from forewarn.domain.errors import Delayed, NotFound, NotSignedIn
from forewarn.domain.people import Person, Session
from forewarn.policies.lockout import Counted, Failures, key_of, wait_s
from forewarn.policies.passwords import typed

WRONG: Final = "name or password is wrong"
_MOST_WAITING: Final = 50
_MOST_SESSIONS: Final = 50


@dataclass(frozen=True, slots=True)
class Opened:
    """A session with what goes back to the browser. secret: of the cookie; None leaves the cookie as it is."""

    person: Person
    session_id: str
    secret: str | None
    access_token: str
    expires_at: int


async def with_password(request: Request, access: AccessParts, name: str, password: str) -> Person:
    """Who it is. Raises Delayed, TooMany; NotSignedIn in the same words and after the same work whatever is wrong."""
    keys = _keys(request, access, name)
    # Asked before one waits for a turn, so that the refused take none, and again with the turn in hand, so that
    # many at once are no way around it.
    await anyio.to_thread.run_sync(_refuse_early, access, keys)
    if access.limiter.statistics().tasks_waiting >= _MOST_WAITING:
        raise TooMany("too many sign in at once; try again in a few seconds")
    return await anyio.to_thread.run_sync(_attempt, request, access, name, password, keys, limiter=access.limiter)


def _attempt(request: Request, access: AccessParts, name: str, password: str, keys: dict[str, Counted]) -> Person:
    _refuse_early(access, keys)
    access.book.refresh()
    person = access.book.person_named(name)
    known = None if person is None or person.disabled else person
    right = access.hashing.verify(known.password_hash if known else None, typed(password))
    if known is None or not right:
        why = "no such person" if person is None else "disabled" if person.disabled else "wrong password"
        refused = deed(request, AuditAction.SIGN_IN_REFUSED, f"person {name}", actor="unknown", why=why)
        access.people.record_failure(list(keys), access.clock(), refused)
        raise NotSignedIn(WRONG)
    # The address's failures stay: who has one account must not get more guesses at others by it.
    access.people.forget_failures([key for key, by in keys.items() if by is Counted.PAIR])
    return _rehashed(request, access, known, password)


def _keys(request: Request, access: AccessParts, name: str) -> dict[str, Counted]:
    """What failures are counted under. Where the person is signed in already, guesses from elsewhere delay nobody."""
    address = address_key(address_of(request))
    person = access.book.person_named(name)
    at_home = person is not None and any(address_key(s.address) == address for s in access.book.sessions_of(person.id))
    return {key_of(by, name, address): by for by in Counted if not (at_home and by is Counted.NAME)}


def _refuse_early(access: AccessParts, keys: dict[str, Counted]) -> None:
    failures = access.people.failures(list(keys))
    wait = wait_s((Failures(keys[key], count, last_at) for key, count, last_at in failures), access.clock())
    if wait > 0:
        raise Delayed(f"too many wrong passwords; try again in {max(1, round(wait))} s", retry_after_s=wait)


def _rehashed(request: Request, access: AccessParts, person: Person, password: str) -> Person:
    """With a hash of today's parameters, while the password is at hand."""
    if person.password_hash is None or not access.hashing.needs_rehash(person.password_hash):
        return person
    old, fresh = person.password_hash, access.hashing.hash(typed(password))
    after = access.people.change(
        person.id,
        lambda p: replace(p, password_hash=fresh) if p.password_hash == old else p,
        lambda _before, p: deed(
            request,
            AuditAction.PERSON_CHANGED,
            f"person {p.name}",
            actor=p.name,
            why="the same password, hashed with today's parameters",
        ),
        keep_sessions=True,
    )
    access.book.changed()
    return after


def open_session(request: Request, access: AccessParts, person: Person, why: str = "") -> Opened:
    """Blocks on the catalog. Raises NotSignedIn when the person was disabled or the password changed meanwhile."""
    now = access.clock()
    session_id, secret = secrets.token_hex(16), secrets.token_urlsafe(32)
    session = Session(
        id=session_id,
        person_id=person.id,
        secret_hash=digest_of(secret),
        previous_hash=None,
        created_at=now,
        rotated_at=now,
        expires_at=now + access.session_us,
        address=address_of(request),
        agent=agent_of(request),
    )
    target = f"session {shown_id(session_id)}"
    signed_in = deed(request, AuditAction.SIGNED_IN, target, actor=person.name, after={"agent": session.agent}, why=why)
    try:
        access.people.open_session(session, signed_in, person.password_hash)
    except NotFound:
        raise NotSignedIn(WRONG) from None
    _end_oldest(request, access, person)
    access.book.changed()
    return opened(access, person, session_id, secret)


def opened(access: AccessParts, person: Person, session_id: str, secret: str | None) -> Opened:
    token, expires_at = access.signer.issue(person.id, session_id)
    return Opened(person, session_id, secret, token, expires_at)


def _end_oldest(request: Request, access: AccessParts, person: Person) -> None:
    """A script that signs in every minute must not fill the memory."""
    held = sorted(access.book.sessions_of(person.id), key=lambda s: s.rotated_at, reverse=True)
    if len(held) >= _MOST_SESSIONS:
        ended = [session.id for session in held[_MOST_SESSIONS - 1 :]]
        why = f"more than {_MOST_SESSIONS} sessions: the longest unused ended"
        many = deed(request, AuditAction.SESSION_REVOKED, f"person {person.name}", actor=person.name, why=why)
        access.people.close_sessions(ended, many)


def refresh_session(request: Request, access: AccessParts, cookie: str) -> Opened:
    """For the cookie's `<session_id>.<secret>`. Blocks on the catalog. Raises NotSignedIn."""
    session_id, _, secret = cookie.partition(".")
    now, fresh = access.clock(), access.signer.next_secret(session_id, secret)
    known = access.book.session(session_id)
    if known is None:
        # Another process may have opened it. A guess must not queue for a turn to write.
        access.book.refresh()
        known = access.book.session(session_id)
    if known is None:
        raise NotSignedIn("this session has ended; sign in")
    ends = min(now + access.session_us, known.created_at + access.most_us)
    if ends <= now:
        raise NotSignedIn("this session has lasted as long as it may; sign in")
    owner = access.book.person(known.person_id)
    replayed = deed(
        request,
        AuditAction.REFRESH_REPLAYED,
        f"session {shown_id(session_id)}",
        actor=owner.name if owner else "unknown",
        why="a refresh secret came a second time: somebody copied it, so the session ended",
    )
    session = access.people.rotate(session_id, digest_of(secret), digest_of(fresh), now, ends, replayed)
    access.book.changed()
    person = access.book.person(session.person_id) if session else None
    if session is None or person is None or person.disabled:
        raise NotSignedIn("this session has ended; sign in")
    # The secret before the present one, a moment late: another tab asked at once, or a page was left before it heard.
    # Each hears the same, unless the site's key was changed meanwhile.
    return opened(access, person, session.id, fresh if session.secret_hash == digest_of(fresh) else None)


def end_sessions(request: Request, access: AccessParts, ids: list[str], action: AuditAction, target: str) -> int:
    """How many there were. Blocks on the catalog."""
    ended = access.people.close_sessions(
        ids, deed(request, action, target, after={"ended": [shown_id(i) for i in ids]})
    )
    access.book.changed()
    return ended
