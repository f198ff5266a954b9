"""A machine's model from its past to a person's word on it: a real site, the real commands, the simulator's pump."""

import time
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import tomli_w

from forewarn.kit.clock import now_us
from forewarn.simulator.demo_plant import demo_machines
from forewarn.simulator.plant import Block, SimulatedPlant
from forewarn.simulator.plant_toml import demo_plant_toml
from tests.site_process import SiteProcess

SECOND = 1_000_000
HEALTHY_S, SICK_S = 2 * 3_600, 600
PUMP = "pump-101"


def plant_file(folder: Path) -> Path:
    """The demo plant's pump, pushed to rather than collected from."""
    whole = tomllib.loads(demo_plant_toml("opc.tcp://127.0.0.1:1/f", "127.0.0.1", 1, "127.0.0.1", 1))
    (pump,) = [asset for asset in whole["asset"] if asset["id"] == PUMP]
    del pump["defaults"]
    file = folder / "plant.toml"
    file.write_text(tomli_w.dumps({"asset": [pump]}), encoding="utf-8")
    return file


def lived(folder: Path) -> tuple[Path, Path]:
    """Two healthy hours, and then ten minutes of cavitation that last until just now: recordings at 1 Hz."""
    (pump,) = [replace(machine, life_hours=1e12) for machine in demo_machines() if machine.id == PUMP]
    end = now_us() // SECOND * SECOND - 5 * SECOND
    plant = SimulatedPlant([pump], 3, end - (HEALTHY_S + SICK_S) * SECOND)
    plant.warm_up()
    healthy = recording(folder / "healthy.parquet", plant, plant.advance(HEALTHY_S, SECOND))
    plant.inject(PUMP, "cavitation", 0.6, 60.0)
    return healthy, recording(folder / "sick.parquet", plant, plant.advance(SICK_S, SECOND))


def recording(file: Path, plant: SimulatedPlant, block: Block) -> Path:
    columns = {name.partition(".")[2]: block.value[:, i] for i, name in enumerate(plant.signal_ids)}
    pq.write_table(pa.table({"time": pa.array(block.time).cast(pa.timestamp("us", "UTC")), **columns}), file)
    return file


def replayed(site: SiteProcess, file: Path) -> None:
    sent = site.run("replay", str(file), "--asset", PUMP, "--speed", "0", "--url", site.url)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    site.settle()


def get(site: SiteProcess, path: str) -> Any:
    answer = site.http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def waited(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 90
    while not (found := what()):
        assert time.monotonic() < deadline, "waited 90 s in vain"
        time.sleep(0.1)
    return found


def test_from_the_past_to_a_word_that_moves_the_threshold(tmp_path: Path) -> None:
    healthy, sick = lived(tmp_path)
    site = SiteProcess(tmp_path / "site", FOREWARN_LOG_LEVEL="warning", FOREWARN_FLUSH_INTERVAL_S="1")
    site.apply(plant_file(tmp_path))
    site.start()
    try:
        replayed(site, healthy)
        waited(lambda: stored(site) > HEALTHY_S * 10)  # another process reads what is in segments
        trained = site.run("train", PUMP, "--days", "1", "--directory", str(site.directory))
        assert trained.returncode == 0, trained.stdout + trained.stderr
        listed = site.run("models", "list", "--directory", str(site.directory))
        assert PUMP in listed.stdout, trained.stdout + listed.stdout
        model = waited(lambda: (told := get(site, f"/api/v1/assets/{PUMP}/model"))["thresholds"] and told)
        before = model["thresholds"][0]
        assert model["champion"]["state"] == "champion"
        replayed(site, sick)
        found = [a for a in anomalies(site) if a["detector"] == "ensemble"]
        assert found, "cavitation was not found by the machine's model"
        evidence = found[0]["evidence"]
        assert evidence["model"] == model["champion"]["id"]
        assert evidence["ratio"] > 1
        assert sum(part["share"] for part in evidence["contributions"]) > 0.9
        assert any(h["fault"] == "cavitation" for a in found for h in a["evidence"]["hypotheses"])
        url = f"/api/v1/anomalies/{found[0]['id']}/feedback"
        assert site.http.put(url, json={"verdict": "wrong", "note": "the strainer was cleaned"}).status_code == 200
        after = waited(lambda: moved(site, before["now"]))
        assert after["now"] > before["now"]
        assert after["labels"] == 1
        site.kill()
        site.start()
        assert get(site, f"/api/v1/assets/{PUMP}/model")["thresholds"][0] == after
        assert site.http.delete(url).status_code == 200
        assert waited(lambda: moved(site, after["now"])) == before
    finally:
        site.kill()


def stored(site: SiteProcess) -> int:
    """Readings that are in segments on disk."""
    historian = get(site, "/api/v1/system")["historian"]
    return int(historian["readings"]) - int(historian["tail_readings"])


def anomalies(site: SiteProcess) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get(site, f"/api/v1/anomalies?asset_id={PUMP}&limit=200")["anomalies"]
    return found


def moved(site: SiteProcess, threshold: float) -> Any:
    now = get(site, f"/api/v1/assets/{PUMP}/model")["thresholds"][0]
    return now if now["now"] != threshold else None
