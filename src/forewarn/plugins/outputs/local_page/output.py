"""The local page as an output of the gateway."""

import asyncio
from typing import ClassVar

from pydantic import BaseModel

from forewarn.contracts.output import OutputRequest
from forewarn.contracts.status_board import StatusBoard
from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.kit.named_secret import named_secret
from forewarn.plugins.outputs.local_page.settings import LEAST_TOKEN, LocalPageSettings


class LocalPage:
    """See README.md."""

    name: ClassVar[str] = "local_page"
    settings: ClassVar[type[BaseModel]] = LocalPageSettings
    needs_no_disk: ClassVar[bool] = True

    async def run(self, request: OutputRequest, board: StatusBoard) -> None:
        # Late: a gateway without a page does not pay for the HTTP server.
        from forewarn.kit.http_listener import Listening, server_tls, serving
        from forewarn.plugins.outputs.local_page.server import PageServer

        settings = request.settings
        assert isinstance(settings, LocalPageSettings)
        token, tls = _token(settings), None
        if settings.certificate is not None and settings.private_key is not None:
            try:
                tls = server_tls(str(settings.certificate), str(settings.private_key))
            except OSError as error:
                raise ConfigurationError(f"certificate {settings.certificate} cannot be used: {error}") from error
        server = PageServer(request, board, token)
        where = Listening(settings.host, settings.port, tls, most_connections=2 * settings.most_viewers + 16)
        try:
            async with serving(where, server.answer):
                await asyncio.Event().wait()
        except OSError as error:
            raise SourceUnreachable(
                f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}. Is another program, or "
                "another gateway, listening there?"
            ) from error


def _token(settings: LocalPageSettings) -> str | None:
    try:
        token = named_secret("token", settings.token_env, settings.token_file)
    except LookupError as error:
        raise ConfigurationError(str(error)) from None
    if token is not None and len(token) < LEAST_TOKEN:
        given = f"has {len(token)} characters" if token else "is empty"
        raise ConfigurationError(f"the token {given}: put at least {LEAST_TOKEN} where token_env or token_file says")
    return token
