"""The one door: who asks, whether they may, and what they may see, before any route runs."""

from typing import Final

import structlog
from fastapi import Request
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from forewarn.api.access_book import AccessBook
from forewarn.api.narrowed import Narrower
from forewarn.api.parts import NARROWED, ApiParts
from forewarn.api.problems import BodyTooLarge
from forewarn.api.rate_limits import RateLimits
from forewarn.api.rules import OPEN, RULES
from forewarn.domain.access import Action, Principal
from forewarn.domain.errors import NotAllowed, NotSignedIn
from forewarn.policies import access

_log = structlog.get_logger("forewarn.api")
_PRINCIPAL: Final = "forewarn.principal"
# In a request's scope: SHA-256 (hex) of the client certificate that the TLS handshake proved.
PEER_CERTIFICATE: Final = "forewarn.peer_certificate"
# Bytes of a body that is no telemetry; what concerns access has less.
LONGEST_REQUEST: Final = 1 << 20


class Guard:
    """Answers once a request. No I/O: sessions, keys and grants are in memory."""

    def __init__(self, book: AccessBook, parts: ApiParts, limits: RateLimits) -> None:
        self._book = book
        self._narrower = Narrower(parts)
        self._limits = limits

    def admit(self, scope: Scope, action: Action) -> None:
        """Puts principal and narrowed parts into `scope`. Raises NotSignedIn, NotAllowed, RateLimited."""
        try:
            certificate = scope.get(PEER_CERTIFICATE)
            principal = self._book.principal(HTTPConnection(scope).headers.get("authorization"), certificate)
        except NotSignedIn:
            self._limits.unknown(scope)
            raise
        self._limits.known(principal, action)
        scope[_PRINCIPAL] = principal
        decision = access.may(principal, action)
        if not decision.allowed:
            _log.warning("not_allowed", who=principal.label, action=action.value, path=scope["path"], why=decision.why)
            raise NotAllowed(decision.why)
        scope[NARROWED] = self._narrower.within(access.scope(principal.grants, action))

    def open(self, scope: Scope, path: str) -> None:
        """A route that anybody may ask. Raises RateLimited."""
        self._limits.stranger(scope, path)


class GuardedRoute(APIRoute):
    """A route that asks the guard first. All routes are made of this class; a test walks them."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        # A method that the route does not have is refused by name further on; it does nothing.
        if method in (self.methods or ()):
            if (method, self.path) not in RULES:
                raise NotAllowed(f"{method} {self.path} has no rule, so nobody may use it")
            rule = RULES[method, self.path]
            guard: Guard = scope["app"].state.guard
            if rule is OPEN:
                guard.open(scope, self.path)
            else:
                guard.admit(scope, rule)
            if self.max_body_size is not None:
                _refuse_longer(scope, self.max_body_size)
        await self.serve(scope, receive, send)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The route itself, for whom the guard let in."""
        await super().handle(scope, receive, send)


def _refuse_longer(scope: Scope, limit: int) -> None:
    """By what the request says of itself; the framework counts what comes, but its answer is no problem+json."""
    length = HTTPConnection(scope).headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > limit:
        raise BodyTooLarge(f"the body is larger than {limit:,} bytes")


def principal_of(request: Request) -> Principal:
    """Who asks. Only for routes that are not open."""
    principal: Principal = request.scope[_PRINCIPAL]
    return principal
