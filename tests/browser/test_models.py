"""A person trains machines from the page, reads what came of it, and decides which model acts."""

import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from forewarn.app.settings import Settings
from forewarn.app.site_catalog import open_site_catalog
from forewarn.contracts.anomaly_store import AnomalyQuery
from forewarn.domain.evidence import Contribution, Evidence
from forewarn.domain.findings import BY_MODEL, ENSEMBLE, Finding, Severity
from forewarn.kit.clock import HOUR, MINUTE, SECOND, now_us
from tests.browser.test_access import RUN_AXE, SIZES
from tests.browser.test_sign_in import choose_password, sign_in
from tests.jobs.training.a_past import fill
from tests.site_process import SiteProcess

MACHINES = ("pump-1", "pump-2")


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteProcess]:
    """A site with two machines and three hours of health, ended an hour ago at the most."""
    directory: Path = tmp_path_factory.mktemp("models") / "site"
    directory.mkdir()
    fill(directory, *MACHINES, hours=3, start=now_us() // HOUR * HOUR - 3 * HOUR)
    site = SiteProcess(directory)
    yield site.start()
    assert site.stop() == 0


@pytest.fixture(scope="module")
def engineer(plant: SiteProcess, browser: Browser) -> Iterator[Page]:
    """A page on which a plant engineer is signed in."""
    added = plant.run("people", "add", "eva", "--role", "plant_engineer", "--directory", str(plant.directory))
    one_time = re.search(r": (\S+)\s*$", added.stdout.strip().splitlines()[0])
    assert one_time, added.stdout + added.stderr
    context = browser.new_context(base_url=plant.url, viewport=SIZES["wide"])
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto("/models")
    sign_in(page, "eva", one_time[1])
    choose_password(page, one_time[1])
    expect(page.get_by_role("heading", name="Machines")).to_be_visible()
    yield page
    context.close()


def trained(site: SiteProcess, days: float, *assets: str) -> None:
    """Over HTTP, to its end."""
    job = site.http.post("/api/v1/models/train", json={"assets": assets, "days": days}).json()
    deadline = time.monotonic() + 60
    while site.http.get(f"/api/v1/jobs/{job['id']}").json()["ended_at"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_who_has_no_model_learns_what_one_is_and_trains(engineer: Page) -> None:
    engineer.goto("/models")
    expect(engineer.get_by_text("No machine has a model yet")).to_be_visible()
    expect(engineer.get_by_text("forewarn train --all")).to_be_visible()
    engineer.get_by_label("Days of past").fill("")
    expect(engineer.get_by_label("Days of past")).to_have_accessible_description("From 1 to 366")
    expect(engineer.get_by_role("button", name="Train all")).to_be_disabled()
    engineer.get_by_label("Days of past").fill("14")
    engineer.get_by_role("button", name="Train all").press("Enter")
    expect(engineer.get_by_role("status").filter(has_text="Training of 2 machines is done.")).to_be_visible(
        timeout=60_000
    )
    row = engineer.get_by_role("row", name=re.compile("PUMP-1"))
    expect(row).to_contain_text(re.compile(r"3\.0 h, \d,\d{3} rows"))
    expect(row).to_contain_text("× its usual spread")


def test_one_machine_shows_its_card_and_a_person_decides_between_two(plant: SiteProcess, engineer: Page) -> None:
    trained(plant, 0.09, "pump-1")
    engineer.goto("/models")
    engineer.get_by_role("link", name="PUMP-1").click()
    champion, challenger = engineer.get_by_label("Champion"), engineer.get_by_label("Challenger")
    expect(champion).to_contain_text("The machine was run in one way.")
    expect(champion).to_contain_text("each signal by itself (robust z)")
    expect(challenger).to_contain_text("the champion")
    expect(engineer.get_by_label("Signals of the model").first).to_contain_text("Pressure")
    expect(engineer.get_by_role("img", name=re.compile("healthy rows; the threshold is"))).to_be_visible()
    first = champion.get_by_role("heading").inner_text().split()[1]

    challenger.get_by_role("button", name="Make champion").click()
    dialog = engineer.get_by_role("dialog")
    expect(dialog).to_contain_text(f"in place of {first}")
    expect(dialog.get_by_role("button", name="Make it champion")).to_be_disabled()
    dialog.get_by_label("Why").fill("newer")
    dialog.get_by_label("Why").press("Tab")
    dialog.get_by_role("button", name="Make it champion").press("Enter")
    expect(challenger).to_have_count(0)
    expect(champion.get_by_role("heading")).not_to_contain_text(first)

    champion.get_by_role("button", name="Roll back").click()
    dialog.get_by_label("Why").fill("too loud in the night shift")
    dialog.get_by_role("button", name="Roll back").click()
    expect(champion.get_by_role("heading")).to_contain_text(first)
    expect(engineer.get_by_label("History of models")).to_contain_text("too loud in the night shift")


def found_in_its_past(site: SiteProcess) -> str:
    """A finding of pump-1's champion in the last of the stored hours, in which the flow is said to be wrong; its id."""
    model = site.http.get("/api/v1/assets/pump-1/model").json()["champion"]
    with open_site_catalog(Settings(directory=site.directory)) as catalog:
        signal = next(s for s in catalog.plant.signals() if s.id == "pump-1.flow")
        at = int(datetime.fromisoformat(model["trained_to"]).timestamp()) * SECOND - 40 * MINUTE
        part = Contribution(signal.id, 0.9, 41.5, 48.25, "m3/h")
        evidence = Evidence(2.4, 1.31, 0, 1, at, at + 31 * SECOND, (("pca", 1.9),), (part,), model=model["id"])
        reason = "flow is 41.5 m3/h where 48.25 m3/h goes with the rest: 2.4 times its own limit"
        said = (Severity.HIGH, 0.81, 41.5, 48.25, reason, at, at + 90 * SECOND, at + 90 * SECOND, 90)
        one = Finding(signal.key, signal.id, "pump-1", ENSEMBLE, "multivariate", *said, evidence=evidence)
        catalog.anomalies.upsert([one])
        found, _ = catalog.anomalies.find(AnomalyQuery(asset_id="pump-1"))
        return found[0].id


def opened_finding(page: Page) -> Locator:
    page.goto("/assets/pump-1?tab=anomalies")
    page.get_by_role("button", name="Why, and was it right?").first.press("Enter")
    return page.get_by_role("listitem").filter(has=page.get_by_role("button", name="Less")).first


def test_a_finding_is_drawn_with_what_the_model_expected_and_its_threshold_answers(
    plant: SiteProcess, engineer: Page
) -> None:
    found = found_in_its_past(plant)
    row = opened_finding(engineer)
    flow = row.get_by_role("img", name=re.compile("^Flow, .* measured between .*, expected between"))
    expect(flow).to_be_visible()
    expect(flow.locator("canvas")).to_have_count(1)
    expect(row.get_by_role("img", name=re.compile("^Times its own threshold, from"))).to_be_visible()
    flow.hover()
    expect(row.locator("figcaption").filter(has_text="Flow")).to_contain_text(re.compile(r"\d, expected \d"))
    row.get_by_role("button", name="Wrong").press("Enter")
    answer = row.get_by_role("status").filter(has_text="threshold")
    expect(answer).to_contain_text(re.compile(r"1 answer raised the machine's threshold from [\d.]+ to [\d.]+"))
    answer.get_by_role("link", name="Open its model").press("Enter")
    expect(engineer.get_by_label("Threshold now")).to_contain_text("by 1 answer of people")
    assert plant.http.delete(f"/api/v1/anomalies/{found}/feedback").status_code == 200


def test_trouble_of_the_model_is_told_in_words_with_the_remedy(plant: SiteProcess, engineer: Page) -> None:
    with open_site_catalog(Settings(directory=plant.directory)) as catalog:
        signal = next(s for s in catalog.plant.signals() if s.id == "pump-2.flow")
        now = now_us()
        told = (Severity.MEDIUM, 0.5, float("nan"), None, "flow has left what the model was trained on", now, now)
        catalog.anomalies.upsert([Finding(signal.key, signal.id, "pump-2", BY_MODEL, "model_input_drift", *told)])
    engineer.goto("/models/pump-2")
    row = engineer.get_by_role("listitem").filter(has_text="A signal has left what the model learned")
    expect(row).to_contain_text("Look at the sensor first.")
    expect(row).not_to_contain_text("model_input_drift")


def test_axe_finds_nothing_while_a_page_loads(engineer: Page, axe_source: str) -> None:
    """The API answers late: what is shown meanwhile is a page, too."""
    engineer.set_viewport_size(SIZES["wide"])
    engineer.goto("/models")
    waits = re.compile("/api/v1/(models|assets|anomalies)")
    engineer.route(waits, lambda route: None)  # never answered
    try:
        for address in ("/models", "/models/pump-1", "/assets/pump-1", "/"):
            engineer.goto(address)
            # Who leaves while the session is renewed is signed out.
            expect(engineer.get_by_role("button", name="Your account: eva")).to_be_visible()
            expect(engineer.locator("[aria-busy=true]").first).to_be_visible()
            expect(engineer.get_by_role("status").filter(has_text="Loading").first).to_be_attached()
            engineer.evaluate(axe_source)
            assert engineer.evaluate(RUN_AXE) == [], address
    finally:
        engineer.unroute(waits)


def test_axe_finds_nothing_in_an_opened_finding(engineer: Page, axe_source: str) -> None:
    for scheme in ("light", "dark"):
        engineer.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for size in SIZES.values():
            engineer.set_viewport_size(size)
            expect(
                opened_finding(engineer).get_by_role("img", name=re.compile("^Flow")).locator("canvas")
            ).to_be_visible()
            engineer.evaluate(axe_source)
            assert engineer.evaluate(RUN_AXE) == [], (scheme, size)
            assert engineer.evaluate("document.documentElement.scrollWidth") <= size["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_and_width(engineer: Page, axe_source: str, size: str, scheme: Any) -> None:
    engineer.set_viewport_size(SIZES[size])
    engineer.emulate_media(color_scheme=scheme)
    found: dict[str, object] = {}
    for address in ("/models", "/models/pump-1"):
        engineer.goto(address)
        expect(engineer.get_by_text("Training of 1 machine is done.")).to_be_visible()
        expect(engineer.locator("[aria-busy=true]")).to_have_count(0)
        engineer.evaluate(axe_source)
        if violations := engineer.evaluate(RUN_AXE):
            found[address] = violations
        if (width := engineer.evaluate("document.documentElement.scrollWidth")) > SIZES[size]["width"]:
            found[f"{address} width"] = width
    assert found == {}
