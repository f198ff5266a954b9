"""What the routes of access ask of a request: where it comes from, who did it, and what is recorded of it."""

import ipaddress
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request

from forewarn.api.guard import principal_of
from forewarn.api.problems import trace_id_of
from forewarn.domain.access import Principal, PrincipalKind
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import NotAllowed

LONGEST_BODY: Final = 16 << 10
_AGENT: Final = 200
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


def address_of(request: Request) -> str:
    """The peer's; '' when it has none (a Unix socket). What proxies say of others is not believed."""
    return request.client.host if request.client else ""


def agent_of(request: Request) -> str:
    text = request.headers.get("user-agent", "")
    return "".join(c for c in text if c.isprintable())[:_AGENT]


def person_of(request: Request) -> Principal:
    """Raises NotAllowed for a machine."""
    principal = principal_of(request)
    if principal.kind is not PrincipalKind.PERSON:
        raise NotAllowed("this is for people; a machine has a key and no session")
    return principal


def deed(
    request: Request,
    action: AuditAction,
    target: str,
    *,
    actor: str | None = None,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    why: str = "",
) -> Deed:
    """actor: when nobody is signed in yet."""
    who = principal_of(request).label if actor is None else actor
    return Deed(action, who, target, before, after, address_of(request), why, trace_id_of(request))


def refuse_other_sites(request: Request) -> None:
    """Raises NotAllowed when a browser sends this for a page that is not ours."""
    origin = request.headers.get("origin")
    if origin is None:
        # Browsers tell at least one of the two with every POST; what tells none is no browser.
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise NotAllowed("this request comes from another site's page")
        return
    ours = request.headers.get("host", "").lower()
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        parts = urlsplit("")
    if not ours or parts.netloc != ours or (parts.scheme, request.url.scheme) == ("http", "https"):
        raise NotAllowed("this request comes from another site's page (its Origin is not this host)")


def from_this_machine(request: Request) -> bool:
    """Whether it came here over loopback, under a loopback name (a name of another site that resolves to 127.0.0.1 is
    none), and through no proxy that says so."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        host = urlsplit("//" + request.headers.get("host", "")).hostname or ""
    except ValueError:
        return False
    return _is_loopback(address_of(request)) and (host == "localhost" or _is_loopback(host))


def _is_loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
