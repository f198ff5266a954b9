"""Choosing a password of one's own."""

from dataclasses import replace

import anyio.to_thread
from fastapi import Request

from forewarn.api.access_parts import AccessParts
from forewarn.api.access_requests import deed
from forewarn.api.sign_in import Opened, open_session, with_password
from forewarn.domain.access import Principal
from forewarn.domain.audit import AuditAction
from forewarn.domain.errors import InvalidInput, NotSignedIn
from forewarn.domain.people import Person
from forewarn.policies.passwords import faults, typed


async def change_password(request: Request, access: AccessParts, me: Principal, old: str, new: str) -> Opened:
    """All sessions end and one opens. Raises InvalidInput naming what `new` lacks or that `old` is wrong, Delayed."""
    person = access.book.person(me.id)
    if person is None:
        raise NotSignedIn("this person is gone; sign in")
    try:
        # First, and with the lock-out of signing in: a stolen token must not be a way to guess, nor to keep the site
        # busy with judging new passwords.
        verified = await with_password(request, access, person.name, old)
    except NotSignedIn:
        raise InvalidInput("the old password is wrong", field="old") from None
    lacks = await anyio.to_thread.run_sync(faults, new, person.name, person.full_name, limiter=access.limiter)
    if typed(old) == typed(new):
        lacks = (*lacks, "it is the old one")
    if lacks:
        raise InvalidInput(f"choose another password: {'; '.join(lacks)}", field="new")
    return await anyio.to_thread.run_sync(_change, request, access, me, verified, new, limiter=access.limiter)


def _change(request: Request, access: AccessParts, me: Principal, person: Person, new: str) -> Opened:
    fresh = access.hashing.hash(typed(new))

    def choose(now: Person) -> Person:
        # An admin's reset, or another change, came between the check and here: it stands.
        if now.password_hash != person.password_hash or now.disabled or not access.book.stands(me):
            raise NotSignedIn("the password was changed meanwhile; sign in")
        return replace(now, password_hash=fresh, must_change=False)

    after = access.people.change(
        person.id,
        choose,
        lambda before, _: deed(
            request,
            AuditAction.PASSWORD_CHANGED,
            f"person {person.name}",
            before={"must_change": before.must_change},
            after={"must_change": False},
        ),
    )
    # Read from the catalog: one that was opened with the old password a moment ago is among them.
    ended = [session.id for session in access.people.sessions() if session.person_id == person.id]
    revoked = deed(request, AuditAction.SESSION_REVOKED, f"person {person.name}", why="the password was changed")
    access.people.close_sessions(ended, revoked)
    return open_session(request, access, after, why="after the password was changed")
