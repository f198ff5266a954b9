"""The web server's address, taken before anything else starts."""

import errno
import socket

from forewarn.app.settings import Settings
from forewarn.domain.errors import ConfigurationError


def listen(settings: Settings) -> socket.socket:
    """The bound socket. Raises ConfigurationError that names the setting to change: the port or the host."""
    host, port = settings.host, settings.port
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except (OSError, UnicodeError) as error:
        bound.close()
        raise ConfigurationError(f"cannot listen on {host}:{port}: {_why(host, port, error)}") from error
    return bound


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
