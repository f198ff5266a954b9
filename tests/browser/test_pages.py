"""Every page shows what it is for, in a real browser against a real site."""

import re

from playwright.sync_api import Page, expect

from tests.site_process import SiteProcess

INKED = """canvas => {
  const {width, height} = canvas;
  const data = canvas.getContext('2d').getImageData(0, 0, width, height).data;
  const seen = new Set();
  for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 0) seen.add(`${data[i]},${data[i + 1]},${data[i + 2]}`);
  return seen.size;
}"""


def test_worklist_shows_every_machine_and_opens_one_by_keyboard(page: Page, demo_server: SiteProcess) -> None:
    names = {a["name"] for a in demo_server.http.get("/api/v1/assets").json()["assets"]}
    page.goto("/")
    rows = page.locator("[data-worklist-row]")
    expect(rows).to_have_count(len(names))
    assert {name for name in names if page.get_by_text(name, exact=True).count() == 0} == set()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(rows.nth(0)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/assets/[\w-]+"))
    expect(page.get_by_role("tab", name="Trend")).to_be_visible()


def test_worklist_filters_and_keeps_the_filter_in_the_address(page: Page) -> None:
    page.goto("/")
    page.locator("[data-worklist-row]").first.wait_for()
    page.get_by_label("Filter machines").fill("compressor")
    expect(page.locator("[data-worklist-row]")).to_have_count(1)
    page.reload()
    expect(page.get_by_label("Filter machines")).to_have_value("compressor")
    expect(page.locator("[data-worklist-row]")).to_have_count(1)


def test_live_data_arrives(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_test_id("data-age")).to_contain_text("live,")


def test_asset_page_draws_a_line_for_every_signal(page: Page, demo_server: SiteProcess, machine: str) -> None:
    signals = demo_server.http.get(f"/api/v1/assets/{machine}").json()["signals"]
    page.goto(f"/assets/{machine}?range=15m")
    charts = page.locator("article[data-signal]")
    expect(charts).to_have_count(len(signals))
    canvas = charts.first.locator("canvas")
    canvas.wait_for()
    page.wait_for_function(f"c => ({INKED})(c) > 8", arg=canvas.element_handle())


def test_a_dragged_window_is_in_the_address_and_double_click_goes_back(page: Page, machine: str) -> None:
    page.goto(f"/assets/{machine}?range=15m")
    plot = page.locator("article[data-signal] .u-over").first
    plot.wait_for()
    box = plot.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.3, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, middle, steps=5)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"from=\d+.*to=\d+"))
    window = re.search(r"from=(\d+).*to=(\d+)", page.url)
    assert window is not None
    assert 0.25 < (int(window[2]) - int(window[1])) / 900_000 < 0.35
    page.reload()
    expect(page.get_by_role("button", name="Live")).to_have_attribute("aria-pressed", "false")
    plot.dblclick()
    expect(page).not_to_have_url(re.compile("from="))
    expect(page).to_have_url(re.compile("range=15m"))


def test_tabs_and_palette(page: Page, machine: str) -> None:
    page.goto(f"/assets/{machine}")
    page.get_by_role("tab", name="Details").click()
    expect(page).to_have_url(re.compile("tab=details"))
    expect(page.get_by_role("heading", name="Nameplate")).to_be_visible()
    page.keyboard.press("Control+k")
    page.get_by_label("Machine or page").fill("admin")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Sources")).to_be_visible()


def test_question_mark_lists_the_shortcuts(page: Page) -> None:
    page.goto("/alarms")
    page.get_by_role("group", name="State").wait_for()
    page.keyboard.press("Shift+?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


def test_an_unknown_machine_is_answered_with_the_servers_reason_and_a_retry(page: Page) -> None:
    page.goto("/assets/no-such-machine")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("no-such-machine")
    expect(alert).to_contain_text("Trace")
    expect(alert.get_by_role("button", name="Try again")).to_be_visible()


def test_address_keeps_machine_tab_and_range_and_back_goes_back(page: Page, machine: str) -> None:
    page.goto(f"/assets/{machine}")
    page.get_by_role("radiogroup", name="Time range").get_by_text("6h").click()
    page.get_by_role("tab", name="Anomalies").click()
    expect(page).to_have_url(re.compile(rf"/assets/{machine}\?.*range=6h.*tab=anomalies|tab=anomalies.*range=6h"))
    page.reload()
    expect(page.get_by_role("tab", name="Anomalies")).to_have_attribute("aria-selected", "true")
    page.get_by_role("tab", name="Trend").click()
    expect(page.get_by_role("radio", name="6h")).to_be_checked()
    page.go_back()
    expect(page.get_by_role("tab", name="Anomalies")).to_have_attribute("aria-selected", "true")
    page.go_back()
    expect(page.get_by_role("tab", name="Trend")).to_have_attribute("aria-selected", "true")


def test_no_page_shows_what_is_not_for_people(page: Page, machine: str) -> None:
    """No missing number, no raw unit, no long tail of digits."""
    found: dict[str, list[str]] = {}
    tabs = [f"/assets/{machine}?tab={tab}" for tab in ("trend", "details", "anomalies")]
    for address in ("/", "/alarms", "/admin", *tabs):
        page.goto(address)
        expect(page.get_by_test_id("alarm-banner")).to_be_visible()
        expect(page.locator("[aria-busy=true]")).to_have_count(0)
        text = page.locator("body").inner_text()
        if bad := re.findall(r"NaN|undefined|\bnull\b|Infinity|degC|m3/h|\d\.\d{5,}", text):
            found[address] = bad
    assert found == {}


def test_every_page_names_the_zone_of_its_times(page: Page) -> None:
    for address in ("/", "/alarms", "/admin"):
        page.goto(address)
        expect(page.locator("header").first).to_contain_text(re.compile(r"\d\d:\d\d:\d\d UTC"))


def test_a_count_of_the_worklist_filters_by_that_condition(page: Page, demo_server: SiteProcess) -> None:
    page.goto("/")
    page.locator("[data-worklist-row]").first.wait_for()
    page.get_by_role("button", name=re.compile("Normal")).click()
    expect(page.locator("[data-worklist-row]:not([data-condition=normal])")).to_have_count(0)
    expect(page).to_have_url(re.compile("q=normal"))
