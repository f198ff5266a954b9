"""Deeds of requests, for the audit log."""

from collections.abc import Mapping

from fastapi import Request

from forewarn.api.guard import principal_of
from forewarn.api.problems import trace_id_of
from forewarn.domain.audit import AuditAction, Deed


def deed_of(
    request: Request,
    action: AuditAction,
    target: str,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    why: str = "",
) -> Deed:
    """By whoever asks, from where the request came."""
    address = request.client.host if request.client else ""
    return Deed(action, principal_of(request).label, target, before, after, address, why, trace_id_of(request))
