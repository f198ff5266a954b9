"""`forewarn serve`: one process, one event loop for the web and the sources."""

import asyncio
import contextlib
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Final

import structlog
import uvicorn
import uvloop

from forewarn.app.listening import listen
from forewarn.app.log import set_up_logging
from forewarn.app.settings import Settings
from forewarn.app.wiring import Site, open_site

_log = structlog.get_logger(__name__)
_DESCRIPTORS: Final = 16_384


def run_site(settings: Settings) -> None:
    """Open a site and serve it until SIGINT or SIGTERM."""
    set_up_logging(settings)
    with contextlib.closing(listen(settings)) as bound, open_site(settings) as site:
        run_open_site(site, bound)


def run_open_site(site: Site, bound: socket.socket, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM. on_ready gets the page's address once it answers."""
    _raise_descriptor_limit()
    host, port = bound.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(site, bound, f"http://{shown}:{port}", on_ready))


def _raise_descriptor_limit() -> None:
    """Each connection takes a descriptor and many systems start with 1,024: idle listeners would lock others out."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None], on_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready, self._on_exit = on_ready, on_exit

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn raises the signal anew when it has ended, which would kill us before the stores are closed.
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Event streams never end by themselves; the server would wait for them.
        self._on_exit()
        await super().shutdown(sockets)


def _warn(site: Site) -> None:
    """What lets a site start and yet does not do what was meant; a plant file applied later may mend it."""
    directory, pump = site.settings.directory, site.settings.pump_asset
    if not site.plant.assets:
        _log.warning("plant_is_empty", remedy=f"describe it: forewarn apply plant.toml --directory {directory}")
    if pump is not None and pump not in site.plant.assets:
        remedy = f"add {pump!r} to the plant file, or set FOREWARN_PUMP_ASSET to one of its assets"
        _log.warning("pump_asset_unknown", asset=pump, effect="/api/ingest answers 404", remedy=remedy)


async def _serve(site: Site, bound: socket.socket, url: str, on_ready: Callable[[str], None] | None) -> None:
    def ready() -> None:
        _log.info("site_ready", url=url, assets=len(site.plant.assets))
        _warn(site)
        if on_ready is not None:
            on_ready(url)

    config = uvicorn.Config(
        site.app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=5, backlog=4096
    )
    server = _Server(config, ready, site.feed.close)
    background = [asyncio.create_task(site.runner.run()), asyncio.create_task(site.housekeeping())]
    try:
        await server.serve([bound])
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
