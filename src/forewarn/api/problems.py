"""Every refusal as application/problem+json (RFC 9457); the only place where an error learns its HTTP status."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from forewarn.domain.errors import (
    BatchLogFull,
    ConfigurationError,
    Conflict,
    Delayed,
    ForewarnError,
    InvalidInput,
    NotAllowed,
    NotFound,
    NotSignedIn,
    SourceUnreachable,
    StorageFailed,
)

_log = structlog.get_logger("forewarn.api")


class BodyTooLarge(ForewarnError):
    """The body is above the limit, as sent or decompressed."""


class TooMany(ForewarnError):
    """More of something than the site carries at once; try again later."""


class RateLimited(Delayed):
    """More requests than one session, key or address may send; nothing was done."""


class Misdirected(ForewarnError):
    """The request names a host that is not served here."""


class UnsupportedMedia(ForewarnError):
    """The content type or encoding is none we read."""


STATUS_OF: Final[Mapping[type[ForewarnError], tuple[int, str]]] = {
    InvalidInput: (400, "invalid-input"),
    BodyTooLarge: (413, "body-too-large"),
    UnsupportedMedia: (415, "unsupported-media-type"),
    NotFound: (404, "not-found"),
    Conflict: (409, "conflict"),
    NotSignedIn: (401, "not-signed-in"),
    NotAllowed: (403, "not-allowed"),
    Delayed: (429, "delayed"),
    RateLimited: (429, "rate-limited"),
    Misdirected: (421, "misdirected-request"),
    BatchLogFull: (429, "batch-log-full"),
    TooMany: (503, "too-many"),
    StorageFailed: (503, "storage-failed"),
    SourceUnreachable: (502, "source-unreachable"),
    ConfigurationError: (500, "configuration-error"),
    ForewarnError: (500, "internal-error"),
}


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    code: str | None = None
    trace_id: str


ERROR_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    "default": {"description": "Refused (RFC 9457)", "model": Problem, "content": {"application/problem+json": {}}}
}


def problem(
    trace_id: str,
    status: int,
    detail: str,
    *,
    name: str = "",
    field: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer itself. `name` is the last part of `type`; `code` tells programs which of its kind it is."""
    title = HTTPStatus(status).phrase
    body: dict[str, object] = {
        "type": f"urn:forewarn:problem:{name or title.lower().replace(' ', '-')}",
        "title": title,
        "status": status,
        "detail": detail.encode("utf-8", "replace").decode(),
        "trace_id": trace_id,
    }
    if code:
        body["code"] = code
    if field:
        body["field"] = field.encode("utf-8", "replace").decode()
    return Response(orjson.dumps(body), status, dict(headers or {}), media_type="application/problem+json")


def of_error(trace_id: str, error: ForewarnError) -> Response:
    """A domain error as an answer."""
    status, name = next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)
    headers = {}
    if isinstance(error, NotSignedIn):
        headers["WWW-Authenticate"] = "Bearer"
    elif isinstance(error, BatchLogFull | Delayed):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    elif isinstance(error, TooMany | StorageFailed):
        headers["Retry-After"] = "10"
    if status >= 500:
        _log.error("request_failed", trace_id=trace_id, problem=name, detail=str(error))
    field, code = getattr(error, "field", None), getattr(error, "code", None)
    return problem(trace_id, status, str(error), name=name, field=field, code=code, headers=headers)


def trace_id_of(request: Request) -> str:
    return str(request.scope.get("forewarn.trace_id", ""))


async def _domain(request: Request, error: Exception) -> Response:
    assert isinstance(error, ForewarnError)
    return of_error(trace_id_of(request), error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    if error.status_code == 404 and detail == HTTPStatus.NOT_FOUND.phrase:
        detail = f"there is nothing at {request.url.path}; /openapi.json lists what there is"
    name = "body-too-large" if error.status_code == 413 else ""
    return problem(trace_id_of(request), error.status_code, detail, name=name, headers=error.headers)


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = [str(part) for part in first["loc"] if part not in ("body", "query", "path", "header")]
    field = ".".join(where) or None
    return problem(
        trace_id_of(request), 422, f"{field or 'the request'}: {first['msg']}", name="invalid-input", field=field
    )


def install(app: FastAPI) -> None:
    """Answer every error of `app` as a problem; the unexpected ones are caught in `trace.py`."""
    app.add_exception_handler(ForewarnError, _domain)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
