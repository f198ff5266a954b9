"""`forewarn serve`: one process, one event loop for the web and the sources."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import structlog
import uvicorn
import uvloop

from forewarn.app.log import set_up_logging
from forewarn.app.settings import Settings
from forewarn.app.wiring import Site, open_site
from forewarn.domain.errors import ConfigurationError

_log = structlog.get_logger(__name__)


def listen(settings: Settings) -> socket.socket:
    """The bound socket, so that a busy port is told before anything else starts."""
    bound = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((settings.host, settings.port))
    except OSError as error:
        bound.close()
        raise ConfigurationError(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); choose another with --port"
        ) from error
    return bound


def run_site(settings: Settings) -> None:
    """Open a site and serve it until SIGINT or SIGTERM."""
    set_up_logging(settings)
    with contextlib.closing(listen(settings)) as bound, open_site(settings) as site:
        run_open_site(site, bound)


def run_open_site(site: Site, bound: socket.socket, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM. on_ready gets the page's address once it answers."""
    host, port = bound.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(site, bound, f"http://{shown}:{port}", on_ready))


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


async def _serve(site: Site, bound: socket.socket, url: str, on_ready: Callable[[str], None] | None) -> None:
    def ready() -> None:
        _log.info("site_ready", url=url, assets=len(site.plant.assets))
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
