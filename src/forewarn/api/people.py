"""Accounts of people, and what their roles are."""

import secrets
from dataclasses import replace

import anyio.to_thread
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from forewarn.api.access_parts import Access, AccessParts
from forewarn.api.access_requests import LONGEST_BODY, deed
from forewarn.api.access_views import (
    FullName,
    Grants,
    Name,
    PersonView,
    RoleView,
    Strict,
    Subject,
    grants_from,
    places,
    recorded,
)
from forewarn.api.guard import GuardedRoute
from forewarn.api.parts import ApiParts, Parts
from forewarn.api.problems import ERROR_RESPONSES
from forewarn.domain.access import Action, PrincipalKind, Role
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import InvalidInput
from forewarn.domain.people import Person
from forewarn.policies.access import SITE_WIDE
from forewarn.policies.one_time import one_time_password
from forewarn.policies.passwords import typed

router = APIRouter(
    prefix="/api/v1",
    tags=["access"],
    responses=ERROR_RESPONSES,
    route_class=GuardedRoute,
    max_body_size=LONGEST_BODY,
)


class NewPerson(Strict):
    """subject: `issuer|sub` of who signs in with single sign-on, and then without a password."""

    name: Name
    full_name: FullName = ""
    grants: Grants
    subject: Subject = ""


class PersonChange(Strict):
    """What is absent or null stays. subject: '' takes single sign-on away."""

    full_name: FullName | None = None
    grants: Grants | None = None
    disabled: bool | None = None
    subject: Subject | None = None


class PersonList(BaseModel):
    people: list[PersonView]


class OneTimePassword(BaseModel):
    one_time_password: str


class MadePerson(OneTimePassword):
    person: PersonView


class RoleList(BaseModel):
    """site_wide_actions: what a role on a part of the plant does not give. paths: what a grant may name."""

    roles: list[RoleView]
    site_wide_actions: list[Action]
    paths: list[str]


@router.get("/people")
def list_people(access: Access) -> PersonList:
    """All, disabled ones too, by name."""
    return PersonList(people=[PersonView.of(person) for person in access.people.people()])


@router.post("/people", status_code=201)
async def add_person(body: NewPerson, request: Request, response: Response, access: Access, parts: Parts) -> MadePerson:
    """With a password that is shown this once and must be changed; none for who has a subject."""
    response.headers["Cache-Control"] = "no-store"
    password = "" if body.subject else one_time_password()
    person = await anyio.to_thread.run_sync(_add, request, access, parts, body, password, limiter=access.limiter)
    return MadePerson(person=PersonView.of(person), one_time_password=password)


@router.patch("/people/{person_id}")
def change_person(person_id: str, body: PersonChange, request: Request, access: Access, parts: Parts) -> PersonView:
    """Who is disabled is signed out everywhere at once."""
    if not body.model_dump(exclude_none=True):
        raise InvalidInput("nothing to change; send full_name, grants, disabled or subject")
    granted = None if body.grants is None else grants_from(body.grants, PrincipalKind.PERSON, parts)

    def change(person: Person) -> Person:
        return replace(
            person,
            full_name=person.full_name if body.full_name is None else body.full_name,
            grants=person.grants if granted is None else granted,
            disabled=person.disabled if body.disabled is None else body.disabled,
            subject=person.subject if body.subject is None else body.subject or None,
        )

    def told(before: Person, after: Person) -> Deed:
        was, is_now = _told(before), _told(after)
        changed = [name for name in was if was[name] != is_now[name]]
        return deed(
            request,
            AuditAction.PERSON_CHANGED,
            f"person {after.name}",
            before={name: was[name] for name in changed},
            after={name: is_now[name] for name in changed},
        )

    after = access.people.change(person_id, change, told)
    access.book.changed()
    return PersonView.of(after)


@router.post("/people/{person_id}/password")
async def reset_password(person_id: str, request: Request, response: Response, access: Access) -> OneTimePassword:
    """A fresh one-time password, shown this once; all the person's sessions end."""
    response.headers["Cache-Control"] = "no-store"
    password = one_time_password()
    await anyio.to_thread.run_sync(_reset, request, access, person_id, password, limiter=access.limiter)
    return OneTimePassword(one_time_password=password)


@router.get("/roles")
def list_roles(parts: Parts) -> RoleList:
    """What each role may do, and where it can be given."""
    return RoleList(
        roles=[RoleView.of(role) for role in Role],
        site_wide_actions=[action for action in Action if action in SITE_WIDE],
        paths=places(parts),
    )


def _add(request: Request, access: AccessParts, parts: ApiParts, body: NewPerson, password: str) -> Person:
    person = Person(
        id=secrets.token_hex(8),
        name=body.name,
        full_name=body.full_name,
        grants=grants_from(body.grants, PrincipalKind.PERSON, parts),
        password_hash=access.hashing.hash(typed(password)) if password else None,
        must_change=bool(password),
        disabled=False,
        created_at=access.clock(),
        subject=body.subject or None,
    )
    access.people.add(
        person, deed(request, AuditAction.PERSON_CHANGED, f"person {person.name}", after=_told(person), why="added")
    )
    access.book.changed()
    return person


def _reset(request: Request, access: AccessParts, person_id: str, password: str) -> None:
    hashed = access.hashing.hash(typed(password))
    person = access.people.change(
        person_id,
        lambda before: replace(before, password_hash=hashed, must_change=True),
        lambda before, after: deed(
            request,
            AuditAction.PASSWORD_CHANGED,
            f"person {after.name}",
            before={"must_change": before.must_change},
            after={"must_change": True},
            why="a one-time password was given",
        ),
    )
    target = f"person {person.name}"
    ended = [session.id for session in access.people.sessions() if session.person_id == person_id]
    access.people.close_sessions(
        ended, deed(request, AuditAction.SESSION_REVOKED, target, why="a one-time password was given")
    )
    access.book.changed()


def _told(person: Person) -> dict[str, object]:
    """What the audit log may know of a person."""
    return {
        "name": person.name,
        "full_name": person.full_name,
        "grants": recorded(person.grants),
        "disabled": person.disabled,
        "subject": person.subject,
    }
