"""What the API is made of; `app/wiring.py` fills it in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol

import numpy as np
from fastapi import Depends, Request
from numpy.typing import NDArray

from forewarn.contracts.alarm_store import AlarmStore
from forewarn.contracts.anomaly_store import AnomalyStore
from forewarn.contracts.audit_log import AuditLog
from forewarn.contracts.batch_log import BatchLog
from forewarn.contracts.door import Door
from forewarn.contracts.edge_intake import EdgeIntake
from forewarn.contracts.gateway_leases import GatewayLeases
from forewarn.contracts.gateway_store import GatewayStore
from forewarn.contracts.historian import Historian
from forewarn.contracts.model_delivery import ModelDelivery, NoDelivery
from forewarn.contracts.plant_view import PlantView
from forewarn.contracts.simulation import SimulationControl
from forewarn.contracts.source_monitor import SourceMonitor
from forewarn.domain.access import ALL, Scope
from forewarn.policies.admission import FUTURE_US

if TYPE_CHECKING:
    from forewarn.api.instruments import Instruments
    from forewarn.api.live import LiveBroadcaster
    from forewarn.api.model_parts import ModelParts


NARROWED: Final = "forewarn.parts"


class LineHealth(Protocol):
    """How the site line is doing. behind: batches not yet judged. last_progress_at: microseconds UTC.
    last_error: '' once the line moves again."""

    @property
    def running(self) -> bool: ...
    @property
    def behind(self) -> int: ...
    @property
    def last_error(self) -> str: ...
    @property
    def last_progress_at(self) -> int | None: ...


def lag_s(line: LineHealth, now: int) -> float:
    """Seconds since the line last moved while something waits for it; 0 when nothing does."""
    if not line.behind or line.last_progress_at is None:
        return 0.0
    return max(0.0, (now - line.last_progress_at) / 1e6)


def _nothing_learns() -> NDArray[np.bool_]:
    return np.zeros(0, np.bool_)


@dataclass(frozen=True, slots=True)
class ApiParts:
    """Everything the API calls.

    clock: microseconds UTC. line_health: no I/O, any thread. catalog_alive: raises when the catalog does not answer.
    baselining: bool by signal key, True where some detector still learns the signal's normal; no work, any thread.
    static_dir: the built web page; None serves the API alone. directory: whose disk's free space is reported.
    max_body_bytes: bound of a request body before and after decompression. scope: the part of the plant these show.
    future_us: how far ahead of the clock a reading's time may lie. models: None where none are kept.
    delivery: of models to gateways.
    """

    door: Door
    log: BatchLog
    historian: Historian
    plant: PlantView
    anomalies: AnomalyStore
    alarms: AlarmStore
    audit: AuditLog
    gateways: GatewayStore
    leases: GatewayLeases
    edge: EdgeIntake
    sources: SourceMonitor
    simulation: SimulationControl | None
    feed: "LiveBroadcaster"
    line_health: Callable[[], LineHealth]
    clock: Callable[[], int]
    catalog_alive: Callable[[], None]
    version: str
    directory: Path
    database: str = "sqlite"
    max_body_bytes: int = 8 << 20
    static_dir: Path | None = None
    pump_asset: str | None = None
    baselining: Callable[[], NDArray[np.bool_]] = _nothing_learns
    scope: Scope = ALL
    future_us: int = FUTURE_US
    models: "ModelParts | None" = None
    delivery: ModelDelivery = field(default_factory=NoDelivery)


def parts_of(request: Request) -> ApiParts:
    """What the one who asks may use (the guard put it there); on an open route, everything."""
    parts: ApiParts = request.scope.get(NARROWED) or request.app.state.parts
    return parts


async def _parts(request: Request) -> ApiParts:
    return parts_of(request)


async def _instruments(request: Request) -> Any:
    return request.app.state.instruments


Parts = Annotated[ApiParts, Depends(_parts)]
if TYPE_CHECKING:
    Meters = Annotated[Instruments, Depends(_instruments)]
else:
    Meters = Annotated[Any, Depends(_instruments)]
