"""What every answer tells a browser not to do with it."""

from collections.abc import Sequence
from typing import Final

Header = tuple[bytes, bytes]

# Scripts, styles and fonts are files of ours. Mantine writes its theme into <style> elements, which without
# 'unsafe-inline' would want a nonce in a page that is made anew for each visit; style attributes are not allowed.
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; style-src-attr 'none'; "
    "connect-src 'self'; img-src 'self' data:; font-src 'self'; manifest-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'"
)
# What is no page loads nothing and is framed by nobody.
DATA_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
STRICT_TRANSPORT: Final[Header] = (b"strict-transport-security", b"max-age=31536000")
_NO_STORE: Final[Header] = (b"cache-control", b"no-store")
_EVERYWHERE: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_DATA: Final[tuple[Header, ...]] = ((b"content-security-policy", DATA_POLICY.encode()), *_EVERYWHERE)
_PAGE: Final[tuple[Header, ...]] = (
    (b"content-security-policy", PAGE_POLICY.encode()),
    *_EVERYWHERE,
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"permissions-policy", b"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
)


def added_to(path: str, given: Sequence[Header], *, secure: bool) -> tuple[Header, ...]:
    """What an answer for `path` gets on top of `given`. secure: the browser came over TLS."""
    added = _DATA if path.startswith("/api/") else _PAGE
    if secure:
        added = (*added, STRICT_TRANSPORT)
    # The page's files say how long they may be kept; what says nothing is data of the plant.
    for name, _ in given:
        if name == b"cache-control":
            return added
    return (*added, _NO_STORE)
