"""A day of health, a fault, and nobody who remembers a command: the model comes by itself and finds it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from forewarn.kit.clock import now_us
from forewarn.simulator.demo_plant import demo_machines
from forewarn.simulator.plant import SimulatedPlant
from tests.journeys.test_machine_model import PUMP, SECOND, anomalies, get, plant_file, recording, replayed, waited
from tests.site_process import SiteProcess

STEPS, STEP_S, SICK_S = 25 * 360, 10, 300


def lived(folder: Path) -> tuple[Path, Path]:
    """A day and an hour every ten seconds, and then five minutes of cavitation every second, until just now."""
    (pump,) = [replace(machine, life_hours=1e12) for machine in demo_machines() if machine.id == PUMP]
    end = now_us() // SECOND * SECOND - 5 * SECOND
    plant = SimulatedPlant([pump], 3, end - (STEPS * STEP_S + SICK_S) * SECOND)
    plant.warm_up()
    healthy = recording(folder / "healthy.parquet", plant, plant.advance(STEPS, STEP_S * SECOND))
    plant.inject(PUMP, "cavitation", 0.6, 20.0)
    return healthy, recording(folder / "sick.parquet", plant, plant.advance(SICK_S, SECOND))


def job(site: SiteProcess) -> Any:
    jobs = get(site, "/api/v1/jobs")["jobs"]
    return jobs[0] if jobs else None


def test_the_model_comes_by_itself_whoever_is_killed_meanwhile_and_finds_the_fault(tmp_path: Path) -> None:
    healthy, sick = lived(tmp_path)
    site = SiteProcess(tmp_path / "site", FOREWARN_TRAINING_AUTO="true", FOREWARN_TRAINING_LOOK_S="0.5")
    site.apply(plant_file(tmp_path))
    site.start()
    try:
        waited(lambda: get(site, f"/api/v1/assets/{PUMP}/model")["waits_for"])
        replayed(site, healthy)
        site.kill()  # when it looks next is in memory alone: a start looks at once
        site.start()
        first = waited(lambda: job(site))
        assert (first["by"], first["why"], first["total"]) == ("forewarn", "it has no model yet", 1)
        site.kill()
        site.start()
        model = waited(lambda: (told := get(site, f"/api/v1/assets/{PUMP}/model"))["thresholds"] and told)
        assert model["waits_for"] == ""
        assert model["champion"]["trained_hours"] >= 24
        assert job(site)["id"] == first["id"]
        replayed(site, sick)
        found = [a for a in anomalies(site) if a["detector"] == "ensemble"]
        assert found, "cavitation was not found by the machine's model"
        assert found[0]["evidence"]["model"] == model["champion"]["id"]
        assert get(site, "/api/v1/audit?limit=50")["entries"], "what it did by itself is on record"
    finally:
        site.kill()
