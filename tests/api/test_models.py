"""Models, their cards and training over HTTP, by who may and within their part of the plant."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from forewarn.api.model_parts import ModelParts
from forewarn.catalog import Catalog, open_catalog
from forewarn.domain.access import Grant, Role
from forewarn.domain.findings import Verdict
from forewarn.domain.jobs import NextTraining
from forewarn.domain.model_delivery import MachineDrift
from forewarn.domain.model_versions import ModelCard, ModelVersion, Span, TrainingCost
from forewarn.jobs.training.run import training_job
from forewarn.kit.clock import now_us
from forewarn.learning.thresholds import ThresholdNow, ThresholdStep
from forewarn.policies.model_artifact import pack
from forewarn.policies.model_signature import content_id, sign
from tests.api.site import SEAL, Site, open_parts, serving
from tests.jobs.training.run_here import SITE

CARD = ModelCard(
    trained=(Span(3_600_000_000, 7_200_000_000),),
    rows=3_000,
    signals=("p1.vibration", "p1.speed"),
    metrics={"threshold": 1.3, "over_threshold": 0.001},
    baseline={"over_threshold": 0.002},
    baseline_of="each signal by itself (robust z)",
    cost=TrainingCost(0.8, 0.7, 1_000),
    left_out={"p1.temperature": "constant, or hardly ever known"},
    regimes=(3_000, 0),
    shifts={"p1.vibration": 2.0, "p1.speed": None},
    baseline_shifts={"p1.vibration": 8.0},
    notes=("A sentence.",),
)


class Kept:
    """A site with models: two of p1, one of q1."""

    def __init__(self, site: Site, catalog: Catalog) -> None:
        self.site, self.catalog = site, catalog

    def add(self, asset_id: str, number: int) -> str:
        payload = pack({"asset": asset_id, "number": number}, {"mean": np.arange(3.0)})
        version = ModelVersion(content_id(payload), asset_id, "pump", ("robust_z",), 1_000_000 + number, CARD, "", 0)
        return self.catalog.models.add(version, sign(payload, SITE)).id


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    directory: Path = tmp_path_factory.mktemp("models")
    url = f"sqlite:///{directory / 'catalog.db'}"
    steps = (
        ThresholdStep(1_000_000, "a7", Verdict.WRONG, "anna", 1.3, 1.5),
        ThresholdStep(2_000_000, "a8", Verdict.PARTLY, "tom", 1.5, 1.5),
    )
    told = (ThresholdNow(0, 1.3, 1.5, 0.4, 2, steps), ThresholdNow(1, 1.2, 1.2, float("inf"), 0))
    planned = {"p1": NextTraining(3_600_000_000, "its past will have doubled by then"), "p2": NextTraining(None, "3 h")}
    drift = {
        "p1": MachineDrift(60_000_000, {"p1.speed": (0.1, 0.25), "p1.vibration": (0.3, 0.4)}),
        "p2": MachineDrift(60_000_000),
    }
    with open_parts(directory) as opened, open_catalog(url, now_us, SEAL, directory / "models") as catalog:
        parts = ModelParts(
            catalog.models,
            catalog.jobs,
            lambda assets, by, days: training_job(assets, by, now_us(), days),
            lambda: None,
            lambda asset_id: told if asset_id == "p1" else (),
            next_training=planned.get,
            drift=drift.get,
        )
        with serving(opened.but(models=parts)) as site:
            yield Kept(site, catalog)


@pytest.fixture
def client(kept: Kept) -> httpx.Client:
    return kept.site.client


def test_a_machine_without_a_model_and_one_that_is_not_there(client: httpx.Client) -> None:
    told = client.get("/api/v1/assets/p2/model").json()
    assert (told["champion"], told["challenger"], told["history"], told["job"]) == (None, None, [], None)
    assert told["next_training"] == {"at": None, "why": "3 h"}
    assert (told["drift"], told["thresholds"]) == (None, [])
    assert client.get("/api/v1/assets/p9/model").json()["next_training"] is None
    assert client.get("/api/v1/assets/p7/model").status_code == 404
    assert client.get("/api/v1/models/ffff").status_code == 404
    assert client.get("/api/v1/jobs/none").status_code == 404


def test_promoted_rolled_back_and_told_with_the_threshold_of_now(kept: Kept, client: httpx.Client) -> None:
    first, second = kept.add("p1", 1), kept.add("p1", 2)
    done = client.post(f"/api/v1/models/{first}/promote", json={"reason": "the first"})
    assert (done.status_code, done.json()["state"]) == (200, "champion")
    assert client.post(f"/api/v1/models/{first}/promote", json={"reason": "again"}).status_code == 409
    for done in ("promote", "rollback"):
        for reason in ("", "   ", "\u200b", "to \x1b[31mloud"):
            refused = client.post(f"/api/v1/models/{second}/{done}", json={"reason": reason})
            assert (refused.status_code, refused.json()["field"]) == (422, "reason"), reason

    told = client.get("/api/v1/assets/p1/model").json()
    assert (told["champion"]["id"], told["challenger"]["id"]) == (first, second)
    assert [m["id"] for m in told["history"]] == [second, first]
    steps = told["thresholds"][0].pop("steps")
    assert told["thresholds"][0] == {"regime": 0, "learned": 1.3, "now": 1.5, "alarms_per_week": 0.4, "labels": 2}
    raised = {"at": "1970-01-01T00:00:01Z", "anomaly_id": "a7", "verdict": "wrong", "by": "anna"}
    left = {"at": "1970-01-01T00:00:02Z", "anomaly_id": "a8", "verdict": "partly", "by": "tom"}
    assert steps == [raised | {"before": 1.3, "after": 1.5}, left | {"before": 1.5, "after": 1.5}]
    assert (told["thresholds"][1]["alarms_per_week"], told["thresholds"][1]["steps"]) == (None, [])
    assert told["next_training"] == {"at": "1970-01-01T01:00:00Z", "why": "its past will have doubled by then"}
    judged = {"judged_at": "1970-01-01T00:01:00Z", "by": "", "over": None, "usual": None}
    farthest = {"signal_id": "p1.vibration", "psi": 0.3, "usual": 0.4}
    assert told["drift"] == judged | {"signals": [farthest, {"signal_id": "p1.speed", "psi": 0.1, "usual": 0.25}]}
    card = told["champion"]["card"]
    assert card["left_out"] == [{"signal_id": "p1.temperature", "reason": "constant, or hardly ever known"}]
    assert card["shifts"] == [
        {"signal_id": "p1.vibration", "model": 2.0, "baseline": 8.0},
        {"signal_id": "p1.speed", "model": None, "baseline": None},
    ]
    assert (card["regimes"], card["seconds"], told["champion"]["trained_hours"]) == ([3_000, 0], 0.8, 1.0)

    client.post(f"/api/v1/models/{second}/promote", json={"reason": "better"})
    back = client.post(f"/api/v1/models/{second}/rollback", json={"reason": "too loud"}).json()
    assert back["champion"]["id"] == first
    assert [(m["state"], m["reason"]) for m in back["history"]] == [("rolled_back", "too loud"), ("champion", "")]
    assert client.post(f"/api/v1/models/{second}/rollback", json={"reason": "again"}).status_code == 409
    entry = client.get("/api/v1/audit").json()["entries"][0]
    assert (entry["action"], entry["target"], entry["why"]) == ("model_changed", "p1", "too loud")
    assert (entry["before"], entry["after"]) == ({"champion": second}, {"champion": first})


def test_listed_by_state_and_machine(kept: Kept, client: httpx.Client) -> None:
    far = kept.add("q1", 1)
    found = client.get("/api/v1/models", params={"state": ["candidate", "shadow"]}).json()["models"]
    assert [m["id"] for m in found] == [far]
    assert client.get("/api/v1/models", params={"asset_id": "q1"}).json()["models"] == found
    assert client.get(f"/api/v1/models/{far}").json()["card"]["notes"] == ["A sentence."]


def test_training_is_a_job_that_can_be_followed_and_cancelled(client: httpx.Client) -> None:
    job = client.post("/api/v1/models/train", json={"assets": ["p1", "p2"], "days": 3}).json()
    assert (job["done"], job["total"], job["state"], job["days"], job["by"]) == (0, 2, "waiting", 3.0, "anna")
    assert client.get("/api/v1/assets/p2/model").json()["job"]["id"] == job["id"]
    assert client.get("/api/v1/jobs").json()["jobs"][0]["id"] == job["id"]
    assert client.post(f"/api/v1/jobs/{job['id']}/cancel").json()["state"] == "cancelled"
    assert client.get(f"/api/v1/jobs/{job['id']}").json()["ended_at"] is not None
    assert client.post(f"/api/v1/jobs/{job['id']}/cancel").status_code == 409
    assert client.post("/api/v1/models/train", json={"assets": ["p7"]}).status_code == 404
    assert client.post("/api/v1/models/train", json={"assets": ["p1"], "days": 0}).status_code == 422
    everything = client.post("/api/v1/models/train", json={}).json()
    assert everything["total"] == 4


def test_a_technician_looks_and_an_engineer_of_one_place_trains_there_alone(kept: Kept) -> None:
    path = "acme/goa/utilities/cooling"
    with kept.site.as_person("tom", Grant(Role.TECHNICIAN)) as technician:
        assert technician.get("/api/v1/models").status_code == 200
        assert technician.post("/api/v1/models/train", json={}).status_code == 403
    with kept.site.as_person("eve", Grant(Role.PLANT_ENGINEER, path)) as engineer:
        assert {m["asset_id"] for m in engineer.get("/api/v1/models").json()["models"]} <= {"q1"}
        assert engineer.post("/api/v1/models/train", json={"assets": ["p1"]}).status_code == 404
        job = engineer.post("/api/v1/models/train", json={}).json()
        assert [item["asset_id"] for item in job["items"]] == ["q1"]
        assert {j["id"] for j in engineer.get("/api/v1/jobs").json()["jobs"]} >= {job["id"]}
        first = kept.catalog.models.find("p1")[0].id
        assert engineer.post(f"/api/v1/models/{first}/promote", json={"reason": "mine"}).status_code == 404


def test_a_server_without_models_says_so(tmp_path: Path) -> None:
    with open_parts(tmp_path) as opened, serving(opened) as site:
        refused = site.client.get("/api/v1/models")
        assert (refused.status_code, refused.json()["detail"]) == (409, "this server keeps no trained models")
