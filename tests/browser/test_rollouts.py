"""A new model takes over in sight of a person: begun, both sides watched, rolled back; how the champion ages and who
moved its threshold."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from forewarn.app.settings import Settings
from forewarn.app.site_catalog import open_site_catalog
from forewarn.domain.audit import OWN, AuditAction, Deed
from forewarn.domain.model_delivery import Side, Tally
from forewarn.domain.model_versions import ModelState
from forewarn.kit.clock import HOUR, now_us
from tests.browser.test_access import RUN_AXE, SIZES
from tests.browser.test_gateways import speaking, status
from tests.browser.test_models import found_in_its_past, trained
from tests.browser.test_offline import NEVER_LATER, offline
from tests.browser.test_sign_in import choose_password, sign_in
from tests.jobs.training.a_past import fill
from tests.site_process import SiteProcess

MACHINES = ("pump-1", "pump-2", "pump-3")
WEAK = "it finds a quarter fewer of the signals"


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteProcess]:
    """A site with three machines, each with a champion and a candidate; that of the last was set aside."""
    directory: Path = tmp_path_factory.mktemp("rollouts") / "site"
    directory.mkdir()
    fill(directory, *MACHINES, hours=3, start=now_us() // HOUR * HOUR - 3 * HOUR)
    site = SiteProcess(directory).start()
    for days in (14, 0.09):
        trained(site, days, *MACHINES)
    with open_site_catalog(Settings(directory=directory)) as catalog:
        newest = catalog.models.find("pump-3", {ModelState.CANDIDATE})[0]
        catalog.models.set_aside(newest.id, WEAK, Deed(AuditAction.MODEL_CHANGED, OWN, "pump-3"))
    yield site
    assert site.stop() == 0


@pytest.fixture(scope="module")
def engineer(plant: SiteProcess, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(base_url=plant.url, viewport=SIZES["wide"])
    context.set_default_timeout(30_000)
    page = context.new_page()
    arrive(plant, page, "eva", "plant_engineer")
    yield page
    context.close()


def arrive(site: SiteProcess, page: Page, name: str, role: str) -> None:
    """Somebody new, signed in, on the page of rollouts."""
    added = site.run("people", "add", name, "--role", role, "--directory", str(site.directory))
    one_time = re.search(r": (\S+)\s*$", added.stdout.strip().splitlines()[0])
    assert one_time, added.stdout + added.stderr
    page.goto("/models")
    sign_in(page, name, one_time[1])
    choose_password(page, one_time[1])
    page.get_by_role("navigation", name="Models").get_by_role("link", name="Rollouts").click()
    expect(page.get_by_role("heading", name="Rollouts")).to_be_visible()


def seen_of(site: SiteProcess, rollout_id: str, alarms: int = 1) -> None:
    """A day of both sides in its present step: the new one is louder, and slower."""
    with open_site_catalog(Settings(directory=site.directory)) as catalog:
        since, run = catalog.models.rollout(rollout_id).since, now_us()
        latency = (0,) * 10 + (990, 10) + (0,) * 20
        slow = (0,) * 12 + (990, 10) + (0,) * 18
        new = Tally(rollout_id, since, Side.CHALLENGER, run, 2 * 86_400, 2_400, 2_280, alarms, 1_000, 0, slow)
        old = Tally(rollout_id, since, Side.CHAMPION, run, 2 * 86_400, 2_400, 2_390, 0, 1_000, 0, latency)
        catalog.observations.keep("gw-a", [new, old])


def test_an_engineer_begins_a_rollout_sees_both_sides_and_takes_it_back(plant: SiteProcess, engineer: Page) -> None:
    expect(engineer.get_by_text("Candidates of 2 machines wait.")).to_be_visible()
    engineer.get_by_role("button", name="Begin rollout").press("Enter")
    dialog = engineer.get_by_role("dialog")
    expect(dialog.get_by_role("checkbox", name=re.compile("^PUMP-3"))).not_to_be_checked()
    expect(dialog).to_contain_text(f"Set aside: {WEAK}")
    share = dialog.get_by_label("Acts first on so many of them")
    share.fill("")
    expect(share).to_have_accessible_description("From 1 to 100")
    expect(dialog.get_by_role("button", name="Begin rollout")).to_be_disabled()
    share.fill("50")
    expect(dialog.get_by_role("status")).to_contain_text("the new models act on 1 of 2 machines, later on all.")
    dialog.get_by_role("button", name="Begin rollout").press("Enter")

    panel = engineer.get_by_role("region", name=re.compile("^Rollout "))
    expect(panel.locator("[aria-current=step]")).to_have_text("Shadow")
    expect(panel).to_contain_text(re.compile(r"To canary: not before .*; 0 of 3,600 rows"))
    under_way = plant.http.get("/api/v1/rollouts").json()["rollouts"][0]
    assert [m["asset_id"] for m in under_way["machines"]] == ["pump-1", "pump-2"]
    seen_of(plant, under_way["id"])
    engineer.reload()
    expect(panel.get_by_role("progressbar", name="To canary")).to_be_attached()
    loud = panel.get_by_role("row", name=re.compile("^Alarms"))
    expect(loud).to_contain_text(re.compile(r"3\.50.*at most [\d.]+, \d by now"))
    expect(panel.get_by_role("row", name=re.compile("^Rows with an opinion"))).to_contain_text("95 %")
    expect(panel.get_by_role("row", name=re.compile("PUMP-2"))).to_contain_text("The champion")

    engineer.goto("/models/pump-1")
    expect(engineer.get_by_label("Rollout of the machine").locator("[aria-current=step]")).to_have_text("Shadow")
    engineer.get_by_role("link", name="Both sides, and roll back").press("Enter")
    with offline(engineer):
        panel.get_by_role("button", name="Roll back").press("Enter")
        dialog.get_by_label("Why").fill("pressed without a connection")
        dialog.get_by_role("button", name="Roll back").press("Enter")
        expect(dialog.get_by_role("alert")).to_contain_text(NEVER_LATER)
        expect(dialog.get_by_label("Why")).to_have_value("pressed without a connection")
        dialog.get_by_role("button", name="Leave it as it is").click()
    assert plant.http.get("/api/v1/rollouts").json()["rollouts"][0]["is_over"] is False
    panel.get_by_role("button", name="Roll back").press("Enter")
    expect(dialog).to_contain_text("What acts now goes on acting")
    expect(dialog.get_by_role("alert")).to_have_count(0)
    expect(dialog.get_by_role("button", name="Roll back")).to_be_disabled()
    dialog.get_by_label("Why").fill("the plant is cleaned today")
    dialog.get_by_role("button", name="Roll back").press("Enter")
    expect(panel).to_have_count(0)
    ended = engineer.get_by_label("Ended rollouts").first
    expect(ended).to_contain_text("Rolled back: by hand")
    expect(ended).not_to_contain_text("No data")
    expect(ended).to_contain_text("The plant is cleaned today")
    assert plant.http.get("/api/v1/rollouts").json()["rollouts"][0]["note"] == "the plant is cleaned today"


def test_who_may_only_look_is_offered_no_deed(plant: SiteProcess, browser: Browser) -> None:
    context = browser.new_context(base_url=plant.url, viewport=SIZES["wide"])
    page = context.new_page()
    arrive(plant, page, "tom", "technician")
    expect(page.get_by_text("of 1 machine the candidate was set aside", exact=False)).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Begin rollout|Roll back"))).to_have_count(0)
    context.close()


def judged(site: SiteProcess, found: str) -> None:
    """Wrong, and the threshold has followed."""
    wrong = {"verdict": "wrong", "note": "the valve was serviced"}
    assert site.http.put(f"/api/v1/anomalies/{found}/feedback", json=wrong).status_code == 200
    deadline = time.monotonic() + 30
    while not site.http.get("/api/v1/assets/pump-1/model").json()["thresholds"][0]["steps"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_drift_and_the_steps_of_the_threshold_are_seen(plant: SiteProcess, engineer: Page) -> None:
    engineer.goto("/models/pump-1")
    expect(engineer.get_by_label("Drift", exact=True)).to_contain_text("It takes five hours of running")
    found = found_in_its_past(plant)
    judged(plant, found)
    signals = [signal["id"] for signal in plant.http.get("/api/v1/assets/pump-1").json()["signals"]]
    with speaking(plant, "gw-a", signals) as gateway:
        of_pump = {"at": now_us(), "signals": {"pump-1.flow": (0.62, 0.31), "pump-1.pressure": (0.05, 0.25)}}
        news = {"since": 0, "until": 1, "machines": {"pump-1": of_pump | {"over": 0.034, "usual": 0.011}}}
        told = msgspec.to_builtins(status()) | {"name": "gw-a", "drift": news}
        assert gateway.post("/heartbeat", content=msgspec.json.encode(told)).status_code == 200
    engineer.goto("/models/pump-1")
    drift = engineer.get_by_role("region", name="Drift", exact=True)
    expect(drift).to_contain_text("by gw-a")
    expect(drift).to_contain_text(
        "Lately 3.4 % of the rows were over the healthy quantile of its score; in health 1.1 % were."
    )
    expect(drift.get_by_role("row").nth(1)).to_have_text(
        re.compile(r"^Flow0\.620up to 0\.310.*Drifted, 2\.0 × what is usual")
    )
    expect(drift.get_by_role("row", name=re.compile("^Pressure"))).to_contain_text("As learned")
    step = engineer.get_by_label("Threshold now").get_by_role("listitem")
    expect(step).to_have_text(re.compile(r"Wrong by tests[\d.]+ →\s*to\s*[\d.]+$"))
    step.get_by_role("link", name="Wrong").press("Enter")
    row = engineer.get_by_role("listitem").filter(has_text="the valve was serviced")
    expect(row.get_by_role("button", name="Less")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_and_width(plant: SiteProcess, engineer: Page, axe_source: str, size: str, scheme: Any) -> None:
    if all(rollout["is_over"] for rollout in plant.http.get("/api/v1/rollouts").json()["rollouts"]):
        seen_of(plant, plant.http.post("/api/v1/rollouts", json={"assets": ["pump-3"]}).json()["id"])
    engineer.set_viewport_size(SIZES[size])
    engineer.emulate_media(color_scheme=scheme)
    found: dict[str, object] = {}
    for address in ("/rollouts", "/models/pump-3", "/models/pump-1"):
        engineer.goto(address)
        expect(engineer.get_by_role("navigation", name="Pages")).to_be_visible()
        expect(engineer.locator("[aria-busy=true]")).to_have_count(0)
        if "pump-1" not in address:
            expect(engineer.locator("[aria-current=step]")).to_be_visible()
        engineer.evaluate(axe_source)
        if violations := engineer.evaluate(RUN_AXE):
            found[address] = violations
        if (width := engineer.evaluate("document.documentElement.scrollWidth")) > SIZES[size]["width"]:
            found[f"{address} width"] = width
    assert found == {}


def test_when_all_were_taken_back_none_acts_and_a_long_reason_does_not_widen_the_page(
    plant: SiteProcess, engineer: Page
) -> None:
    champion, word = plant.http.get("/api/v1/assets/pump-2/model").json()["champion"]["id"], "overhaul" * 250
    assert plant.http.post(f"/api/v1/models/{champion}/rollback", json={"reason": word}).is_success
    for size in SIZES.values():
        engineer.set_viewport_size(size)
        engineer.goto("/models/pump-2")
        expect(engineer.get_by_label("History of models")).to_contain_text(word)
        assert engineer.evaluate("document.documentElement.scrollWidth") <= size["width"]
    expect(engineer.get_by_text("No model acts on this machine")).to_be_visible()
    expect(engineer.get_by_text("No model of this machine yet")).to_have_count(0)
    expect(engineer.get_by_role("navigation", name="Place in the plant")).to_contain_text("Model of PUMP-2")
