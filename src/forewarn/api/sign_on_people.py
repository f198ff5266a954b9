"""Who it is that the single sign-on provider vouches for, and which roles they have by its word."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Final

from fastapi import Request

from forewarn.api.access_parts import AccessParts
from forewarn.api.access_requests import deed
from forewarn.api.access_views import recorded
from forewarn.api.sign_on_parts import Admission
from forewarn.api.sign_on_problems import SignOnProblem, SignOnRefused
from forewarn.domain.access import Grant
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import Conflict, NotFound
from forewarn.domain.people import Person
from forewarn.policies.claimed_roles import claimed_grants
from forewarn.policies.person_names import folded, taken_by_others

_LONGEST_NAME: Final = 64
_LONGEST_FULL_NAME: Final = 200
# Who the audit log speaks of by these words is somebody else.
_TAKEN: Final = ("unknown", "demo")


def admitted(
    request: Request, access: AccessParts, admission: Admission, issuer: str, claims: Mapping[str, object]
) -> Person:
    """Blocks on the catalog. Raises SignOnRefused."""
    subject = f"{issuer}|{claims['sub']}"
    claimed = claimed_grants(claims, admission.roles_claim, admission.roles) if admission.roles else None
    person = _known(access, subject)
    if person is None:
        return _made(request, access, admission, subject, claims, claimed)
    if person.disabled:
        raise _refused(SignOnProblem.DISABLED, "the account is disabled", person)
    person = _brought_up_to_date(request, access, person, claimed)
    if claimed == ():
        raise _no_role(admission, person.name, f"person {person.name}")
    return person


def _known(access: AccessParts, subject: str) -> Person | None:
    return next((person for person in access.people.people() if person.subject == subject), None)


def _brought_up_to_date(
    request: Request, access: AccessParts, person: Person, claimed: tuple[Grant, ...] | None
) -> Person:
    """With the roles of today. A one-time password that somebody else knows, and nobody used, ends."""
    # The catalog keeps grants in an order of its own.
    same = claimed is None or set(claimed) == set(person.grants)
    if same and not person.must_change:
        return person

    def change(before: Person) -> Person:
        return replace(
            before,
            grants=before.grants if claimed is None or same else claimed,
            password_hash=None if before.must_change else before.password_hash,
            must_change=False,
        )

    def told(before: Person, after: Person) -> Deed:
        was, is_now = _told(before), _told(after)
        changed = [name for name in was if was[name] != is_now[name]]
        return deed(
            request,
            AuditAction.PERSON_CHANGED,
            f"person {after.name}",
            actor=after.name,
            before={name: was[name] for name in changed},
            after={name: is_now[name] for name in changed},
            why="as the single sign-on provider says",
        )

    try:
        after = access.people.change(person.id, change, told)
    except NotFound:
        raise _refused(SignOnProblem.UNKNOWN_PERSON, "the account is gone", person) from None
    except Conflict as error:
        why = f"the provider takes away the roles of the last admin, so they stay and nobody comes in: {error}"
        raise _refused(SignOnProblem.LAST_ADMIN, why, person) from None
    access.book.changed()
    return after


def _made(
    request: Request,
    access: AccessParts,
    admission: Admission,
    subject: str,
    claims: Mapping[str, object],
    claimed: tuple[Grant, ...] | None,
) -> Person:
    target = f"subject {subject}"
    if not admission.create:
        why = "nobody here has this subject: add a person with it, or set FOREWARN_OIDC_CREATE_PEOPLE"
        raise SignOnRefused(SignOnProblem.UNKNOWN_PERSON, why, target=target)
    if claimed == ():
        raise _no_role(admission, "unknown", target)
    full_name = _plain(claims.get("name"))[:_LONGEST_FULL_NAME]
    wanted = _wanted_name(claims)
    for _ in range(3):
        name = _free_name(access, wanted)
        person = Person(
            secrets.token_hex(8), name, full_name, claimed or (), None, False, False, access.clock(), subject
        )
        after: dict[str, object] = {"full_name": full_name, "grants": recorded(person.grants), "subject": subject}
        made = deed(
            request,
            AuditAction.PERSON_CHANGED,
            f"person {name}",
            actor=name,
            after=after,
            why="first single sign-on of somebody who was not known here",
        )
        try:
            access.people.add(person, made)
        except Conflict:
            # Another tab was first with this person, or another person with the name.
            known = _known(access, subject)
            if known is not None:
                return known
            continue
        access.book.changed()
        return person
    raise SignOnRefused(SignOnProblem.FAILED, f"no free name like {wanted!r} was found in three attempts")


def _wanted_name(claims: Mapping[str, object]) -> str:
    """Without blanks, so that nobody is called `gateway hall1`."""
    given = (_plain(claims.get(name)) for name in ("preferred_username", "email", "sub"))
    names = ("_".join(name.split())[:_LONGEST_NAME] for name in given)
    return next((name for name in names if name and not taken_by_others(name)), "person")


def _free_name(access: AccessParts, wanted: str) -> str:
    """Never somebody else's: that a provider gives the same name proves nothing."""
    taken = {folded(person.name) for person in access.people.people()} | set(_TAKEN)
    numbered = (f"{wanted[: _LONGEST_NAME - 8]}-{n}" for n in count(2))
    return wanted if folded(wanted) not in taken else next(name for name in numbered if folded(name) not in taken)


def _plain(found: object) -> str:
    return "".join(c for c in found if c.isprintable()).strip() if isinstance(found, str) else ""


def _told(person: Person) -> dict[str, object]:
    return {"grants": recorded(person.grants), "must_change": person.must_change}


def _no_role(admission: Admission, actor: str, target: str) -> SignOnRefused:
    why = f"the provider's claim {admission.roles_claim!r} holds no value that FOREWARN_OIDC_ROLE_MAP gives a role for"
    return SignOnRefused(SignOnProblem.NO_ROLE, why, actor=actor, target=target)


def _refused(problem: SignOnProblem, why: str, person: Person) -> SignOnRefused:
    return SignOnRefused(problem, why, actor=person.name, target=f"person {person.name}")
