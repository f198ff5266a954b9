"""HTTP push: readings are answered for only when they are durable here."""

import asyncio
import ssl
from typing import ClassVar

from pydantic import BaseModel

from forewarn.contracts.connector import ReadingSink, SourceRequest
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.domain.sources import SourceTimes
from forewarn.kit.clock import SECOND, now_us
from forewarn.kit.named_secret import named_secret
from forewarn.plugins.connectors.webhook.settings import WebhookSettings


class WebhookConnector:
    """See README.md."""

    name: ClassVar[str] = "webhook"
    settings: ClassVar[type[BaseModel]] = WebhookSettings
    times: ClassVar[SourceTimes] = SourceTimes.PAST

    async def run(self, request: SourceRequest, sink: ReadingSink) -> None:
        # Late: a gateway that has no webhook does not pay for the HTTP server.
        from forewarn.kit.http_listener import Listening, serving
        from forewarn.plugins.connectors.webhook.intake import Intake
        from forewarn.plugins.connectors.webhook.server import HookServer

        settings = request.settings
        assert isinstance(settings, WebhookSettings)
        token, tls = _token(settings), _tls(settings)
        intake = Intake(sink, settings.most_waiting, settings.store_within_s, settings.silence_s)
        server = HookServer(request, sink, intake, token)
        where = Listening(settings.host, settings.port, tls, settings.most_connections, settings.timeout_s)
        try:
            async with serving(where, server.answer):
                sink.connected()
                watch = asyncio.create_task(_watch_certificate(settings, sink))
                try:
                    await intake.run()
                finally:
                    watch.cancel()
        except OSError as error:
            raise SourceUnreachable(
                f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}. "
                "Is another program, or another source, listening there?"
            ) from error


def _token(settings: WebhookSettings) -> str | None:
    try:
        token = named_secret("token", settings.token_env, settings.token_file)
    except LookupError as error:
        raise ConfigurationError(str(error)) from None
    if token == "":
        raise ConfigurationError("the token is empty: put at least 16 characters where token_env or token_file says")
    return token


def _tls(settings: WebhookSettings) -> ssl.SSLContext | None:
    from forewarn.kit.http_listener import server_tls

    if settings.certificate is None or settings.private_key is None:
        return None
    client_ca = str(settings.client_ca) if settings.client_ca else None
    try:
        return server_tls(str(settings.certificate), str(settings.private_key), client_ca)
    except OSError as error:
        raise ConfigurationError(
            f"certificate {settings.certificate} with private_key {settings.private_key} cannot be used: {error}"
        ) from error


async def _watch_certificate(settings: WebhookSettings, sink: ReadingSink) -> None:
    """An expired certificate is told as long as it serves: senders will refuse it."""
    if settings.certificate is None:
        return
    from cryptography import x509

    expires = x509.load_pem_x509_certificate(settings.certificate.read_bytes()).not_valid_after_utc
    while True:
        left_s = expires.timestamp() - now_us() / SECOND
        if left_s <= 0:
            sink.note(
                ConditionCode.CERTIFICATE_EXPIRED,
                f"certificate {settings.certificate} expired on {expires:%Y-%m-%d %H:%M} UTC: put a new one there and "
                "restart the gateway",
            )
        await asyncio.sleep(30.0)
