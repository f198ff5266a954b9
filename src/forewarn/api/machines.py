"""Keys of gateways and devices: enrolled with a token that works once, changed, revoked."""

import secrets
from dataclasses import replace
from hmac import compare_digest
from typing import Annotated, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from forewarn.api.access_parts import Access, AccessParts
from forewarn.api.access_requests import LONGEST_BODY, deed
from forewarn.api.access_snapshot import digest_of, machine_key
from forewarn.api.access_views import Grants, MachineName, MachineView, Strict, grants_from, recorded
from forewarn.api.guard import GuardedRoute, principal_of
from forewarn.api.parts import Parts
from forewarn.api.problems import ERROR_RESPONSES
from forewarn.api.times import Instant, text_of
from forewarn.domain.access import PrincipalKind
from forewarn.domain.audit import AuditAction
from forewarn.domain.errors import Conflict, NotAllowed, NotFound, NotSignedIn
from forewarn.domain.people import Machine
from forewarn.kit.clock import DAY
from forewarn.policies.certificates import fingerprint_of

router = APIRouter(
    prefix="/api/v1/machines",
    tags=["access"],
    responses=ERROR_RESPONSES,
    route_class=GuardedRoute,
    max_body_size=LONGEST_BODY,
)
ENROL_PREFIX: Final = "fwe_"
ENROL_US: Final = DAY
_REFUSED: Final = "this enrolment token is wrong, old or was used; ask an admin for another"


class NewMachine(Strict):
    """name: the gateway_id it speaks for. certificate: PEM of the client certificate that it shows instead of a key."""

    name: MachineName
    grants: Grants
    certificate: Annotated[str, Field(max_length=12_000)] | None = None


class EnrolmentToken(Strict):
    token: str = Field(max_length=300)


class MachineList(BaseModel):
    machines: list[MachineView]


class Enrolment(BaseModel):
    """enrolment_token: shown this once, works once, until expires_at."""

    machine: MachineView
    enrolment_token: str
    expires_at: Instant


class Enrolled(BaseModel):
    machine_id: str
    gateway_id: str
    key: str


class Key(BaseModel):
    key: str


@router.get("")
def list_machines(access: Access) -> MachineList:
    """All, revoked ones too, by name."""
    return MachineList(machines=[MachineView.of(m, access.book.last_seen(m.id)) for m in access.machines.machines()])


@router.get("/self")
def myself(request: Request, access: Access) -> MachineView:
    """The machine that asks."""
    principal = principal_of(request)
    machine = access.book.machine(principal.id) if principal.kind is PrincipalKind.MACHINE else None
    if machine is None:
        raise NotFound("who asks is no machine; `GET /api/v1/session` tells of people")
    return MachineView.of(machine, access.book.last_seen(machine.id))


@router.post("", status_code=201)
def add_machine(body: NewMachine, request: Request, response: Response, access: Access, parts: Parts) -> Enrolment:
    """A machine that waits for its enrolment."""
    now, secret = access.clock(), secrets.token_urlsafe(32)
    machine = Machine(
        id=secrets.token_hex(8),
        name=body.name,
        grants=grants_from(body.grants, PrincipalKind.MACHINE, parts),
        enrol_hash=digest_of(secret),
        enrol_until=now + ENROL_US,
        key_hash=None,
        next_key_hash=None,
        certificate=None if body.certificate is None else fingerprint_of(body.certificate, now),
        revoked=False,
        created_at=now,
        last_seen_at=None,
    )
    after = {"name": machine.name, "grants": recorded(machine.grants), "certificate": machine.certificate}
    access.machines.add(
        machine, deed(request, AuditAction.MACHINE_CHANGED, f"machine {machine.name}", after=after, why="added")
    )
    access.book.changed()
    return _enrolment(response, machine, secret)


