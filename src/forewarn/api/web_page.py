"""The built web page: hashed assets for ever, index.html never cached, unknown paths are the page's own routes."""

from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_FOREVER: Final = "public, max-age=31536000, immutable"
_HASHED: Final = "static/"  # Vite's assetsDir; /assets/... is a route of the page
_NO_PAGE: Final = ("api/", "healthz", "readyz", "metrics", "openapi.json", "docs", _HASHED)


class WebPage(StaticFiles):
    """Files of `directory`; what is none of them and no API path gets index.html."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404 or path.startswith(_NO_PAGE):
                raise
            response = FileResponse(Path(str(self.directory)) / "index.html")
        response.headers["Cache-Control"] = _FOREVER if path.startswith(_HASHED) else "no-cache"
        return response


def install(app: FastAPI, directory: Path | None) -> None:
    """Last of all, so that every API route comes first."""
    if directory is not None and (directory / "index.html").is_file():
        app.mount("/", WebPage(directory=directory, html=True), name="web")
