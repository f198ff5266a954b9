"""The simulated plant's switches."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from forewarn.api.deeds import deed_of
from forewarn.api.guard import LONGEST_REQUEST, GuardedRoute
from forewarn.api.parts import ApiParts, Parts
from forewarn.api.problems import ERROR_RESPONSES
from forewarn.api.times import Instant, text_of
from forewarn.contracts.simulation import SimulationControl, SimulationStatus
from forewarn.domain.audit import AuditAction
from forewarn.domain.errors import Conflict

router = APIRouter(
    prefix="/api/v1/simulation",
    tags=["simulation"],
    responses=ERROR_RESPONSES,
    route_class=GuardedRoute,
    max_body_size=LONGEST_REQUEST,
)


class FaultView(BaseModel):
    name: str
    title: str
    description: str
    templates: Sequence[str]


class ActiveFaultView(BaseModel):
    asset_id: str
    fault: str
    severity: float
    since: Instant


class SimulationView(BaseModel):
    """available: this installation carries the simulator and a plant for it."""

    available: bool
    running: bool
    assets: Sequence[str]
    faults: Sequence[FaultView]
    active: Sequence[ActiveFaultView]

    @classmethod
    def of(cls, status: SimulationStatus) -> Self:
        return cls(
            available=status.available,
            running=status.running,
            assets=status.assets,
            faults=[
                FaultView(name=f.name, title=f.title, description=f.description, templates=f.templates)
                for f in status.faults
            ],
            active=[
                ActiveFaultView(asset_id=a.asset_id, fault=a.fault, severity=a.severity, since=text_of(a.since))
                for a in status.active
            ],
        )


class FaultRequest(BaseModel):
    """ramp_s: seconds from nothing to `severity`."""

    model_config = ConfigDict(extra="forbid")

    asset_id: str = Field(max_length=200)
    fault: str = Field(max_length=200)
    severity: float = Field(1.0, ge=0, le=1)
    ramp_s: float = Field(20.0, ge=0, le=86_400)


def controlled(parts: ApiParts) -> SimulationControl:
    """Raises Conflict where there is no simulator."""
    if parts.simulation is None:
        raise Conflict("this server runs without a simulated plant; start it with `forewarn demo`")
    return parts.simulation


def command(parts: ApiParts, request: Request, verb: Literal["start", "stop"]) -> SimulationView:
    """Recorded first: what cannot be recorded is not done. Blocking."""
    simulation = controlled(parts)
    parts.audit.record(deed_of(request, AuditAction.COMMAND_GIVEN, "simulation", after={"command": verb}))
    return SimulationView.of(simulation.start() if verb == "start" else simulation.stop())


@router.get("")
def get_simulation(parts: Parts) -> SimulationView:
    """Answers `available: false` where there is no simulator."""
    if parts.simulation is None:
        return SimulationView.of(SimulationStatus(available=False, running=False))
    return SimulationView.of(parts.simulation.status())


@router.post("/start")
def start(parts: Parts, request: Request) -> SimulationView:
    """Start the simulated plant's process."""
    return command(parts, request, "start")


@router.post("/stop")
def stop(parts: Parts, request: Request) -> SimulationView:
    """Stop it."""
    return command(parts, request, "stop")


@router.post("/faults")
def inject(body: FaultRequest, parts: Parts, request: Request) -> SimulationView:
    """Let a fault grow on an asset."""
    controlled(parts)
    parts.audit.record(deed_of(request, AuditAction.COMMAND_GIVEN, "simulation", after=body.model_dump()))
    return SimulationView.of(controlled(parts).inject(body.asset_id, body.fault, body.severity, body.ramp_s))


@router.delete("/faults")
def clear(
    parts: Parts,
    request: Request,
    asset_id: Annotated[str, Query(max_length=200)],
    fault: Annotated[str, Query(max_length=200)],
) -> SimulationView:
    """Mend it."""
    controlled(parts)
    mended = {"mend": fault, "asset_id": asset_id}
    parts.audit.record(deed_of(request, AuditAction.COMMAND_GIVEN, "simulation", after=mended))
    return SimulationView.of(controlled(parts).clear(asset_id, fault))
