"""`forewarn serve`: one process, one event loop for the web and the sources."""

import asyncio
import contextlib
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final

import structlog
import uvicorn
import uvloop

from forewarn.app.connection import connection_class, look_after
from forewarn.app.front_door import connection_limits
from forewarn.app.listening import listen
from forewarn.app.log import set_up_logging
from forewarn.app.settings import Settings
from forewarn.app.terminal import say
from forewarn.app.tls import ServerTls
from forewarn.app.wiring import Site, open_site

_log = structlog.get_logger(__name__)
_DESCRIPTORS: Final = 16_384
_HANDSHAKE_S: Final = 10.0
_FAREWELL_S: Final = 1.0
_CERTIFICATE_S: Final = 1.0


def run_site(settings: Settings) -> None:
    """Open a site and serve it until SIGINT or SIGTERM."""
    set_up_logging(settings)
    tls = ServerTls.of(settings)
    with contextlib.closing(listen(settings)) as bound, open_site(settings) as site:
        run_open_site(site, bound, tls=tls)


def run_open_site(
    site: Site,
    bound: socket.socket,
    on_ready: Callable[[str], None] | None = None,
    *,
    tls: ServerTls | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM. on_ready gets the page's address once it answers. tls: None speaks plain HTTP."""
    _raise_descriptor_limit()
    host, port = bound.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    url = f"{'http' if tls is None else 'https'}://{shown}:{port}"
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(site, bound, url, on_ready, tls), loop_factory=_Loop)


def _raise_descriptor_limit() -> None:
    """Each connection takes a descriptor and many systems start with 1,024: idle listeners would lock others out."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Loop(uvloop.Loop):
    async def create_server(self, *given: Any, **options: Any) -> Any:
        # uvicorn leaves them at a minute and at half of one, in which connections are held that no limit of ours sees.
        if options.get("ssl") is not None:
            options["ssl_handshake_timeout"] = _HANDSHAKE_S
            options["ssl_shutdown_timeout"] = _FAREWELL_S
        return await super().create_server(*given, **options)


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


def _config(site: Site, tls: ServerTls | None) -> uvicorn.Config:
    proxies = list(site.settings.trusted_proxies)
    config = uvicorn.Config(
        site.app,
        http=connection_class(connection_limits(site.settings)),
        ws="none",  # there is no such route
        log_config=None,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        backlog=4096,
    )
    config.load()
    config.ssl = None if tls is None else tls.context
    return config


async def _renew(tls: ServerTls) -> None:
    while True:
        await asyncio.sleep(_CERTIFICATE_S)
        await asyncio.to_thread(tls.refresh)


async def _serve(
    site: Site, bound: socket.socket, url: str, on_ready: Callable[[str], None] | None, tls: ServerTls | None
) -> None:
    def ready() -> None:
        _log.info("site_ready", url=url, assets=len(site.plant.assets))
        _warn(site)
        if site.first_password is not None:
            say(f"Sign in as admin with {site.first_password}: shown this once, you choose your own password then.")
        if on_ready is not None:
            on_ready(url)

    config = _config(site, tls)
    server = _Server(config, ready, site.feed.close)
    background = [
        asyncio.create_task(site.runner.run()),
        asyncio.create_task(site.housekeeping()),
        asyncio.create_task(site.training.run()),
        asyncio.create_task(site.care.run()),
        asyncio.create_task(look_after(lambda: server.server_state.connections)),
    ]
    if tls is not None:
        background.append(asyncio.create_task(_renew(tls)))
    try:
        await server.serve([bound])
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
