"""A secure session with an OPC UA server: opened, its failures named, closed without waiting for the dead."""

import asyncio
import logging
from contextlib import suppress
from typing import Final

from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.kit.named_secret import named_secret
from forewarn.plugins.connectors.opcua.settings import OpcUaSettings

# Short, so that a session of ours that was killed does not hold one of the server's few places for an hour.
_SESSION_TIMEOUT_MS: Final = 60_000
# The library's own check of the connection; ours is the keepalive watchdog.
_LIBRARY_WATCHDOG_S: Final = 3600.0
_GOODBYE_S: Final = 1.0
_WRONG_CREDENTIALS: Final = (
    StatusCodes.BadIdentityTokenInvalid,
    StatusCodes.BadIdentityTokenRejected,
    StatusCodes.BadUserAccessDenied,
)

# It warns at each step of closing what is dead already; people learn of a loss from the source's state.
logging.getLogger("asyncua").setLevel(logging.CRITICAL)


async def open_session(settings: OpcUaSettings) -> Client:
    """Raises SourceUnreachable, ConfigurationError. The caller closes it with `close_session`."""
    client = Client(settings.url, timeout=settings.timeout_s, watchdog_intervall=_LIBRARY_WATCHDOG_S)
    client.name = client.description = "Forewarn gateway"
    client.application_uri = settings.application_uri
    client.session_timeout = _SESSION_TIMEOUT_MS
    _set_user(client, settings)
    opened = False
    try:
        await _set_security(client, settings)
        await client.connect()
        opened = True
    except UaStatusCodeError as error:
        name = ua.StatusCode(error.code).name
        if error.code in _WRONG_CREDENTIALS:
            raise ConfigurationError(
                f"{settings.url} refuses user {settings.user!r} ({name}): check user and password"
            ) from error
        raise SourceUnreachable(f"{settings.url} refuses the session: {name}") from error
    except (OSError, TimeoutError, UaError) as error:
        raise SourceUnreachable(f"{settings.url} does not answer: {error or type(error).__name__}") from error
    finally:
        if not opened:
            await close_session(client, polite=False)
    return client


async def close_session(client: Client, *, polite: bool) -> None:
    """Every socket and task of `client` ends. polite: tell the server first, for a second at the most."""
    protocol = client.uaclient.protocol
    transport = protocol.transport if protocol is not None else None
    if not polite:
        client.uaclient.disconnect_socket()
    with suppress(TimeoutError, OSError, UaError):
        async with asyncio.timeout(_GOODBYE_S):
            await client.disconnect()
    if transport is not None:
        # close() would wait for a frozen peer to read what is still buffered.
        transport.abort()


def _set_user(client: Client, settings: OpcUaSettings) -> None:
    if settings.user is None:
        return
    client.set_user(settings.user)
    try:
        password = named_secret("password", settings.password_env, settings.password_file)
    except LookupError as error:
        raise ConfigurationError(str(error)) from None
    if password is not None:
        client.set_password(password)


async def _set_security(client: Client, settings: OpcUaSettings) -> None:
    if settings.security == "None":
        return
    for field in ("certificate", "private_key", "server_certificate"):
        path = getattr(settings, field)
        if path is not None and not path.is_file():
            raise ConfigurationError(f"{field}: there is no file {path}")
    assert settings.certificate is not None
    assert settings.private_key is not None
    pinned = settings.server_certificate
    await client.set_security(
        SecurityPolicyBasic256Sha256,
        settings.certificate,
        settings.private_key,
        server_certificate=str(pinned) if pinned is not None else None,
        mode=ua.MessageSecurityMode.SignAndEncrypt,
    )
