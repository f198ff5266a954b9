"""A real demo site, a real Chromium, and a wire between them that a test may cut."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.site_process import SiteProcess, free_port

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="package")
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteProcess]:
    site = SiteProcess(tmp_path_factory.mktemp("demo") / "site", command=("demo", "--history-days", "0.1"))
    yield site.start(120)
    site.stop()


@pytest.fixture(scope="package")
def base_url(demo_server: SiteProcess) -> str:
    return demo_server.url


@pytest.fixture(scope="package")
def machine(demo_server: SiteProcess) -> str:
    """Id of a simulated centrifugal pump."""
    assets = demo_server.http.get("/api/v1/assets").json()["assets"]
    return str(min(a["id"] for a in assets if a["template"] == "centrifugal_pump"))


# Ended with this folder: Playwright's synchronous API keeps an event loop running, and no other may start beside it.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def context(browser: Browser, base_url: str) -> Iterator[BrowserContext]:
    opened = browser.new_context(base_url=base_url, viewport={"width": 1440, "height": 900})
    opened.set_default_timeout(30_000)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that may not report an error of its own."""
    tab = context.new_page()
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    yield tab
    assert errors == []


def wait_for_alarm(http: httpx.Client, asset_id: str, timeout_s: float = 120) -> str:
    """Id of an unacknowledged alarm of this asset, once there is one."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        asked = http.get("/api/v1/alarms", params={"asset_id": asset_id, "state": "unacknowledged"})
        if alarms := asked.json()["alarms"]:
            return str(alarms[0]["id"])
        time.sleep(0.5)
    raise AssertionError(f"no unacknowledged alarm on {asset_id} within {timeout_s} s")


class Wire:
    """A TCP relay in front of the site; `cut` drops every connection and refuses new ones until `mend`."""

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self._target = ("127.0.0.1", target_port)
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.mend()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def mend(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self._listener = listener
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self._lock:
            for end in self._open:
                _drop(end)
            self._open.clear()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            with self._lock:
                self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _drop(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            sink.sendall(data)
    except OSError:
        pass
    _drop(sink)


@pytest.fixture
def wire(demo_server: SiteProcess) -> Iterator[Wire]:
    relay = Wire(demo_server.port)
    yield relay
    relay.cut()


@pytest.fixture(scope="package")
def axe_source() -> str:
    path = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
    assert path.is_file(), f"{path} is missing; run `npm ci` in web/"
    return path.read_text()
