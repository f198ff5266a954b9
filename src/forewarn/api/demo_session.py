"""The demo signs in by itself, on the machine it runs on and nowhere else."""

import secrets
from typing import Final

from fastapi import Request

from forewarn.api.access_parts import AccessParts
from forewarn.api.access_requests import deed, from_this_machine, refuse_other_sites
from forewarn.api.access_views import recorded
from forewarn.api.sign_in import Opened, open_session
from forewarn.domain.access import Grant, Role
from forewarn.domain.audit import AuditAction
from forewarn.domain.errors import Conflict, NotAllowed, NotFound
from forewarn.domain.people import Person

NAME: Final = "demo"


def sign_in(request: Request, access: AccessParts) -> Opened:
    """Blocks on the catalog. Raises NotFound in the words of any path that is not there, NotAllowed."""
    if not (access.demo and from_this_machine(request)):
        raise NotFound(f"there is nothing at {request.url.path}; /openapi.json lists what there is")
    refuse_other_sites(request)
    access.book.refresh()
    person = access.book.person_named(NAME) or _made(request, access)
    if person.disabled or person.password_hash is not None or person.subject is not None:
        raise NotAllowed(f"{person.name} is somebody's account, not the demo's; sign in with a password")
    return open_session(request, access, person, why="the demo signs in by itself")


def _made(request: Request, access: AccessParts) -> Person:
    grants = (Grant(Role.ADMIN),)
    person = Person(secrets.token_hex(8), NAME, "Demo", grants, None, False, False, access.clock())
    made = deed(
        request,
        AuditAction.PERSON_CHANGED,
        f"person {NAME}",
        actor=NAME,
        after={"grants": recorded(grants)},
        why="first sign-in of the demo",
    )
    try:
        access.people.add(person, made)
    except Conflict:
        # another tab was first
        access.book.refresh()
        return access.book.person_named(NAME) or person
    access.book.changed()
    return person
