"""axe finds nothing on any page, in both widths and colour schemes; nothing scrolls sideways at 360 px."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

PAGES = {
    "worklist": "/",
    "by area": "/?group=area",
    "trend": "/assets/{machine}?range=15m",
    "table": "/assets/{machine}?range=15m&view=table",
    "asset alarms": "/assets/{machine}?tab=alarms",
    "anomalies": "/assets/{machine}?tab=anomalies",
    "details": "/assets/{machine}?tab=details",
    "alarms": "/alarms",
    "admin": "/admin",
}
SIZES: dict[str, ViewportSize] = {"wide": {"width": 1440, "height": 900}, "narrow": {"width": 360, "height": 740}}
RUN_AXE = """async () => (await axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}))
  .violations.map(v => `${v.id}: ` +
    v.nodes.slice(0, 3).map(n => n.target + ' ' + n.any.map(a => a.message)).join(' | '))"""


def settle(page: Page) -> None:
    expect(page.get_by_test_id("alarm-banner")).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    page.wait_for_timeout(300)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_and_width(browser: Browser, base_url: str, machine: str, axe_source: str, size: str, scheme: Any) -> None:
    context = browser.new_context(base_url=base_url, viewport=SIZES[size], color_scheme=scheme)
    page = context.new_page()
    found: dict[str, object] = {}
    for name, address in PAGES.items():
        page.goto(address.format(machine=machine))
        settle(page)
        page.evaluate(axe_source)
        if violations := page.evaluate(RUN_AXE):
            found[name] = violations
        if (width := page.evaluate("document.documentElement.scrollWidth")) > SIZES[size]["width"]:
            found[f"{name} width"] = width
    context.close()
    assert found == {}
