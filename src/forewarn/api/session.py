"""Signing in and out, and one's own sessions."""

from typing import Annotated, Final, Literal, Self

import anyio.to_thread
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from forewarn.api import demo_session
from forewarn.api.access_parts import Access, AccessParts
from forewarn.api.access_requests import LONGEST_BODY, person_of, refuse_other_sites
from forewarn.api.access_snapshot import shown_id
from forewarn.api.access_views import PersonView, SessionView, Strict
from forewarn.api.guard import GuardedRoute, principal_of
from forewarn.api.own_password import change_password
from forewarn.api.problems import ERROR_RESPONSES, of_error, trace_id_of
from forewarn.api.sign_in import Opened, end_sessions, open_session, refresh_session, with_password
from forewarn.api.times import Instant, text_of
from forewarn.domain.access import Action, PrincipalKind
from forewarn.domain.audit import AuditAction
from forewarn.domain.errors import Conflict, NotAllowed, NotFound, NotSignedIn
from forewarn.kit.clock import SECOND
from forewarn.policies.access import may

router = APIRouter(
    prefix="/api/v1",
    tags=["access"],
    responses=ERROR_RESPONSES,
    route_class=GuardedRoute,
    max_body_size=LONGEST_BODY,
)
COOKIE: Final = "forewarn_refresh"
_COOKIE_PATH: Final = "/api/v1/session"
Password = Annotated[str, Field(max_length=1_024)]


class SignIn(Strict):
    name: str = Field(max_length=200)
    password: Password


class NewPassword(Strict):
    old: Password
    new: Password


class OwnSession(BaseModel):
    person: PersonView


class SignedIn(OwnSession):
    """expires_at: of the access token; refresh the session before."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    expires_at: Instant

    @classmethod
    def of(cls, opened: Opened) -> Self:
        return cls(
            access_token=opened.access_token,
            expires_at=text_of(opened.expires_at),
            person=PersonView.of(opened.person),
        )


class Ended(BaseModel):
    ended: int


class SessionList(BaseModel):
    sessions: list[SessionView]


@router.post("/session")
async def sign_in(body: SignIn, request: Request, response: Response, access: Access) -> SignedIn:
    """A person, by name and password. 401 in the same words whatever is wrong."""
    refuse_other_sites(request)
    person = await with_password(request, access, body.name, body.password)
    opened = await anyio.to_thread.run_sync(open_session, request, access, person)
    return _answer(response, access, opened)


@router.post("/session/refresh", response_model=SignedIn)
def refresh(request: Request, response: Response, access: Access) -> SignedIn | Response:
    """A fresh access token for the refresh cookie, which changes. Without a session the cookie is cleared."""
    refuse_other_sites(request)
    cookie = request.cookies.get(COOKIE)
    try:
        if not cookie:
            raise NotSignedIn("there is no session here; sign in")
        return _answer(response, access, refresh_session(request, access, cookie))
    except (NotSignedIn, Conflict) as error:
        if isinstance(error, Conflict):
            access.book.changed()
        refused = of_error(trace_id_of(request), NotSignedIn(str(error)))
        _clear(refused, access)
        return refused


@router.post("/session/demo")
def sign_in_demo(request: Request, response: Response, access: Access) -> SignedIn:
    """As `demo`, in `forewarn demo` and from this machine alone; 404 anywhere else."""
    return _answer(response, access, demo_session.sign_in(request, access))


@router.get("/session")
def own_session(request: Request, access: Access) -> OwnSession:
    """Who I am."""
    person = access.book.person(person_of(request).id)
    if person is None:
        raise NotSignedIn("this person is gone; sign in")
    return OwnSession(person=PersonView.of(person))


@router.delete("/session", status_code=204)
def sign_out(request: Request, response: Response, access: Access) -> None:
    """This session ends."""
    session_id = person_of(request).session_id
    end_sessions(request, access, [session_id], AuditAction.SIGNED_OUT, f"session {shown_id(session_id)}")
    _clear(response, access)


@router.delete("/session/others")
def sign_out_elsewhere(request: Request, access: Access) -> Ended:
    """All my other sessions end."""
    me = person_of(request)
    others = [s.id for s in access.people.sessions() if s.person_id == me.id and s.id != me.session_id]
    ended = end_sessions(request, access, others, AuditAction.SESSION_REVOKED, f"person {me.name}")
    return Ended(ended=ended)


@router.post("/session/password")
async def new_password(body: NewPassword, request: Request, response: Response, access: Access) -> SignedIn:
    """Choose a password. All my sessions end, and this answer opens another."""
    opened = await change_password(request, access, person_of(request), body.old, body.new)
    return _answer(response, access, opened)


@router.get("/sessions")
def list_sessions(request: Request, access: Access) -> SessionList:
    """Newest first; only mine for who may not read what concerns access."""
    reader = principal_of(request)
    every = may(reader, Action.READ_ACCESS).allowed
    names = {person.id: person.name for person in access.people.people()}
    views = [SessionView.of(s, names.get(s.person_id, s.person_id), reader) for s in access.people.sessions()]
    return SessionList(sessions=[view for view in views if every or view.mine])


@router.delete("/sessions/{session_id}", status_code=204)
def end_session(session_id: str, request: Request, access: Access) -> None:
    """One of mine, or anybody's for who manages access."""
    who = principal_of(request)
    found = next((s for s in access.people.sessions() if shown_id(s.id) == session_id), None)
    mine = found is not None and who.kind is PrincipalKind.PERSON and found.person_id == who.id
    decision = may(who, Action.MANAGE_ACCESS)
    if not mine and not decision.allowed:
        raise NotAllowed(decision.why)
    if found is None or not end_sessions(
        request, access, [found.id], AuditAction.SESSION_REVOKED, f"session {session_id}"
    ):
        raise NotFound("there is no such session; it may have ended")


def _answer(response: Response, access: AccessParts, opened: Opened) -> SignedIn:
    response.headers["Cache-Control"] = "no-store"
    keep_cookie(response, access, opened)
    return SignedIn.of(opened)


def keep_cookie(response: Response, access: AccessParts, opened: Opened) -> None:
    """Have the browser keep the session's refresh secret."""
    if opened.secret is not None:
        response.set_cookie(
            COOKIE,
            f"{opened.session_id}.{opened.secret}",
            max_age=access.session_us // SECOND,
            path=_COOKIE_PATH,
            secure=access.secure_cookies,
            httponly=True,
            samesite="strict",
        )


def _clear(response: Response, access: AccessParts) -> None:
    response.delete_cookie(COOKIE, _COOKIE_PATH, secure=access.secure_cookies, httponly=True, samesite="strict")
