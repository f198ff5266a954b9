"""Which trained models an edge gateway should hold, and their bytes (docs/formats/uplink.md). Machines only."""

from typing import Final

import anyio.to_thread
import msgspec
import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from forewarn.api.gateway_desk import desk_of
from forewarn.api.gateway_uplink import speaker
from forewarn.api.parts import ApiParts
from forewarn.api.problems import ERROR_RESPONSES
from forewarn.api.telemetry import IngestRoute

router = APIRouter(prefix="/api/v1/gateways", tags=["gateways"], responses=ERROR_RESPONSES, route_class=IngestRoute)
_BYTES: Final = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


class TriedModel(BaseModel):
    """Two versions to be scored side by side on one machine. since: of the rollout's state, microseconds UTC."""

    rollout_id: str
    since: int
    asset_id: str
    challenger: str
    champion: str | None


class WantedModelsAnswer(BaseModel):
    """acting: the version that raises findings, by asset id. withdrawn: versions that must not act. keys: who may sign.
    revision: as in the answer to a heartbeat. thresholds: by version, where they are others than were learned: one a
    regime, null where it is as learned."""

    revision: str
    acting: dict[str, str]
    trials: list[TriedModel]
    withdrawn: list[str]
    keys: list[str]
    thresholds: dict[str, list[float | None]]


@router.get("/{gateway}/models", response_model=WantedModelsAnswer, summary="Which models a gateway should hold")
async def wanted(request: Request) -> Response:
    parts, collected = await _asked(request)
    found = await anyio.to_thread.run_sync(parts.delivery.wanted, collected)
    return Response(orjson.dumps(msgspec.to_builtins(found)), media_type="application/json")


@router.get(
    "/{gateway}/models/{model_id}",
    response_class=Response,
    responses={200: _BYTES},
    summary="One of them, as it was signed",
)
async def artifact(request: Request) -> Response:
    parts, collected = await _asked(request)
    version = request.path_params["model_id"]
    content = await anyio.to_thread.run_sync(parts.delivery.artifact, version, collected)
    return Response(content, media_type="application/octet-stream")


async def _asked(request: Request) -> tuple[ApiParts, list[str]]:
    """The gateway's parts, and what it collects."""
    gateway = request.path_params["gateway"]
    parts, desk = speaker(request, gateway), desk_of(request)
    await desk.load(gateway, parts.gateways)
    return parts, desk.collects(gateway, parts.plant)
