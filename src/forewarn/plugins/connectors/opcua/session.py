"""A session with an OPC UA server: opened, its failures named, closed without waiting for the dead."""

import asyncio
import logging
import os
from contextlib import suppress
from typing import Final

from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto import uacrypto
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError, UaStatusCodeError
from cryptography import x509

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.kit.named_secret import named_secret
from forewarn.plugins.connectors.opcua.certificates import (
    Identity,
    judge_server,
    load_certificate,
    load_private_key,
    own_identity,
    thumbprint,
)
from forewarn.plugins.connectors.opcua.hello import strange_answer
from forewarn.plugins.connectors.opcua.settings import OpcUaSettings

_log = logging.getLogger(__name__)
# Short, so that a session of ours that was killed does not hold one of the server's few places for an hour.
_SESSION_TIMEOUT_MS: Final = 60_000
# The library's own check of the connection; ours is the keepalive watchdog.
_LIBRARY_WATCHDOG_S: Final = 3600.0
_GOODBYE_S: Final = 1.0
_LOOK_S: Final = 1.0
_WRONG_CREDENTIALS: Final = (
    StatusCodes.BadIdentityTokenInvalid,
    StatusCodes.BadIdentityTokenRejected,
    StatusCodes.BadUserAccessDenied,
    StatusCodes.BadUserSignatureInvalid,
)
_DISTRUSTS_US: Final = (
    StatusCodes.BadSecurityChecksFailed,
    StatusCodes.BadCertificateUntrusted,
    StatusCodes.BadCertificateInvalid,
    StatusCodes.BadCertificateUriInvalid,
    StatusCodes.BadCertificateUseNotAllowed,
    StatusCodes.BadCertificateTimeInvalid,
    StatusCodes.BadCertificateIssuerTimeInvalid,
    StatusCodes.BadCertificateChainIncomplete,
)

# It warns at each step of closing what is dead already; people learn of a loss from the source's state.
logging.getLogger("asyncua").setLevel(logging.CRITICAL)


class Entrance:
    """How sessions with one server are opened: whom we are and whom we believe is settled once, by `check`."""

    def __init__(self, url: str, settings: OpcUaSettings) -> None:
        self.url = url
        self._settings = settings
        self._identity: Identity | None = None
        self._server: bytes = b""

    async def check(self) -> None:
        """Raises SourceUnreachable when there is no server, or none that is to be believed."""
        if self._settings.security == "None":
            return
        self._identity = await asyncio.to_thread(own_identity, self._settings)
        if self._identity.made:
            mine = x509.load_der_x509_certificate(self._identity.certificate)
            _log.warning(
                "made our certificate %s in %s: the server must trust it",
                thumbprint(mine),
                self._settings.certificate_folder,
            )
        shown = await self._shown()
        self._server = await asyncio.to_thread(judge_server, shown, self.url, self._settings)

    def credentials(self) -> tuple[object, ...]:
        """Changes when the password or the certificates do: what was refused may be right then."""
        settings = self._settings
        files = (
            settings.password_file,
            settings.user_certificate,
            settings.user_private_key,
            settings.certificate,
            settings.private_key,
        )
        seen = tuple(None if file is None or not file.exists() else file.stat().st_mtime_ns for file in files)
        return *seen, os.environ.get(settings.password_env or ""), settings.user

    async def _shown(self) -> bytes:
        """The certificate of the endpoint that we want, as the server tells it."""
        client = Client(self.url, timeout=self._settings.timeout_s, watchdog_intervall=_LIBRARY_WATCHDOG_S)
        try:
            endpoints = await client.connect_and_get_server_endpoints()
        except (OSError, TimeoutError, UaError) as error:
            raise await self._unanswered(error) from error
        finally:
            await close_session(client, polite=False)
        for endpoint in endpoints:
            wanted = ua.MessageSecurityMode.SignAndEncrypt, SecurityPolicyBasic256Sha256.URI
            if (endpoint.SecurityMode, endpoint.SecurityPolicyUri) == wanted:
                return bytes(endpoint.ServerCertificate or b"")
        raise SourceUnreachable(
            f"{self.url} has no endpoint with {self._settings.security}, SignAndEncrypt",
            condition=ConditionCode.CERTIFICATE_UNTRUSTED,
        )

    async def _unanswered(self, error: Exception) -> SourceUnreachable:
        if (said := await strange_answer(self.url, min(_LOOK_S, self._settings.timeout_s))) is not None:
            text = f"what answers at {self.url} is no OPC UA server, it says {said}: check host and port"
            return SourceUnreachable(text, condition=ConditionCode.NONSENSE)
        return SourceUnreachable(f"{self.url} does not answer: {str(error) or type(error).__name__}")

    async def open(self) -> Client:
        """Raises SourceUnreachable, ConfigurationError. The caller closes it with `close_session`."""
        settings = self._settings
        client = Client(self.url, timeout=settings.timeout_s, watchdog_intervall=_LIBRARY_WATCHDOG_S)
        client.name = client.description = "Forewarn gateway"
        client.application_uri = settings.application_uri
        client.session_timeout = _SESSION_TIMEOUT_MS
        await _set_user(client, settings)
        opened = False
        try:
            await self._secure(client)
            await client.connect()
            opened = True
        except UaStatusCodeError as error:
            raise self._named(error.code) from error
        except AssertionError as error:
            # The library drops the code of a refused secure channel, and finds itself without an answer.
            raise self._named(StatusCodes.BadSecurityChecksFailed) from error
        except (OSError, TimeoutError, UaError) as error:
            raise await self._unanswered(error) from error
        finally:
            if not opened:
                await close_session(client, polite=False)
        return client

    async def _secure(self, client: Client) -> None:
        if self._identity is not None:
            await client.set_security(
                SecurityPolicyBasic256Sha256,
                uacrypto.CertProperties(self._identity.certificate, "der"),
                uacrypto.CertProperties(self._identity.private_key, "der"),
                server_certificate=uacrypto.CertProperties(self._server, "der"),
                mode=ua.MessageSecurityMode.SignAndEncrypt,
            )

    def _named(self, code: int) -> SourceUnreachable:
        name = ua.StatusCode(ua.UInt32(code)).name
        if code in _WRONG_CREDENTIALS:
            who = f"user {self._settings.user!r}" if self._settings.user else "anonymous users"
            who = f"the user of {self._settings.user_certificate}" if self._settings.user_certificate else who
            return SourceUnreachable(
                f"{self.url} refuses {who} ({name}): check user and password",
                condition=ConditionCode.CREDENTIALS_REFUSED,
            )
        if code in _DISTRUSTS_US and self._identity is not None:
            mine = thumbprint(x509.load_der_x509_certificate(self._identity.certificate))
            return SourceUnreachable(
                f"{self.url} does not believe our certificate {mine} ({name}): have the server trust it",
                condition=ConditionCode.CERTIFICATE_UNTRUSTED,
            )
        return SourceUnreachable(f"{self.url} refuses the session: {name}")


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


async def _set_user(client: Client, settings: OpcUaSettings) -> None:
    if settings.user_certificate is not None and settings.user_private_key is not None:
        client.user_certificate = load_certificate(settings.user_certificate, "user_certificate")
        key = load_private_key(settings.user_private_key, "user_private_key")
        client.user_private_key = await uacrypto.load_private_key(key, None, "der")
    if settings.user is None:
        return
    client.set_user(settings.user)
    try:
        password = named_secret("password", settings.password_env, settings.password_file)
    except LookupError as error:
        raise ConfigurationError(str(error)) from None
    if password is not None:
        client.set_password(password)
