"""The gateways' pages in a real browser: what a gateway told is seen, by keyboard too, and axe finds nothing."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from forewarn.api.gateway_tables import table_name
from forewarn.domain.conditions import ConditionCode, GatewayCondition
from forewarn.domain.gateways import (
    BufferStatus,
    GatewayRole,
    GatewayStatus,
    LedgerSums,
    SiteState,
    UplinkStatus,
)
from forewarn.domain.sources import SourceState, SourceStatus
from forewarn.kit.clock import SECOND, now_us
from tests.browser.test_access import RUN_AXE, SIZES
from tests.site_process import SiteProcess

NAME = "gw-hall-a"
MODEL = "ab" * 32
ENDED = "it ended yesterday; ask for another: CN=" + "o" * 300


@pytest.fixture(scope="module")
def concerned(demo_server: SiteProcess) -> dict[str, Any]:
    """A machine that no other test looks at; two of its signals are the gateway's."""
    assets = demo_server.http.get("/api/v1/assets").json()["assets"]
    last = max(a["id"] for a in assets if a["template"] != "centrifugal_pump")
    asset: dict[str, Any] = demo_server.http.get(f"/api/v1/assets/{last}").json()
    return asset


@pytest.fixture(scope="module")
def gateway(demo_server: SiteProcess, concerned: dict[str, Any]) -> Iterator[str]:
    """One that has told how it is."""
    with speaking(demo_server, NAME, [s["id"] for s in concerned["signals"][:2]]) as client:
        held = {"name": "h1", "acting": {concerned["id"]: MODEL}, "keys": ["0123456789abcdef"]}
        told = msgspec.to_builtins(status()) | {"held": held | {"refused": {concerned["id"]: "unknown_key"}}}
        answer = client.post("/heartbeat", content=msgspec.json.encode(told))
        assert answer.status_code == 200, answer.text
        yield NAME
    assert demo_server.http.delete(f"/api/v1/gateways/{NAME}").status_code == 204


@contextmanager
def speaking(site: SiteProcess, name: str, signals: list[str]) -> Iterator[httpx.Client]:
    """With the gateway's key, once its signals are told."""
    made = site.http.post("/api/v1/machines", json={"name": name, "grants": [{"role": "gateway", "path": ""}]})
    assert made.status_code == 201, made.text
    token = made.json()["enrolment_token"]
    key = httpx.post(f"{site.url}/api/v1/machines/enrol", json={"token": token}).json()["key"]
    with httpx.Client(base_url=f"{site.url}/api/v1/gateways/{name}") as client:
        client.headers["Authorization"] = f"Bearer {key}"
        table = {"table": table_name(signals), "signals": {str(i): s for i, s in enumerate(signals, 1)}}
        assert client.put("/signals", json=table).status_code == 200
        yield client


def status() -> GatewayStatus:
    now = now_us()
    expired = GatewayCondition(
        ConditionCode.CERTIFICATE_EXPIRED,
        "line-2",
        now - 60 * SECOND,
        now,
        f"it ended yesterday; ask for another: CN={'o' * 300}",
        3,
    )
    return GatewayStatus(
        name=NAME,
        version="1.0",
        at=now,
        started_at=now - 60 * SECOND,
        role=GatewayRole.ACTIVE,
        uplink=UplinkStatus(
            SiteState.CONNECTED, now, clock_offset_s=120.0, round_trip_s=0.02, live_lag_s=0.4, last_acknowledged_at=now
        ),
        buffer=BufferStatus(1_000_000, 300_000, 100_000, 5_000_000, now, 7_200.0),
        ledger=LedgerSums(read=100, kept=10, thinned=90, acknowledged=9, pending=1),
        sources=(
            SourceStatus("line-1", "opcua", SourceState.CONNECTED, now, now, 100, delay_s=0.2),
            SourceStatus("line-2", "opcua", SourceState.MISCONFIGURED, now, last_error="its certificate ended"),
        ),
        conditions=(expired,),
        partner="gw-hall-b",
    )


@pytest.fixture
def without_disk(demo_server: SiteProcess) -> Iterator[str]:
    """One that waits for its disk, as it tells of itself."""
    name, now = "gw-no-disk", now_us()
    text = "/var/lib/forewarn: no room for its files"
    told = GatewayStatus(
        name=name,
        version="1.0",
        at=now,
        started_at=now - 60 * SECOND,
        role=GatewayRole.ALONE,
        uplink=UplinkStatus(SiteState.CONNECTED, now),
        buffer=BufferStatus(1_000_000, 0, 0, 5_000),
        ledger=LedgerSums(),
        conditions=(GatewayCondition(ConditionCode.DISK_FULL, "", now - 60 * SECOND, now, text),),
        silent=("none.here",),
        waits_for_disk=True,
    )
    with speaking(demo_server, name, ["none.here"]) as client:
        assert client.post("/heartbeat", content=msgspec.json.encode(told)).status_code == 200
        yield name
    assert demo_server.http.delete(f"/api/v1/gateways/{name}").status_code == 204


