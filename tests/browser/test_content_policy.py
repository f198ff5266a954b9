"""The page keeps the policy that it is served with: no page, dialogue or chart makes the browser refuse anything."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_access import PAGES, settle

ADMIN = [f"/admin/{part}" for part in ("people", "machines", "roles", "sessions", "audit")]
LISTEN = """addEventListener('securitypolicyviolation', event => {
  (globalThis.refusedByPolicy ??= []).push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
});"""


@pytest.fixture
def watched(browser: Browser, base_url: str) -> Iterator[Page]:
    context = browser.new_context(base_url=base_url, viewport={"width": 1440, "height": 900})
    context.add_init_script(LISTEN)
    yield context.new_page()
    context.close()


def refused(page: Page) -> list[str]:
    found: list[str] = page.evaluate("globalThis.refusedByPolicy ?? []")
    return found


@pytest.mark.parametrize("address", [*PAGES.values(), *ADMIN])
def test_no_page_breaks_the_policy(watched: Page, machine: str, address: str) -> None:
    watched.goto(address.format(machine=machine))
    settle(watched)
    assert refused(watched) == []


def test_nor_do_the_palette_and_the_shortcuts(watched: Page) -> None:
    watched.goto("/")
    settle(watched)
    watched.keyboard.press("Control+k")
    expect(watched.get_by_role("dialog")).to_be_visible(timeout=30_000)
    watched.keyboard.press("Escape")
    watched.keyboard.press("?")
    expect(watched.get_by_role("dialog")).to_be_visible(timeout=30_000)
    assert refused(watched) == []


def test_a_script_that_slipped_in_does_not_run(watched: Page) -> None:
    watched.goto("/")
    settle(watched)
    watched.evaluate("""() => {
      const script = document.createElement('script');
      script.textContent = 'globalThis.slippedIn = true';
      document.body.append(script);
      document.body.insertAdjacentHTML('beforeend', '<img src="x:" onerror="globalThis.slippedIn = true">');
    }""")
    watched.wait_for_timeout(300)
    assert watched.evaluate("globalThis.slippedIn") is None
    assert len(refused(watched)) >= 2