@router.post("/enrol")
def enrol(body: EnrolmentToken, request: Request, response: Response, access: Access) -> Enrolled:
    """A key for the token, which counts no more from here on; neither does the machine's old key."""
    machine_id, _, token = body.token.removeprefix(ENROL_PREFIX).partition("_")
    given = digest_of(token)
    # Asked of memory first: guesses must not queue for the catalog. Once more, as another process may have made it.
    if not _counts(access.book.machine(machine_id), given, access):
        access.book.refresh()
        if not _counts(access.book.machine(machine_id), given, access):
            raise NotSignedIn(_REFUSED)
    secret = secrets.token_urlsafe(32)

    def take(machine: Machine) -> Machine:
        if not _counts(machine, given, access):
            raise NotSignedIn(_REFUSED)
        return replace(machine, enrol_hash=None, enrol_until=None, key_hash=digest_of(secret), next_key_hash=None)

    machine = access.machines.change(
        machine_id,
        take,
        lambda before, after: deed(
            request,
            AuditAction.MACHINE_ENROLLED,
            f"machine {after.name}",
            actor=f"gateway {after.name}",
            before={"enrolled": before.key_hash is not None},
            after={"enrolled": True},
        ),
    )
    access.book.changed()
    response.headers["Cache-Control"] = "no-store"
    return Enrolled(machine_id=machine.id, gateway_id=machine.name, key=machine_key(machine.id, secret))


@router.post("/key")
def rotate_key(request: Request, response: Response, access: Access) -> Key:
    """Another key for the machine that asks. Both count until the new one is used."""
    principal = principal_of(request)
    if principal.kind is not PrincipalKind.MACHINE:
        raise NotAllowed("only a machine changes its key; people have passwords")
    secret = secrets.token_urlsafe(32)

    def rotate(machine: Machine) -> Machine:
        if machine.revoked:
            raise Conflict(f"machine {machine.name} was revoked")
        # The key it asked with is the one that stays, even when its first use is not written down yet.
        fresh = machine.next_key_hash
        shown = fresh if fresh is not None and fresh[:8].hex() == principal.session_id else machine.key_hash
        return replace(machine, key_hash=shown, next_key_hash=digest_of(secret))

    access.machines.change(
        principal.id,
        rotate,
        lambda before, after: deed(
            request,
            AuditAction.KEY_ROTATED,
            f"machine {after.name}",
            before={"rotating": before.next_key_hash is not None},
            after={"rotating": True},
        ),
    )
    access.book.changed()
    response.headers["Cache-Control"] = "no-store"
    return Key(key=machine_key(principal.id, secret))


@router.post("/{machine_id}/enrolment")
def enrol_again(machine_id: str, request: Request, response: Response, access: Access) -> Enrolment:
    """A fresh token. The key that the machine has counts until the token is used."""
    secret = secrets.token_urlsafe(32)
    until = access.clock() + ENROL_US

    def renew(machine: Machine) -> Machine:
        if machine.revoked:
            raise Conflict(f"machine {machine.name} was revoked; add it anew")
        return replace(machine, enrol_hash=digest_of(secret), enrol_until=until)

    machine = access.machines.change(
        machine_id,
        renew,
        lambda before, after: deed(
            request,
            AuditAction.MACHINE_CHANGED,
            f"machine {after.name}",
            before=_told(before),
            after=_told(after),
            why="an enrolment token was given",
        ),
    )
    access.book.changed()
    return _enrolment(response, machine, secret)


@router.delete("/{machine_id}", status_code=204)
def revoke(machine_id: str, request: Request, access: Access) -> None:
    """Its keys and tokens count no more, at once."""

    def end(machine: Machine) -> Machine:
        if machine.revoked:
            raise NotFound(f"machine {machine.name} was revoked before")
        return replace(
            machine,
            revoked=True,
            key_hash=None,
            next_key_hash=None,
            enrol_hash=None,
            enrol_until=None,
            certificate=None,
        )

    access.machines.change(
        machine_id,
        end,
        lambda before, after: deed(
            request,
            AuditAction.MACHINE_CHANGED,
            f"machine {after.name}",
            before=_told(before),
            after=_told(after),
            why="revoked",
        ),
    )
    access.book.changed()


def _counts(machine: Machine | None, given: bytes, access: AccessParts) -> bool:
    if machine is None or machine.revoked or machine.enrol_hash is None or machine.enrol_until is None:
        return False
    return compare_digest(machine.enrol_hash, given) and access.clock() < machine.enrol_until


def _enrolment(response: Response, machine: Machine, secret: str) -> Enrolment:
    response.headers["Cache-Control"] = "no-store"
    return Enrolment(
        machine=MachineView.of(machine),
        enrolment_token=f"{ENROL_PREFIX}{machine.id}_{secret}",
        expires_at=text_of(machine.enrol_until or 0),
    )


def _told(machine: Machine) -> dict[str, object]:
    """What the audit log may know of a machine."""
    view = MachineView.of(machine)
    return {"state": view.state, "rotating": view.rotating, "enrol_until": view.enrol_until}
