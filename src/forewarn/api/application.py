"""The ASGI application, put together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from fastapi import FastAPI
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from forewarn.api import (
    alarms,
    anomalies,
    assets,
    audit,
    gateway_models,
    gateway_uplink,
    gateways,
    live_stream,
    machines,
    models,
    people,
    problems,
    pump,
    rollouts,
    sensors,
    series,
    session,
    simulation,
    single_sign_on,
    sources,
    system,
    telemetry,
    web_page,
)
from forewarn.api.access_parts import AccessParts
from forewarn.api.condition_findings import ConditionFindings
from forewarn.api.front_door import FrontDoor
from forewarn.api.gateway_desk import GatewayDesk
from forewarn.api.guard import Guard
from forewarn.api.instruments import Instruments
from forewarn.api.metrics import SiteCollector
from forewarn.api.parts import ApiParts
from forewarn.api.telemetry_arrow import ArrowDecoder
from forewarn.api.telemetry_columns import JsonDecoder
from forewarn.api.trace import TraceMiddleware

# Routes are tried in turn: first what is asked most.
_NOUNS: Final = (
    *(
        telemetry,
        gateway_uplink,
        series,
        sensors,
        pump,
        assets,
        anomalies,
        alarms,
        live_stream,
        sources,
        simulation,
        system,
    ),
    *(session, single_sign_on, people, machines, audit, gateways, gateway_models, models, rollouts),
)


def create_app(parts: ApiParts, access: AccessParts, door: FrontDoor | None = None) -> FastAPI:
    """The API over `parts`, and the web page if there is one. The feed is bound to the loop that serves it."""
    door = door or FrontDoor()
    instruments = Instruments(parts.clock())
    app = FastAPI(
        title="Forewarn",
        version=parts.version,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False},
    )
    app.state.parts = parts
    app.state.access = access
    app.state.guard = Guard(access.book, parts, door.limits)
    app.state.instruments = instruments
    app.state.arrow = ArrowDecoder(parts.max_body_bytes)
    app.state.json = JsonDecoder()
    app.state.gateways = GatewayDesk(parts.clock(), ConditionFindings(parts.anomalies, parts.edge))
    instruments.registry.register(SiteCollector(parts, instruments))
    parts.feed.attach(parts.plant, parts.anomalies, parts.alarms)
    for noun in _NOUNS:
        app.include_router(noun.router)
    web_page.install(app, parts.static_dir)
    problems.install(app)
    excluded = (*DEFAULT_EXCLUDED_CONTENT_TYPES, series.PARQUET)
    app.add_middleware(GZipMiddleware, minimum_size=1_024, compresslevel=5, exclude_content_types=excluded)
    app.add_middleware(TraceMiddleware, instruments=instruments, door=door)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    parts: ApiParts = app.state.parts
    parts.feed.bind(asyncio.get_running_loop())
    sampling = asyncio.create_task(_sample_rates(parts, app.state.instruments))
    try:
        yield
    finally:
        parts.feed.close()
        sampling.cancel()


async def _sample_rates(parts: ApiParts, instruments: Instruments) -> None:
    while True:
        now = parts.clock()
        instruments.rates.sample([*parts.sources.statuses(), *instruments.gateways.statuses(now)], now)
        await asyncio.sleep(1)
