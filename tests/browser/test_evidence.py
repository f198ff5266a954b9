"""An operator sees why a finding was raised and what looked like it before, calls it wrong, and takes that back."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from forewarn.app.settings import Settings
from forewarn.app.site_catalog import open_site_catalog
from forewarn.catalog import Catalog
from forewarn.contracts.anomaly_store import AnomalyQuery
from forewarn.domain.evidence import Contribution, Evidence, Hypothesis
from forewarn.domain.findings import ENSEMBLE, Feedback, Finding, Severity, Verdict
from forewarn.kit.clock import HOUR, SECOND, now_us
from tests.browser.test_access import RUN_AXE, SIZES
from tests.browser.test_sign_in import choose_password, sign_in
from tests.jobs.training.a_past import small_plant
from tests.site_process import SiteProcess

NOTE = "the suction strainer was being cleaned"


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteProcess]:
    """Two pumps of one kind: a finding that was confirmed, one of the other pump, and a new one."""
    site = SiteProcess(tmp_path_factory.mktemp("evidence") / "site")
    with open_site_catalog(Settings(directory=site.directory)) as catalog:
        catalog.plant.apply(small_plant("pump-1", "pump-2"), ())
        keys = {s.id: s.key for s in catalog.plant.signals()}
        now = now_us()
        found = [
            finding(keys, "pump-1", now - 5 * HOUR),
            finding(keys, "pump-2", now - 4 * HOUR),
            finding(keys, "pump-1", now - HOUR),
        ]
        catalog.anomalies.upsert(found)
        confirmed = Feedback(Verdict.CONFIRMED, "strainer clogged", "bo", now - 4 * HOUR)
        catalog.anomalies.give_feedback(id_of(catalog, found[0]), confirmed)
    yield site.start()
    assert site.stop() == 0


def finding(keys: dict[str, int], asset: str, at: int) -> Finding:
    signal = f"{asset}.flow"
    parts = (
        Contribution(signal, 0.7, 41.5, 48.25, "m3/h"),
        Contribution(f"{asset}.pressure", 0.25, 6.1, 8.02, "bar"),
        Contribution(f"{asset}.temperature", 0.05, None, None, "degC"),
    )
    evidence = Evidence(
        *(2.4, 1.31, 1, 2, at, at + 31 * SECOND, (("ridge_twin", 3.2), ("pca", 1.9)), parts),
        (Hypothesis("cavitation", 0.82, "flow and pressure are lower", "vibration is not higher"),),
        model="ab" * 32,
    )
    return Finding(
        *(keys[signal], signal, asset, ENSEMBLE, "multivariate", Severity.HIGH, 0.81, 41.5, 48.25),
        "flow is 41.5 m3/h where 48.25 m3/h goes with the rest: 2.4 times its own limit",
        *(at, at + 90 * SECOND, at + 90 * SECOND, 90),
        evidence=evidence,
    )


def id_of(catalog: Catalog, one: Finding) -> str:
    found, _ = catalog.anomalies.find(AnomalyQuery(asset_id=one.asset_id, start=one.started_at))
    return found[-1].id


@pytest.fixture(scope="module")
def operator(plant: SiteProcess, browser: Browser) -> Iterator[Page]:
    """A page on which a technician is signed in."""
    added = plant.run("people", "add", "olga", "--role", "technician", "--directory", str(plant.directory))
    one_time = re.search(r": (\S+)\s*$", added.stdout.strip().splitlines()[0])
    assert one_time, added.stdout + added.stderr
    context = browser.new_context(base_url=plant.url, viewport=SIZES["wide"])
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto("/")
    sign_in(page, "olga", one_time[1])
    choose_password(page, one_time[1])
    expect(page.get_by_text("PUMP-1").first).to_be_visible()
    yield page
    context.close()


def newest(page: Page) -> Locator:
    """The newest finding of pump-1, opened."""
    page.goto("/assets/pump-1?tab=anomalies")
    row = page.get_by_role("listitem").filter(has=page.get_by_role("button", name="Why, and was it right?")).first
    row.get_by_role("button", name="Why, and was it right?").press("Enter")
    return page.get_by_role("listitem").filter(has=page.get_by_role("button", name="Less")).first


def test_why_it_was_raised(operator: Page) -> None:
    row = newest(operator)
    flow = row.get_by_role("row", name=re.compile("Flow"))
    expect(flow).to_contain_text("70 %")
    expect(flow).to_contain_text("41.50 m³/h")
    expect(flow).to_contain_text("48.25 m³/h")
    expect(row).to_contain_text("Flow is 41.5 m³/h where 48.25 m³/h goes with the rest")
    expect(row).to_contain_text(re.compile("Cavitation ?fits 82 %"))
    expect(row).to_contain_text("2.40 times the machine's own threshold of 1.31")
    expect(row).to_contain_text("2 of the 2 it knows")
    expect(row.get_by_role("link", name="abababababab")).to_have_attribute("href", "/models/pump-1")
    expect(row).to_contain_text("No picture of it: Model abababababab, which made this finding, is not kept here")


def test_what_looked_like_it_before_and_what_people_said(operator: Page) -> None:
    row = newest(operator)
    before = row.get_by_role("listitem").filter(has_text="100 % alike")
    expect(before).to_have_count(2)
    expect(before.nth(0)).to_contain_text("Confirmed: strainer clogged")
    expect(before.nth(1)).to_contain_text("PUMP-2, ")
    before.nth(1).get_by_role("link").click()
    expect(operator).to_have_url(re.compile(r"/assets/pump-2\?.*signals=pump-2\.flow"))


def test_an_operator_says_that_it_was_wrong_and_takes_it_back(plant: SiteProcess, operator: Page) -> None:
    row = newest(operator)
    row.get_by_label("Was it right?").fill(NOTE)
    row.get_by_role("button", name="Wrong").click()
    expect(row).to_contain_text(f"Wrong: {NOTE}")
    expect(row.get_by_role("button", name="False positive")).to_be_visible()
    (said,) = [a["feedback"] for a in _of(plant) if a["status"] == "false_positive"]
    assert (said["verdict"], said["note"], said["by"]) == ("wrong", NOTE, "olga")
    row.get_by_role("button", name="Take it back").click()
    expect(row.get_by_label("Was it right?")).to_be_visible()
    expect(row.get_by_role("button", name="Open", exact=True)).to_be_visible()
    assert [a["status"] for a in _of(plant)] == ["open", "open"]


def _of(plant: SiteProcess) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = plant.http.get("/api/v1/anomalies?asset_id=pump-1").json()["anomalies"]
    return found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_it_and_it_is_as_wide_as_the_page(
    operator: Page, axe_source: str, size: str, scheme: str
) -> None:
    operator.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    operator.set_viewport_size(SIZES[size])
    row = newest(operator)
    expect(row).to_contain_text("Confirmed: strainer clogged")
    operator.evaluate(axe_source)
    assert operator.evaluate(RUN_AXE) == []
    assert operator.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]


@pytest.mark.parametrize("size", SIZES)
def test_a_long_word_in_a_note_does_not_widen_the_page(plant: SiteProcess, operator: Page, size: str) -> None:
    operator.set_viewport_size(SIZES[size])
    judged = f"/api/v1/anomalies/{_of(plant)[0]['id']}/feedback"
    word = "strainer" * 250
    assert plant.http.put(judged, json={"verdict": "wrong", "note": word}).is_success
    expect(newest(operator)).to_contain_text(f"Wrong: {word}")
    assert operator.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    assert plant.http.delete(judged).is_success
