"""Trained models: versions with their cards, who is champion, and training."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request

from forewarn.api.deeds import deed_of
from forewarn.api.gateway_desk import desk_of
from forewarn.api.guard import LONGEST_REQUEST, GuardedRoute, principal_of
from forewarn.api.model_parts import ModelParts
from forewarn.api.model_views import (
    AssetModelView,
    Because,
    DriftView,
    JobPage,
    JobView,
    ModelPage,
    ModelSummary,
    ModelView,
    NextTrainingView,
    ScoresPage,
    ScoresView,
    ThresholdView,
    TrainRequest,
)
from forewarn.api.parts import ApiParts, Parts
from forewarn.api.problems import ERROR_RESPONSES
from forewarn.contracts.model_registry import Judged
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import Conflict, NotFound
from forewarn.domain.model_versions import ModelState, ModelVersion
from forewarn.policies.rollout import OPEN

router = APIRouter(
    prefix="/api/v1",
    tags=["models"],
    responses=ERROR_RESPONSES,
    route_class=GuardedRoute,
    max_body_size=LONGEST_REQUEST,
)
_HISTORY = 50


@router.get("/models")
def list_models(
    parts: Parts,
    asset_id: Annotated[str | None, Query(max_length=200)] = None,
    state: Annotated[list[ModelState] | None, Query(max_length=10)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
) -> ModelPage:
    """Newest first; `state` as often as needed."""
    found = _of(parts).registry.find(asset_id, set(state) if state else None, limit)
    return ModelPage(models=[ModelSummary.of(version) for version in found])


@router.get("/models/{model_id}")
def get_model(model_id: str, parts: Parts) -> ModelView:
    """With its card."""
    return ModelView.of(_of(parts).registry.get(_printable(model_id)))


@router.get("/models/{model_id}/scores")
def get_scores(model_id: str, parts: Parts) -> ScoresPage:
    """How the ratios of the healthy rows lie that set its threshold. 409 where its file cannot be used any more."""
    of = _of(parts)
    version = of.registry.get(_printable(model_id))
    return ScoresPage(regimes=[ScoresView.of(told) for told in of.scores(version.id)])


@router.get("/assets/{asset_id}/model")
def get_asset_model(asset_id: str, parts: Parts, request: Request) -> AssetModelView:
    """What acts on a machine, what waits to, what did before, and its threshold now; when it is learned next, and how
    far it has come from what its model knows."""
    of = _of(parts)
    if asset_id not in parts.plant.assets:
        raise NotFound(f"there is no asset {asset_id!r}")
    history = of.registry.find(asset_id, None, _HISTORY)
    champion = of.registry.champions().get(asset_id)
    newer = [v for v in history if v.state in OPEN and (champion is None or v.created_at >= champion.created_at)]
    jobs = [job for job in of.jobs.find("train", 20) if any(item.asset_id == asset_id for item in job.items)]
    return AssetModelView(
        asset_id=asset_id,
        waits_for=of.waits(asset_id) if champion is None else "",
        champion=None if champion is None else ModelView.of(champion),
        challenger=ModelView.of(newer[0]) if newer else None,
        history=[ModelSummary.of(version) for version in history],
        thresholds=[ThresholdView.of(told) for told in of.thresholds(asset_id)],
        job=JobView.of(jobs[0]) if jobs else None,
        next_training=None if (planned := of.next_training(asset_id)) is None else NextTrainingView.of(planned),
        drift=_drift(asset_id, champion, history, parts, request),
    )


@router.post("/models/train", status_code=202)
def train(body: TrainRequest, parts: Parts, request: Request) -> JobView:
    """Learn machines anew from their healthy past. The answer is the job: ask for it until `ended_at` is set."""
    of = _of(parts)
    assets = list(body.assets) or list(parts.plant.assets)
    job = of.job_of(assets, principal_of(request).label, body.days)
    after = {"assets": assets[:100], "machines": len(assets), "days": body.days}
    stored = of.jobs.add(job, deed_of(request, AuditAction.COMMAND_GIVEN, f"training {job.id}", after=after))
    of.look()
    return JobView.of(stored)


@router.post("/models/{model_id}/promote")
def promote(model_id: str, body: Because, parts: Parts, request: Request) -> ModelView:
    """Champion of its machine from now on; the one before is retired."""
    deed = _crowning(request, body.reason)
    return ModelView.of(_of(parts).registry.promote(_printable(model_id), deed))


@router.post("/models/{model_id}/rollback")
def take_back(model_id: str, body: Because, parts: Parts, request: Request) -> AssetModelView:
    """Take the champion back; the one before it acts again, if there was one."""
    of = _of(parts)
    version = of.registry.get(_printable(model_id))
    of.registry.demote(version.id, body.reason, _crowning(request, body.reason))
    return get_asset_model(version.asset_id, parts, request)


@router.get("/jobs")
def list_jobs(parts: Parts, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> JobPage:
    """Newest first."""
    return JobPage(jobs=[JobView.of(job) for job in _of(parts).jobs.find(None, limit)])


@router.get("/jobs/{job_id}")
def get_job(job_id: str, parts: Parts) -> JobView:
    """How far it is."""
    return JobView.of(_of(parts).jobs.get(_printable(job_id)))


@router.post("/jobs/{job_id}/cancel")
def cancel_job(job_id: str, parts: Parts, request: Request) -> JobView:
    """Begin nothing more of it; what was learned stays."""
    deed = deed_of(request, AuditAction.COMMAND_GIVEN, f"training {job_id}", after={"command": "cancel"})
    return JobView.of(_of(parts).jobs.cancel(_printable(job_id), deed))


def _drift(
    asset_id: str, champion: ModelVersion | None, history: Sequence[ModelVersion], parts: ApiParts, request: Request
) -> DriftView | None:
    """As the gateway says that judges what acts, else as the site's own line does; None where nothing was judged."""
    own = {signal.id for signal in parts.plant.signals_of(asset_id)}
    planned = parts.delivery.wanted(own).acting.get(asset_id, "")
    # What is planned follows the registry seconds later.
    acting = next((v for v in history if v.id == planned and v.state is ModelState.CANARY), champion)
    if acting is None:
        return None
    told_there = desk_of(request).drift.of(asset_id, acting.id, acting.state_since)
    by, told = told_there or ("", _of(parts).drift(asset_id))
    if told is None or not (told.signals or told.over is not None):
        return None
    return DriftView.of(replace(told, signals={s: figures for s, figures in told.signals.items() if s in own}), by)


def _of(parts: ApiParts) -> ModelParts:
    if parts.models is None:
        raise Conflict("this server keeps no trained models")
    return parts.models


def _printable(text: str) -> str:
    if not text.isprintable():
        raise NotFound(f"there is nothing called {text[:80]!r}")
    return text


def _crowning(request: Request, why: str) -> Judged:
    def deed(was: ModelVersion | None, now: ModelVersion | None) -> Deed:
        asset = now or was
        return deed_of(
            request,
            AuditAction.MODEL_CHANGED,
            "" if asset is None else asset.asset_id,
            before=None if was is None else {"champion": was.id},
            after=None if now is None else {"champion": now.id},
            why=why,
        )

    return deed
