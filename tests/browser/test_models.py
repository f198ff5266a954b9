"""A person trains machines from the page, reads what came of it, and decides which model acts."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from forewarn.kit.clock import HOUR, now_us
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


def trained(site: SiteProcess, asset: str, days: float) -> None:
    """Over HTTP, to its end."""
    job = site.http.post("/api/v1/models/train", json={"assets": [asset], "days": days}).json()
    deadline = time.monotonic() + 60
    while site.http.get(f"/api/v1/jobs/{job['id']}").json()["ended_at"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_who_has_no_model_learns_what_one_is_and_trains(engineer: Page) -> None:
    engineer.goto("/models")
    expect(engineer.get_by_text("No machine has a model yet")).to_be_visible()
    expect(engineer.get_by_text("forewarn train --all")).to_be_visible()
    engineer.get_by_role("button", name="Train all").press("Enter")
    expect(engineer.get_by_role("status").filter(has_text="Training of 2 machines is done.")).to_be_visible(
        timeout=60_000
    )
    row = engineer.get_by_role("row", name=re.compile("PUMP-1"))
    expect(row).to_contain_text(re.compile(r"3\.0 h, \d,\d{3} rows"))
    expect(row).to_contain_text("× spread")


def test_one_machine_shows_its_card_and_a_person_decides_between_two(plant: SiteProcess, engineer: Page) -> None:
    trained(plant, "pump-1", 0.09)
    engineer.goto("/models")
    engineer.get_by_role("link", name="PUMP-1").click()
    champion, challenger = engineer.get_by_label("Champion"), engineer.get_by_label("Challenger")
    expect(champion).to_contain_text("The machine was run in one way.")
    expect(champion).to_contain_text("each signal by itself (robust z)")
    expect(challenger).to_contain_text("the champion")
    expect(engineer.get_by_label("Signals of the model")).to_contain_text("pump-1.pressure")
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
