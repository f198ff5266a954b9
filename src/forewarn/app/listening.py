"""The web server's address, taken before anything else starts."""

import errno
import ipaddress
import socket

from forewarn.app.settings import Settings
from forewarn.domain.errors import ConfigurationError


def listen(settings: Settings) -> socket.socket:
    """The bound socket. Raises ConfigurationError that names the setting to change: the port, the host, or what keeps
    passwords from travelling in clear."""
    host, port = settings.host, settings.port
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        _refuse_plain(settings)
    except (OSError, UnicodeError) as error:
        bound.close()
        raise ConfigurationError(f"cannot listen on {host}:{port}: {_why(host, port, error)}") from error
    except ConfigurationError:
        bound.close()
        raise
    return bound


def on_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_plain(settings: Settings) -> None:
    if on_loopback(settings.host) or settings.tls_certificate is not None or settings.behind_proxy:
        return
    raise ConfigurationError(
        f"other machines reach {settings.host}, and passwords and keys would travel in clear; set "
        "FOREWARN_TLS_CERTIFICATE and FOREWARN_TLS_KEY, or FOREWARN_BEHIND_PROXY=true where a proxy ends TLS and "
        "nothing but the proxy reaches this port (docs/operations/security.md)"
    )


def _why(host: str, port: int, error: Exception) -> str:
    code = error.errno if isinstance(error, OSError) and not isinstance(error, socket.gaierror) else None
    if code == errno.EADDRINUSE:
        return "something listens there already; stop it, or choose another port with --port or FOREWARN_PORT"
    if code in (errno.EACCES, errno.EPERM):
        return "this user may not; choose a port above 1023 with --port or FOREWARN_PORT"
    return (
        f"{host!r} is no address of this machine ({error}); choose one with --host or FOREWARN_HOST: 127.0.0.1 for "
        "this machine alone, 0.0.0.0 for all its networks"
    )
