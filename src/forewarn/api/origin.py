"""Which requests are none of ours: another site's page behind them, or another site's name for this server."""

import ipaddress
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.types import Scope

from forewarn.api.problems import Misdirected
from forewarn.domain.errors import InvalidInput, NotAllowed

# These change nothing, and what they answer another site's page cannot read: no CORS header is ever sent.
_SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS"))
_OURS: Final = frozenset((b"same-origin", b"none"))


class OriginCheck:
    """Cheap: looks at three headers. No I/O."""

    def __init__(self, hosts: Iterable[str] = (), *, loopback: bool = False) -> None:
        """hosts: names that are served, `*.` before one takes all below it; none: any, unless `loopback`: those of this
        machine."""
        names = [name.lower() for name in hosts]
        self._open = not names and not loopback
        self._loopback = loopback
        self._names = frozenset(name for name in names if not name.startswith("*."))
        self._below = tuple(name[1:] for name in names if name.startswith("*."))
        # What was found in order; bounded, as strangers choose the names.
        self._known: dict[bytes, None] = {}

    def refuse(self, scope: Scope) -> None:
        """Raises InvalidInput for a Host header that is none, Misdirected for a name that is not served, NotAllowed for
        a change that another site's page sends."""
        host: bytes | None = None
        origin: bytes | None = None
        site: bytes | None = None
        for name, value in scope["headers"]:
            if name == b"host":
                if host is not None:
                    raise InvalidInput("the request has two Host headers", field="host")
                host = value
            elif name == b"origin":
                origin = value
            elif name == b"sec-fetch-site":
                site = value
        if host is None:
            # HTTP/1.0 knows no such header, and whoever speaks it is no browser.
            if scope["http_version"] == "1.1":
                raise InvalidInput("the request has no Host header", field="host")
        elif not self._open and host not in self._known:
            self._admit(host)
        if (origin is not None or site is not None) and scope["method"] not in _SAFE:
            _refuse_other_sites(scope, host, origin, site)

    def _admit(self, host: bytes) -> None:
        name = host_name(host)
        if not (name in self._names or name.endswith(self._below) or (self._loopback and is_loopback_name(name))):
            shown = name[:100].encode("ascii", "replace").decode()
            raise Misdirected(
                f"this site is not served under the name {shown!r}; whoever runs it adds the name to allowed_hosts "
                "(FOREWARN_ALLOWED_HOSTS)"
            )
        if len(self._known) < 64:
            self._known[host] = None


def host_name(host: bytes) -> str:
    """Of a Host header, without port and brackets; '' when it is none."""
    try:
        return (urlsplit("//" + host.decode("ascii")).hostname or "").rstrip(".")
    except (UnicodeDecodeError, ValueError):
        return ""


def is_loopback_name(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _refuse_other_sites(scope: Scope, host: bytes | None, origin: bytes | None, site: bytes | None) -> None:
    if site is not None and site not in _OURS:
        raise NotAllowed("this request comes from another site's page")
    if origin is None:
        return
    scheme, _, netloc = origin.lower().partition(b"://")
    # A proxy that ends TLS may not say so: a page over https is ours as well where we speak http.
    downgraded = scheme == b"http" and scope["scheme"] == "https"
    if host is None or netloc != host.lower() or scheme not in (b"http", b"https") or downgraded:
        raise NotAllowed("this request comes from another site's page (its Origin is not this host)")
