"""Signing in with an OpenID Connect provider."""

from typing import Annotated, Final

import anyio.to_thread
import structlog
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from forewarn.api.access_parts import Access, AccessParts
from forewarn.api.access_requests import address_of, deed, from_this_machine
from forewarn.api.guard import GuardedRoute
from forewarn.api.oidc_client import of_answer
from forewarn.api.problems import ERROR_RESPONSES
from forewarn.api.rate_limits import address_key
from forewarn.api.session import keep_cookie
from forewarn.api.sign_in import Opened, open_session
from forewarn.api.sign_on_attempt import LIFE_US
from forewarn.api.sign_on_parts import SingleSignOn
from forewarn.api.sign_on_people import admitted
from forewarn.api.sign_on_problems import SignOnProblem, SignOnRefused, page_of
from forewarn.domain.audit import AuditAction
from forewarn.domain.errors import Conflict, InvalidInput, NotAllowed, NotFound, NotSignedIn, StorageFailed
from forewarn.kit.clock import SECOND
from forewarn.policies.lockout import Counted, Failures, wait_s

_log = structlog.get_logger("forewarn.api")
router = APIRouter(prefix="/api/v1", tags=["access"], responses=ERROR_RESPONSES, route_class=GuardedRoute)
PATH: Final = "/api/v1/session/single-sign-on"
COOKIE: Final = "forewarn_sign_on"
WHY: Final = "single sign-on"


class Button(BaseModel):
    button: str


class SignInOptions(BaseModel):
    """demo: the page may sign in by itself. single_sign_on: null where there is none."""

    single_sign_on: Button | None
    demo: bool


@router.get("/session/options")
def sign_in_options(request: Request, access: Access) -> SignInOptions:
    """What a sign-in page shows."""
    sign_on = access.single_sign_on
    return SignInOptions(
        single_sign_on=None if sign_on is None else Button(button=sign_on.button),
        demo=access.demo and from_this_machine(request),
    )


@router.get("/session/single-sign-on", status_code=302, response_class=RedirectResponse)
async def begin(request: Request, access: Access, return_to: str = "/") -> Response:
    """Off to the provider, and back to return_to, a path of the page. 404 where there is none."""
    sign_on = _of(request, access)
    redirect_uri = sign_on.redirect_uri or f"{str(request.base_url).rstrip('/')}{PATH}/callback"
    attempt, cookie = sign_on.attempts.begin(redirect_uri, return_to)
    try:
        answer = _redirect(await sign_on.client.authorization_url(attempt))
    except SignOnRefused as refused:
        # Nobody tried to be somebody yet: this is the operator's matter, not the audit log's.
        _log.warning("single_sign_on_fails", problem=refused.problem.value, why=str(refused))
        return _redirect(page_of(refused.problem))
    answer.set_cookie(
        COOKIE,
        cookie,
        max_age=LIFE_US // SECOND,
        path=PATH,
        secure=access.secure_cookies,
        httponly=True,
        samesite="lax",
    )
    return answer


Text = Annotated[str, Query(max_length=4_096)]


@router.get("/session/single-sign-on/callback", status_code=302, response_class=RedirectResponse)
async def come_back(
    request: Request, access: Access, state: Text = "", code: Text = "", error: Text = "", iss: Text | None = None
) -> Response:
    """From the provider: into the page with a session, or to its sign-in page with `problem`."""
    sign_on = _of(request, access)
    try:
        await anyio.to_thread.run_sync(_refuse_early, request, access)
        cookie = request.cookies.get(COOKIE)
        if not cookie:
            # Nobody began here: neither an attempt to be counted nor a deed to be recorded.
            return _redirect(page_of(SignOnProblem.EXPIRED))
        attempt = sign_on.attempts.take(cookie, state)
        if error or not code:
            raise of_answer(error)
        claims = await sign_on.client.claims(code, attempt, iss)
        opened = await anyio.to_thread.run_sync(_open, request, access, sign_on, claims)
        answer = _redirect(attempt.return_to)
        keep_cookie(answer, access, opened)
    except SignOnRefused as refused:
        answer = _redirect(page_of(await anyio.to_thread.run_sync(_told, request, access, refused)))
    except (StorageFailed, InvalidInput, Conflict) as failed:
        _log.error("single_sign_on_fails", why=str(failed))
        answer = _redirect(page_of(SignOnProblem.FAILED))
    answer.delete_cookie(COOKIE, PATH, secure=access.secure_cookies, httponly=True, samesite="lax")
    return answer


def _of(request: Request, access: AccessParts) -> SingleSignOn:
    """Raises NotFound in the words of any path that is not there; NotAllowed for what another site's page loads."""
    if access.single_sign_on is None:
        raise NotFound(f"there is nothing at {request.url.path}; /openapi.json lists what there is")
    # Only somebody who goes here: a picture or a frame of another site would use up an address's attempts.
    mode, dest = request.headers.get("sec-fetch-mode"), request.headers.get("sec-fetch-dest")
    if mode not in (None, "navigate") or dest not in (None, "document"):
        raise NotAllowed("this address is for a browser's window, not for a part of a page")
    return access.single_sign_on


def _open(request: Request, access: AccessParts, sign_on: SingleSignOn, claims: dict[str, object]) -> Opened:
    person = admitted(request, access, sign_on.admission, sign_on.client.issuer, claims)
    try:
        opened = open_session(request, access, person, why=WHY)
    except NotSignedIn:
        who = f"person {person.name}"
        raise SignOnRefused(SignOnProblem.DISABLED, "disabled meanwhile", actor=person.name, target=who) from None
    access.people.forget_failures([_key(request)])
    return opened


def _refuse_early(request: Request, access: AccessParts) -> None:
    """An address that was refused many times waits, as with passwords, so that nobody fills the audit log."""
    failures = access.people.failures([_key(request)])
    if wait_s((Failures(Counted.ADDRESS, count, at) for _, count, at in failures), access.clock()) > 0:
        raise SignOnRefused(SignOnProblem.DELAYED, "refused too often from this address; nothing was tried")


def _told(request: Request, access: AccessParts, refused: SignOnRefused) -> SignOnProblem:
    """Into the log and the audit log; what the person is told."""
    _log.warning("single_sign_on_refused", problem=refused.problem.value, why=str(refused))
    if refused.problem is SignOnProblem.DELAYED:
        return refused.problem
    # A provider that is away is nobody's failure, and must not keep people out once it is back.
    keys = [] if refused.problem is SignOnProblem.PROVIDER_AWAY else [_key(request)]
    entry = deed(request, AuditAction.SIGN_IN_REFUSED, refused.target, actor=refused.actor, why=f"{WHY}: {refused}")
    try:
        access.people.record_failure(keys, access.clock(), entry)
    except StorageFailed as failed:
        _log.error("single_sign_on_fails", why=str(failed))
        return SignOnProblem.FAILED
    return refused.problem


def _key(request: Request) -> str:
    return f"single sign-on {address_key(address_of(request))}"


def _redirect(url: str) -> RedirectResponse:
    return RedirectResponse(url, 302, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
