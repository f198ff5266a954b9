"""Rollouts: new models on their way to act, how far they are, begun and ended by hand."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from forewarn.api.deeds import deed_of
from forewarn.api.guard import LONGEST_REQUEST, GuardedRoute
from forewarn.api.model_views import Because
from forewarn.api.parts import ApiParts, Parts
from forewarn.api.problems import ERROR_RESPONSES
from forewarn.api.rollout_views import CandidateView, RolloutPage, RolloutView, StartRollout
from forewarn.contracts.rollout_desk import Moved, RolloutDesk
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import Conflict, NotFound
from forewarn.domain.rollouts import Rollout
from forewarn.policies.rollout import step_told

router = APIRouter(
    prefix="/api/v1",
    tags=["rollouts"],
    responses=ERROR_RESPONSES,
    route_class=GuardedRoute,
    max_body_size=LONGEST_REQUEST,
)


@router.get("/rollouts")
def list_rollouts(parts: Parts, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> RolloutPage:
    """Newest first, those under way beyond `limit` as well; each with how far it is, what both sides did and what the
    new one must keep within; and the candidates of which one may be begun."""
    desk = _desk(parts)
    return RolloutPage(
        rollouts=[RolloutView.of(told) for told in desk.newest(limit)],
        candidates=[CandidateView.of(candidate) for candidate in desk.candidates()],
    )


@router.post("/rollouts", status_code=201)
def start_rollout(body: StartRollout, parts: Parts, request: Request) -> RolloutView:
    """Let candidates score in the shadow of their champions. By whoever may train on the whole site."""
    desk = _desk(parts)
    for asset_id in body.assets:
        if asset_id not in parts.plant.assets:
            raise NotFound(f"there is no asset {asset_id[:80]!r}")
    return RolloutView.of(desk.start(body.assets, body.share, _moving(request)))


@router.post("/rollouts/{rollout_id}/rollback")
def roll_back_rollout(rollout_id: str, body: Because, parts: Parts, request: Request) -> RolloutView:
    """Take it back from any step; the champions before act again. By whoever may train on the whole site."""
    desk = _desk(parts)
    if not rollout_id.isprintable():
        raise NotFound(f"there is no rollout {rollout_id[:80]!r}")
    return RolloutView.of(desk.roll_back(rollout_id, body.reason, _moving(request, body.reason)))


def _desk(parts: ApiParts) -> RolloutDesk:
    if parts.models is None or parts.models.rollouts is None:
        raise Conflict("this server keeps no trained models")
    return parts.models.rollouts


def _moving(request: Request, why: str = "") -> Moved:
    def deed(before: Rollout | None, after: Rollout) -> Deed:
        was, told = step_told(before, after)
        return deed_of(request, AuditAction.MODEL_CHANGED, f"rollout {after.id}", before=was, after=told, why=why)

    return deed
