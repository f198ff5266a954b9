"""The local page in a real Chromium, on a phone and on a screen, in light and in dark."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from forewarn.contracts.output import OutputRequest
from forewarn.plugins.outputs.local_page import OUTPUT
from tests.peers.processes import free_port, listens
from tests.plugins.outputs.local_page.board import ALARMS, ASSETS, HandBoard, away_status, quiet_status

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


class Served:
    """The page in an event loop of its own, so that a test may drive the browser meanwhile."""

    def __init__(self, board: HandBoard) -> None:
        self.board = board
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _run(self) -> None:
        parsed = OUTPUT.settings.model_validate({"port": self.port, "refresh_s": 0.2})
        self._task = self._loop.create_task(OUTPUT.run(OutputRequest("page", "gateway", parsed), self.board))
        self._loop.run_until_complete(asyncio.gather(self._task, return_exceptions=True))

    def start(self) -> "Served":
        self._thread.start()
        while not listens(self.port):
            assert self._thread.is_alive()
            time.sleep(0.02)
        return self

    def show(self, **changes: object) -> None:
        self._loop.call_soon_threadsafe(lambda: self.board.show(**changes))

    def stop(self) -> None:
        if self._task is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._task.cancel)
            self._thread.join(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"NOT RUN: no browser at {CHROMIUM}")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def served() -> Iterator[Served]:
    made = Served(HandBoard(away_status(), ALARMS, ASSETS)).start()
    yield made
    made.stop()


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_is_large_enough_and_reports_no_error(
    browser: Browser, served: Served, tmp_path: Path, width: int, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    tab = context.new_page()
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    tab.goto(served.url)
    tab.wait_for_timeout(500)
    tab.screenshot(path=tmp_path / f"local-page-{width}-{scheme}.png", full_page=True)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    rows = tab.locator(".alarms li")
    assert rows.count() == 5
    assert all((rows.nth(i).bounding_box() or {"height": 0})["height"] >= 48 for i in range(5))
    assert tab.locator("#lost").is_hidden()
    assert errors == []
    context.close()


def test_it_follows_and_says_when_it_cannot(browser: Browser, served: Served) -> None:
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(served.url)
    tab.get_by_text("Site not reachable").first.wait_for()
    quiet = quiet_status()
    served.show(alarms=[], uplink=quiet.uplink, conditions=(), sources=quiet.sources)
    tab.get_by_text("No active alarms.").wait_for()
    tab.get_by_text("All well").wait_for()
    served.stop()
    tab.get_by_text("No connection to the gateway").wait_for()
    context.close()


def test_without_javascript_it_is_there_too(browser: Browser, served: Served) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(served.url)
    assert tab.get_by_text("Bearing vibration high-high").is_visible()
    assert tab.locator("#lost").is_hidden()
    context.close()
