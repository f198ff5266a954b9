"""The connection is cut while readings go on; when it is back, the page fills the gap before it goes on."""

import re

from playwright.sync_api import Browser, expect

from tests.browser.conftest import Wire

HOLES = """() => [...document.querySelectorAll('tbody tr')].slice(2, 12).filter(
  row => [...row.querySelectorAll('td')].every(cell => cell.textContent.trim().endsWith('–'))).length"""


def test_reconnect_fills_the_gap(browser: Browser, wire: Wire, machine: str) -> None:
    context = browser.new_context(base_url=wire.url, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    asked: list[str] = []
    page.goto(f"/assets/{machine}?range=60s&view=table")
    age = page.get_by_test_id("data-age")
    expect(age).to_contain_text("live,", timeout=30_000)
    page.wait_for_function(f"() => document.querySelectorAll('tbody tr').length === 30 && ({HOLES})() === 0")
    page.on("request", lambda request: asked.append(request.url))
    wire.cut()
    expect(age).to_contain_text(re.compile(r"reconnecting, data \d"), timeout=30_000)
    page.wait_for_function(f"() => ({HOLES})() >= 3", timeout=40_000)
    wire.mend()
    expect(age).to_contain_text("live,", timeout=30_000)
    page.wait_for_function(f"() => ({HOLES})() === 0", timeout=30_000)
    assert any("/api/v1/series?" in url for url in asked)
    context.close()


def test_without_a_connection_every_page_opens_and_says_so(browser: Browser, wire: Wire, machine: str) -> None:
    context = browser.new_context(base_url=wire.url, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    with page.expect_response(re.compile(r"/static/AdminPage-.*\.js")):
        page.goto("/")
    expect(page.locator("[data-worklist-row]").first).to_be_visible()
    page.wait_for_load_state("load")
    wire.cut()
    strip = page.get_by_role("status").filter(has_text="No connection")
    expect(strip).to_be_visible(timeout=30_000)
    expect(page.locator("[data-worklist-row]").first).to_be_visible()
    page.get_by_role("link", name="Admin").click()
    expect(page.get_by_role("heading", name="Administration")).to_be_attached()
    wire.mend()
    expect(strip).to_have_count(0, timeout=30_000)
    expect(page.get_by_role("heading", name="Sources")).to_be_visible(timeout=30_000)
    context.close()
