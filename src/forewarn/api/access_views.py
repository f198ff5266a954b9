"""People, machines and sessions on the wire."""

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from forewarn.api.access_snapshot import shown_id
from forewarn.api.parts import ApiParts
from forewarn.api.times import Instant, text_of
from forewarn.domain.access import EVERYWHERE, Action, Grant, Principal, PrincipalKind, Role
from forewarn.domain.errors import InvalidInput
from forewarn.domain.people import Machine, Person, Session
from forewarn.policies.access import ALLOWED, SITE_WIDE, decide

_MACHINE_ROLES: Final = tuple(role for role in Role if role is not Role.ADMIN)


def _plain(text: str) -> str:
    text = text.strip()
    if not text.isprintable():
        raise ValueError("holds characters that cannot be seen")
    return text


def _filled(text: str) -> str:
    if not text:
        raise ValueError("is blank")
    return text


Plain = Annotated[str, AfterValidator(_plain)]
Name = Annotated[Plain, Field(max_length=64), AfterValidator(_filled)]
MachineName = Annotated[Plain, Field(max_length=128), AfterValidator(_filled)]
FullName = Annotated[Plain, Field(max_length=200)]
# As Person.subject; '' is none.
Subject = Annotated[Plain, Field(max_length=2_300, pattern=r"^(https?://[^|]+\|.+)?$")]


class Strict(BaseModel):
    """Nothing is guessed: no unknown fields, no text for a number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class GrantView(Strict):
    # JSON has no enums: their text is exact enough.
    role: Annotated[Role, Field(strict=False)]
    path: str = Field(EVERYWHERE, max_length=500)


Grants = Annotated[list[GrantView], Field(max_length=100)]


class PersonView(BaseModel):
    """actions: what the grants allow somewhere."""

    id: str
    name: str
    full_name: str
    must_change: bool
    disabled: bool
    single_sign_on: bool
    created_at: Instant
    grants: list[GrantView]
    actions: list[Action]

    @classmethod
    def of(cls, person: Person) -> Self:
        return cls(
            id=person.id,
            name=person.name,
            full_name=person.full_name,
            must_change=person.must_change,
            disabled=person.disabled,
            single_sign_on=person.subject is not None,
            created_at=text_of(person.created_at),
            grants=views_of(person.grants),
            actions=[action for action in Action if decide(person.grants, action).allowed],
        )


class SessionView(BaseModel):
    id: str
    person_id: str
    person_name: str
    created_at: Instant
    last_used_at: Instant
    expires_at: Instant
    address: str
    agent: str
    mine: bool

    @classmethod
    def of(cls, session: Session, person_name: str, reader: Principal) -> Self:
        return cls(
            id=shown_id(session.id),
            person_id=session.person_id,
            person_name=person_name,
            created_at=text_of(session.created_at),
            last_used_at=text_of(session.rotated_at),
            expires_at=text_of(session.expires_at),
            address=session.address,
            agent=session.agent,
            mine=reader.kind is PrincipalKind.PERSON and session.person_id == reader.id,
        )


class MachineView(BaseModel):
    """enrol_until: until when its enrolment token counts. rotating: a fresh key waits for its first use. certificate:
    SHA-256 (hex) of the client certificate that it may show instead of a key."""

    id: str
    name: str
    grants: list[GrantView]
    state: Literal["waiting", "enrolled", "revoked"]
    enrol_until: Instant | None
    created_at: Instant
    last_seen_at: Instant | None
    rotating: bool
    certificate: str | None

    @classmethod
    def of(cls, machine: Machine, seen: int | None = None) -> Self:
        times = [at for at in (machine.last_seen_at, seen) if at is not None]
        enrolled = machine.key_hash is not None or machine.certificate is not None
        return cls(
            id=machine.id,
            name=machine.name,
            grants=views_of(machine.grants),
            state="revoked" if machine.revoked else "enrolled" if enrolled else "waiting",
            enrol_until=None if machine.enrol_until is None else text_of(machine.enrol_until),
            created_at=text_of(machine.created_at),
            last_seen_at=text_of(max(times)) if times else None,
            rotating=machine.next_key_hash is not None,
            certificate=machine.certificate,
        )


class RoleView(BaseModel):
    """site_wide: it may do something that concerns the whole site, and that a role on a part does not give."""

    role: Role
    actions: list[Action]
    site_wide: bool

    @classmethod
    def of(cls, role: Role) -> Self:
        actions = [action for action in Action if action in ALLOWED[role]]
        return cls(role=role, actions=actions, site_wide=bool(SITE_WIDE & ALLOWED[role]))


def views_of(grants: tuple[Grant, ...]) -> list[GrantView]:
    return [GrantView(role=grant.role, path=grant.path) for grant in grants]


def recorded(grants: tuple[Grant, ...]) -> list[dict[str, str]]:
    """As the audit log keeps them."""
    return [{"role": grant.role.value, "path": grant.path} for grant in grants]


def places(parts: ApiParts) -> list[str]:
    """All paths that a grant may name."""
    paths = {"/".join(asset.path[:depth]) for asset in parts.plant.assets.values() for depth in range(1, 5)}
    return sorted({EVERYWHERE, *paths})


def grants_from(given: list[GrantView], kind: PrincipalKind, parts: ApiParts) -> tuple[Grant, ...]:
    """Raises InvalidInput for a place that the plant does not have and a role that `kind` cannot have."""
    known = set(places(parts))
    for index, grant in enumerate(given):
        if grant.path not in known:
            raise InvalidInput(
                f"the plant has no place {grant.path[:100]!r}; GET /api/v1/roles lists them",
                field=f"grants.{index}.path",
            )
        field = f"grants.{index}.role"
        if kind is PrincipalKind.MACHINE and grant.role not in _MACHINE_ROLES:
            raise InvalidInput("a machine is no admin: a key that lies in a file must not let others in", field=field)
        if kind is PrincipalKind.PERSON and grant.role is Role.GATEWAY:
            raise InvalidInput("gateway is a role of machines; enrol one instead", field=field)
    return tuple(dict.fromkeys(Grant(grant.role, grant.path) for grant in given))