def test_one_that_waits_for_its_disk_says_so_and_why(page: Page, without_disk: str) -> None:
    page.goto("/admin/gateways")
    row = page.get_by_role("row").filter(has_text=without_disk)
    expect(row).to_contain_text("Waits for its disk")
    page.goto(f"/admin/gateways/{without_disk}")
    expect(page.get_by_text("Disk full")).to_be_visible()
    expect(page.get_by_text("no room for its files")).to_be_visible()
    expect(page.get_by_text("Nothing is collected and no alarm is judged")).to_be_visible()
    for wrong in ("Connected", "first heartbeat", "all are heard", "nothing waits", "behind"):
        expect(page.get_by_text(wrong)).to_have_count(0)


def test_from_the_list_to_one_gateway_by_keyboard(page: Page, gateway: str) -> None:
    page.goto("/admin/gateways")
    link = page.get_by_role("link", name=gateway)
    link.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{page.url.split('/admin')[0]}/admin/gateways/{gateway}")
    expect(page.get_by_role("heading", name=gateway)).to_be_visible()
    for text in ("Certificate expired", "it ended yesterday", "Active, a partner stands by", "behind the site's"):
        expect(page.get_by_text(text, exact=False).first).to_be_visible()
    expect(page.get_by_text("It adds up: nothing is missing.")).to_be_visible()
    expect(page.get_by_role("meter", name="Buffer")).to_have_attribute("aria-valuenow", "40")
    road = page.get_by_role("group", name=f"The way of the readings of {gateway}")
    expect(road.get_by_role("listitem")).to_have_count(2)


def test_its_models_are_shown_with_why_one_is_refused(page: Page, gateway: str, concerned: dict[str, Any]) -> None:
    page.goto(f"/admin/gateways/{gateway}")
    panel = page.get_by_label("Models of the gateway")
    expect(panel).to_contain_text("does not trust this site's models: add the site's key")
    row = panel.get_by_role("row", name=concerned["id"])
    expect(row).to_contain_text(MODEL[:12])
    expect(row).to_contain_text("signed by a key that this gateway does not trust")
    expect(panel).not_to_contain_text("unknown_key")
    row.get_by_role("link", name=concerned["id"]).press("Enter")
    expect(page).to_have_url(re.compile(f"/models/{concerned['id']}$"))


def test_raw_readings_are_asked_for_with_the_form(page: Page, gateway: str) -> None:
    page.goto(f"/admin/gateways/{gateway}")
    page.get_by_role("combobox", name="Signals").click()
    page.get_by_role("option").first.click()
    page.keyboard.press("Escape")
    page.get_by_label("From").fill("2026-01-01T10:00:00")
    page.get_by_label("To").fill("2026-01-01T11:00:00")
    page.get_by_role("button", name="Ask the gateway").click()
    expect(page.get_by_role("list", name="Asked for").get_by_role("listitem")).to_have_count(1)
    expect(page.get_by_text("Waits for the gateway")).to_be_visible()
    page.get_by_role("button", name="Cancel what was asked for").click()
    expect(page.get_by_text("Nothing was asked for")).to_be_visible()


def test_the_machine_behind_it_shows_what_is_wrong(page: Page, gateway: str, concerned: dict[str, Any]) -> None:
    page.goto(f"/assets/{concerned['id']}?tab=anomalies")
    row = page.get_by_role("listitem").filter(has_text="Certificate expired")
    expect(row).to_contain_text(f"Gateway {gateway}, source line-2: it ended yesterday")
    expect(row).to_contain_text("(concerns 2 signals of 1 machine)")
    expect(row).to_contain_text("Told by the gateway, of")
    expect(row).to_contain_text("still there")


def test_one_that_is_no_more_is_retired_by_who_means_it(page: Page, demo_server: SiteProcess) -> None:
    name = "gw-scrapped"
    with speaking(demo_server, name, ["none.here"]):
        page.goto(f"/admin/gateways/{name}")
        for button in ("Keep it as it is", "Retire"):
            page.get_by_role("button", name="Retire gateway").click()
            expect(page.get_by_role("dialog", name=f"Retire {name}?")).to_contain_text("its readings stay")
            page.get_by_role("dialog").get_by_role("button", name=button, exact=True).click()
            expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page).to_have_url(f"{page.url.split('/admin')[0]}/admin/gateways")
        expect(page.get_by_role("link", name=name)).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_and_width(
    browser: Browser,
    base_url: str,
    gateway: str,
    concerned: dict[str, Any],
    axe_source: str,
    size: str,
    scheme: Any,
) -> None:
    viewport: ViewportSize = SIZES[size]
    context = browser.new_context(base_url=base_url, viewport=viewport, color_scheme=scheme)
    page = context.new_page()
    found: dict[str, object] = {}
    machine = f"/assets/{concerned['id']}?tab=anomalies"
    for address in ("/admin/gateways", f"/admin/gateways/{gateway}", machine):
        page.goto(address)
        expect(page.get_by_text(gateway).first).to_be_visible()
        expect(page.locator("[aria-busy=true]")).to_have_count(0)
        page.wait_for_timeout(300)
        page.evaluate(axe_source)
        if violations := page.evaluate(RUN_AXE):
            found[address] = violations
        if (width := page.evaluate("document.documentElement.scrollWidth")) > viewport["width"]:
            found[f"{address} width"] = width
    context.close()
    assert found == {}
