"""Which web addresses something secret may be sent to."""

from typing import Final
from urllib.parse import urlsplit

_THIS_MACHINE: Final = ("127.0.0.1", "::1", "localhost")


def of_this_machine(address: str) -> bool:
    return _host(address) in _THIS_MACHINE


def is_private(address: object) -> bool:
    """Nobody between reads along: https, or http on this machine. Anything that is no such address is not."""
    if not isinstance(address, str) or not _host(address):
        return False
    scheme = urlsplit(address).scheme
    return scheme == "https" or (scheme == "http" and of_this_machine(address))


def _host(address: str) -> str:
    try:
        parts = urlsplit(address)
        # Its port is looked at when it is asked for, and not before.
        return (parts.hostname or "") if parts.port != 0 else ""
    except ValueError:
        return ""
