"""A fault is injected by hand, its alarm comes up, and everything is done to it by keyboard."""

import re
import time

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import wait_for_alarm
from tests.site_process import SiteProcess


@pytest.fixture(scope="module")
def alarm(demo_server: SiteProcess, machine: str) -> str:
    """Id of an unacknowledged alarm that an injected fault has raised."""
    body = {"asset_id": machine, "fault": "imbalance", "severity": 1.0, "ramp_s": 2}
    assert demo_server.http.post("/api/v1/simulation/faults", json=body).is_success
    return wait_for_alarm(demo_server.http, machine)


def state_of(site: SiteProcess, alarm_id: str) -> str:
    asset_id = alarm_id.split("/")[0]
    alarms = site.http.get("/api/v1/alarms", params={"asset_id": asset_id}).json()["alarms"]
    return next((str(a["state"]) for a in alarms if a["id"] == alarm_id), "normal")


def wait_for_state(site: SiteProcess, alarm_id: str, wanted: str) -> None:
    deadline = time.monotonic() + 60
    while (state := state_of(site, alarm_id)) != wanted:
        assert time.monotonic() < deadline, f"{alarm_id} is {state}, not {wanted}"
        time.sleep(0.2)


def row_of(page: Page, alarm_id: str) -> Locator:
    return page.locator(f'[data-alarm-row="{alarm_id}"]')


def test_alarm_is_selected_acknowledged_shelved_and_brought_back_by_keyboard(
    page: Page, demo_server: SiteProcess, alarm: str
) -> None:
    page.goto("/alarms")
    row = row_of(page, alarm)
    row.focus()
    page.keyboard.press("x")
    expect(row.get_by_role("checkbox")).to_be_checked()
    page.keyboard.press("a")
    wait_for_state(demo_server, alarm, "acknowledged")
    expect(row).to_contain_text("Acknowledged")

    row.focus()
    page.keyboard.press("s")
    dialog = page.get_by_role("dialog", name="Shelve this alarm")
    dialog.get_by_label("Reason").fill("balancing planned")
    dialog.get_by_role("button", name="Shelve this alarm").click()
    wait_for_state(demo_server, alarm, "shelved")
    page.get_by_role("button", name="Undo").click()
    expect(row).to_be_visible()
    assert state_of(demo_server, alarm) != "shelved"


def test_shelved_tab_counts_down_and_u_brings_back(page: Page, demo_server: SiteProcess, alarm: str) -> None:
    body = {"ids": [alarm], "action": "shelve", "minutes": 60}
    assert demo_server.http.post("/api/v1/alarms/actions", json=body).json()["results"][0]["ok"]
    page.goto("/alarms?state=shelved")
    row = row_of(page, alarm)
    expect(row).to_contain_text("min left")
    row.focus()
    page.keyboard.press("u")
    expect(row).to_have_count(0)
    assert state_of(demo_server, alarm) != "shelved"


def test_journal_tells_what_happened(page: Page, alarm: str) -> None:
    page.goto("/alarms")
    row = row_of(page, alarm)
    row.focus()
    page.keyboard.press("c")
    page.get_by_role("textbox", name="Comment").fill("heard it from the gangway " + "x" * 500)
    page.get_by_role("button", name="Add comment").click()
    row.get_by_role("button").first.click()
    expect(page.get_by_text("heard it from the gangway")).to_be_visible()
    expect(page.get_by_text("Raised", exact=True).first).to_be_visible()
    wide = "parts => parts.filter(part => part.scrollWidth > part.clientWidth + 1).length"
    assert page.get_by_role("dialog").locator("> *").evaluate_all(wide) == 0


def test_a_refused_action_is_told_beside_its_alarm(page: Page, demo_server: SiteProcess, alarm: str) -> None:
    page.goto("/alarms")
    row = row_of(page, alarm)
    if state_of(demo_server, alarm) == "unacknowledged":
        row.focus()
        page.keyboard.press("a")
        wait_for_state(demo_server, alarm, "acknowledged")
    row.focus()
    page.keyboard.press("a")
    expect(row).to_contain_text("Not done")


def test_admin_injects_a_fault_and_its_alarm_comes_up_and_the_fault_is_cleared(
    page: Page, demo_server: SiteProcess, machine: str
) -> None:
    assets = demo_server.http.get("/api/v1/assets").json()["assets"]
    other = next(a for a in assets if a["template"] == "centrifugal_pump" and a["id"] != machine)
    page.goto("/admin")
    page.get_by_role("combobox", name="Machine").click()
    page.get_by_role("option", name=other["name"], exact=True).click()
    page.get_by_role("combobox", name="Fault").click()
    page.get_by_role("option", name="Imbalance").click()
    page.get_by_role("slider").press("End")
    page.get_by_label("Grows over, seconds").fill("2")
    page.get_by_role("button", name="Inject fault").click()
    expect(page.get_by_role("listitem").filter(has_text=other["name"])).to_be_visible()
    wait_for_alarm(demo_server.http, other["id"])
    expect(page.get_by_test_id("alarm-banner")).to_contain_text("unacknowledged")
    page.goto(f"/alarms?asset={other['id']}")
    expect(page.locator(f'[data-alarm-row^="{other["id"]}/"]').first).to_be_visible()
    page.goto("/admin")
    item = page.get_by_role("listitem").filter(has_text=other["name"])
    item.get_by_role("button", name="Clear fault").click()
    expect(item).to_have_count(0)


def test_an_anomaly_names_its_signal_and_leads_to_its_place_on_the_chart(
    page: Page, demo_server: SiteProcess, alarm: str, machine: str
) -> None:
    found = demo_server.http.get("/api/v1/anomalies", params={"asset_id": machine}).json()["anomalies"]
    name = str(found[0]["sensor_id"]).rsplit(".", 1)[-1].replace("_", " ")
    page.goto(f"/assets/{machine}?tab=anomalies")
    row = page.get_by_role("listitem").filter(has_text=re.compile(name, re.IGNORECASE)).first
    row.get_by_role("link").click()
    expect(page).to_have_url(re.compile(r"from=\d+"))
    expect(page.get_by_role("article", name=re.compile(name, re.IGNORECASE))).to_be_visible()


def test_the_shelve_dialog_names_the_alarm_and_when_it_comes_back(page: Page, alarm: str) -> None:
    page.goto("/alarms")
    row_of(page, alarm).focus()
    page.keyboard.press("s")
    dialog = page.get_by_role("dialog", name="Shelve this alarm")
    expect(dialog).to_contain_text(re.compile(r"Comes back by itself at \d\d:\d\d:\d\d \(UTC"))
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_bad_data_is_shown_as_bad_and_never_as_the_last_good_value(page: Page, demo_server: SiteProcess) -> None:
    motor = next(
        a for a in demo_server.http.get("/api/v1/assets").json()["assets"] if a["template"] == "induction_motor"
    )
    fault = {"asset_id": motor["id"], "fault": "sensor_dropout"}
    page.goto(f"/assets/{motor['id']}?range=60s")
    demo_server.http.post("/api/v1/simulation/faults", json={**fault, "severity": 1.0, "ramp_s": 1})
    chart = page.get_by_role("article").filter(has_text="Bad data")
    expect(chart).to_be_visible()
    expect(chart.locator("canvas")).to_be_visible()
    page.get_by_role("button", name="Table").click()
    expect(page.locator("tbody tr").first).to_contain_text(re.compile(r"bad\s*–"))
    demo_server.http.delete("/api/v1/simulation/faults", params=fault)


def test_sources_tick(page: Page) -> None:
    page.goto("/admin")
    expect(page.get_by_role("table").first).to_contain_text("ago")
