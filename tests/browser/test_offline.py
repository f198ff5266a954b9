"""What a person asks for without a connection fails at once, in words, and is never done later."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import wait_for_alarm
from tests.site_process import SiteProcess

NEVER_LATER = "It is not sent later"


@contextmanager
def offline(page: Page) -> Iterator[None]:
    """Afterwards the page is back, has asked for what it missed, and has sent nothing that was asked for meanwhile."""
    sent: list[str] = []
    page.context.set_offline(True)
    try:
        yield
        page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
    finally:
        # What waits for the connection is sent before anything is asked for again.
        with page.expect_request(lambda request: request.method == "GET" and "/api/v1/assets" in request.url):
            page.context.set_offline(False)
    assert [one for one in sent if not one.startswith("GET ") and not one.endswith("/session/refresh")] == []


@pytest.fixture(scope="module")
def broken(demo_server: SiteProcess) -> str:
    """Id of a simulated machine, others leave it alone, with an unacknowledged alarm."""
    assets = demo_server.http.get("/api/v1/assets").json()["assets"]
    asset_id = str(max(a["id"] for a in assets if a["template"] == "centrifugal_pump"))
    body = {"asset_id": asset_id, "fault": "imbalance", "severity": 1.0, "ramp_s": 2}
    assert demo_server.http.post("/api/v1/simulation/faults", json=body).is_success
    wait_for_alarm(demo_server.http, asset_id)
    return asset_id


def test_an_alarm_is_neither_acknowledged_nor_commented_later(
    page: Page, demo_server: SiteProcess, broken: str
) -> None:
    page.goto(f"/alarms?asset={broken}")
    row = page.locator(f'[data-alarm-row^="{broken}/"][data-state=unacknowledged]').first
    row.focus()
    alarm = row.get_attribute("data-alarm-row")
    dialog = page.get_by_role("dialog")
    with offline(page):
        page.keyboard.press("a")
        expect(page.get_by_role("alert").filter(has_text=NEVER_LATER)).to_be_visible()
        page.locator(f'[data-alarm-row="{alarm}"]').focus()
        page.keyboard.press("c")
        dialog.get_by_label("Comment").fill("heard it from the gangway")
        dialog.get_by_role("button", name="Add comment").click()
        expect(dialog.get_by_role("alert")).to_contain_text(NEVER_LATER)
        expect(dialog.get_by_label("Comment")).to_have_value("heard it from the gangway")
        dialog.get_by_role("button", name="Keep it as it is").click()
        expect(dialog).to_have_count(0)
    kinds = {e["kind"] for e in demo_server.http.get("/api/v1/alarms/journal", params={"id": alarm}).json()["events"]}
    assert kinds & {"acknowledged", "commented", "comment"} == set()


def test_a_finding_is_not_judged_later(page: Page, demo_server: SiteProcess, broken: str) -> None:
    page.goto(f"/assets/{broken}?tab=anomalies")
    page.get_by_role("button", name=re.compile("was it right", re.IGNORECASE)).first.press("Enter")
    row = page.get_by_role("listitem").filter(has=page.get_by_role("button", name="Less")).first
    with offline(page):
        row.get_by_label("Was it right?").fill("a lorry went by")
        row.get_by_role("button", name="Wrong").click()
        expect(row.get_by_role("alert")).to_have_text(re.compile(f"^It was not recorded: .*{NEVER_LATER}"))
        expect(row.get_by_label("Was it right?")).to_have_value("a lorry went by")
        row.get_by_role("button", name="Open", exact=True).click()
        page.get_by_role("menuitem", name="False alarm").click()
        expect(row.get_by_role("alert")).to_have_count(2)
        row.get_by_role("button", name="Less").click()
    found = demo_server.http.get("/api/v1/anomalies", params={"asset_id": broken}).json()["anomalies"]
    assert {(a["status"], a["feedback"]) for a in found} == {("open", None)}


def test_a_fault_is_not_injected_later(page: Page, demo_server: SiteProcess) -> None:
    before = demo_server.http.get("/api/v1/simulation").json()["active"]
    page.goto("/admin")
    page.get_by_role("combobox", name="Machine").click()
    page.get_by_role("option").first.click()
    page.get_by_role("combobox", name="Fault").click()
    page.get_by_role("option").last.click()
    inject = page.get_by_role("button", name="Inject fault")
    with offline(page):
        inject.click()
        expect(page.get_by_role("alert").filter(has_text=NEVER_LATER)).to_be_visible()
        expect(inject).not_to_have_attribute("data-loading", "true")
    assert demo_server.http.get("/api/v1/simulation").json()["active"] == before
