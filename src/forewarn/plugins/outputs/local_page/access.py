"""Who may look: everybody on this machine, or who knows the token."""

import hashlib
import hmac
from typing import Final

from aiohttp import web

from forewarn.kit.http_listener import Refusal, check_host, same_secret
from forewarn.plugins.outputs.local_page.settings import LocalPageSettings

COOKIE: Final = "forewarn-page"
_A_MONTH_S: Final = 30 * 86_400


class Access:
    """token: None where none is needed. The cookie holds what was made of the token, never the token."""

    def __init__(self, settings: LocalPageSettings, token: str | None) -> None:
        self._settings = settings
        self._token = token
        self._mark = (
            "" if token is None else hmac.new(token.encode(), b"forewarn local page", hashlib.sha256).hexdigest()
        )

    def check_host(self, request: web.BaseRequest) -> None:
        """Raises Refusal."""
        if self._settings.on_loopback:
            check_host(request, self._settings.host_names)

    def may_read(self, request: web.BaseRequest) -> bool:
        if self._token is None:
            return True
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and same_secret(given.strip(), self._token):
            return True
        return same_secret(request.cookies.get(COOKIE, ""), self._mark)

    def sign_in(self, given: str) -> web.Response:
        """Back to the page with the cookie. Raises Refusal 401."""
        if self._token is None or not same_secret(given, self._token):
            raise Refusal(401, "that is not the token of this page", field="token")
        answer = web.Response(status=303, headers={"Location": "/"})
        answer.set_cookie(
            COOKIE,
            self._mark,
            max_age=_A_MONTH_S,
            httponly=True,
            samesite="Strict",
            secure=self._settings.certificate is not None,
        )
        return answer
