"""A new model on its way to two gateways: it misbehaves as canary and is rolled back on both; a good one comes
through. The site is killed in between. Then a person says that a finding was wrong, and the gateway's threshold
follows."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from forewarn.app.settings import Settings
from forewarn.app.site_catalog import open_site_catalog
from forewarn.app.site_training import model_signer
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.model_versions import ModelCard, ModelState, ModelVersion
from forewarn.domain.rollouts import RollbackReason, Rollout
from forewarn.gateway.models.folder import Plan
from forewarn.kit.clock import now_us
from forewarn.learning.machine_model import MachineModel
from forewarn.policies.rollout import canary_of
from tests.journeys.bad_plant import EdgeGateway, asset, source, until
from tests.peers.processes import free_port
from tests.site_process import SiteProcess
from tests.trained import DETECTORS, KINDS, SECOND, healthy, learned, oversensitive, signed

MACHINES = ("m1", "m2")
ROWS = 2_000  # of each machine in each state: least_rows of a rollout is 3,600
DEED = Deed(AuditAction.MODEL_CHANGED, "anna", "a model")


@dataclass
class Edge:
    """A gateway with one machine, whose readings are pushed faster than time goes by."""

    gateway: EdgeGateway
    machine: str
    port: int

    def plan(self) -> Plan:
        try:
            text = (self.gateway.directory / "models" / "plan.json").read_bytes()
        except FileNotFoundError:
            return Plan()
        return msgspec.json.decode(text, type=Plan)

    def files(self) -> set[str]:
        return {path.name for path in (self.gateway.directory / "models").iterdir()}

    def push(self, start: int, rows: NDArray[np.float64]) -> None:
        times = (start // 1000 + np.arange(len(rows)) * 1000).tolist()
        readings = [
            {"sensor_id": f"{self.machine}/{kind}", "timestamp": at, "value": value}
            for j, kind in enumerate(KINDS)
            for at, value in zip(times, rows[:, j].tolist(), strict=True)
        ]
        address = f"http://127.0.0.1:{self.port}/api/v1/telemetry/batch"
        answer = httpx.post(address, json={"readings": readings}, timeout=30)
        assert answer.status_code == 200, answer.text


class Plant:
    """A site and two gateways; source time runs on with what is pushed."""

    def __init__(self, site: SiteProcess, edges: dict[str, Edge]) -> None:
        self.site, self.edges = site, edges
        self.now = now_us() - 12 * 3_600 * SECOND
        self.seed = 100

    def run(self, restlessness: float = 1.0, rows: int = ROWS) -> None:
        """All machines, healthy; more or less of what they do in health."""
        for edge in self.edges.values():
            self.seed += 1
            usual = healthy(rows, self.seed)
            middle = usual.mean(axis=0)
            edge.push(self.now, middle + restlessness * (usual - middle))
        self.now += rows * SECOND

    def add(self, *models: MachineModel) -> dict[str, str]:
        """Signed by the site; ids by machine."""
        settings = Settings(directory=self.site.directory)
        signer, ids = model_signer(settings), {}
        with open_site_catalog(settings) as catalog:
            for model in models:
                version, artifact = signed(model, signer)
                card = ModelCard((), 900, model.signals)
                about = ModelVersion(version, model.asset_id, "", tuple(DETECTORS), now_us(), card, "", 0)
                catalog.models.add(about, artifact)
                ids[model.asset_id] = version
        return ids

    def promote(self, ids: dict[str, str]) -> None:
        with open_site_catalog(Settings(directory=self.site.directory)) as catalog:
            for version in ids.values():
                catalog.models.promote(version, lambda _before, _after: DEED)

    def roll_out(self, name: str, ids: dict[str, str], share: float) -> None:
        with open_site_catalog(Settings(directory=self.site.directory)) as catalog:
            catalog.models.start(Rollout(name, ids, now_us(), since=now_us(), share=share), DEED)

    def rollout(self, name: str) -> Rollout:
        with open_site_catalog(Settings(directory=self.site.directory)) as catalog:
            return catalog.models.rollout(name)

    def reaches(self, name: str, state: ModelState) -> Rollout:
        """And all gateways know."""
        found = until(
            lambda: r if (r := self.rollout(name)).state is state else None, f"{name} {state}: {self.rollout(name)}", 30
        )
        if state in (ModelState.SHADOW, ModelState.CANARY, ModelState.CHAMPION):
            self.told(lambda edge: {t.since for t in edge.plan().wanted.trials} == {found.since}, f"{name} {state}")
        return found

    def told(self, holds: Callable[[Edge], bool], what: str) -> None:
        for edge in self.edges.values():
            until(lambda edge=edge: holds(edge), f"{what}: {edge.plan()}", 30)

    def used(self) -> dict[str, str]:
        return {asset_id: version for edge in self.edges.values() for asset_id, version in edge.plan().used.items()}

    def disturb(self, machine: str, by: float, rows: int = 60) -> None:
        """The machine's flow leaves the rest for a while; then it is as before."""
        self.seed += 1
        values = healthy(rows + 120, self.seed)
        values[60 : 60 + rows, 0] += by
        self.edges[machine].push(self.now, values)
        self.now += len(values) * SECOND

    def there(self, machine: str) -> dict[str, Any]:
        """The models of the machine's gateway as the site shows them."""
        answer = self.site.http.get(f"/api/v1/gateways/{self.edges[machine].gateway.name}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["models"])

    def over(self, machine: str, earlier: set[str]) -> list[dict[str, Any]]:
        """Of the machine, begun after those and ended."""
        return [a for a in self.found() if a["asset_id"] == machine and a["ended_at"] and a["id"] not in earlier]

    def found(self) -> list[dict[str, Any]]:
        answer = self.site.http.get("/api/v1/anomalies", params={"limit": 1000})
        assert answer.status_code == 200, answer.text
        return [a for a in answer.json()["anomalies"] if a["detector"] == "ensemble"]


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    pace = {"FOREWARN_ROLLOUT_STEP_HOURS": "0.0001", "FOREWARN_ROLLOUT_EVERY_S": "0.5"}
    site = SiteProcess(tmp_path / "site", FOREWARN_FLUSH_INTERVAL_S="2", **pace)
    with contextlib.ExitStack() as closing:
        edges = {}
        for number, machine in enumerate(MACHINES):
            port = free_port()
            signals = {kind: (f"push-{number}", f"{machine}/{kind}") for kind in KINDS}
            text = source(f"push-{number}", "webhook", port=port) + asset(machine, signals)
            gateway = EdgeGateway(tmp_path, f"gw-{number}", site, text)
            edges[machine] = Edge(gateway, machine, port)
            closing.callback(gateway.end, signal.SIGKILL)
        files = [str(edge.gateway.file) for edge in edges.values()]
        done = site.run("apply", *files, "--directory", str(site.directory), "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        site.start()
        closing.callback(site.stop)
        for edge in edges.values():
            edge.gateway.start()
        for edge in edges.values():
            until(lambda edge=edge: edge.gateway.status().get("uplink", {}).get("state") == "connected", "connected")
        yield Plant(site, edges)


def test_a_canary_that_misbehaves_is_rolled_back_and_a_good_model_comes_through(plant: Plant) -> None:
    champions = plant.add(*(learned(machine) for machine in MACHINES))
    plant.promote(champions)
    plant.told(lambda edge: edge.plan().used == {edge.machine: champions[edge.machine]}, "champions")

    bad = plant.add(*(oversensitive(learned(machine, 1), 0.4) for machine in MACHINES))
    plant.roll_out("bad", bad, share=0.5)
    (sung,) = canary_of("bad", MACHINES, 0.5)
    (other,) = set(MACHINES) - {sung}
    plant.reaches("bad", ModelState.SHADOW)
    plant.run(restlessness=0.1)  # so calm that the nervous one has nothing to say
    plant.reaches("bad", ModelState.CANARY)
    plant.told(lambda edge: edge.machine != sung or edge.plan().used == {sung: bad[sung]}, "canary")
    assert plant.edges[other].plan().used == {other: champions[other]}

    plant.site.kill()
    plant.run()  # the usual day; nobody hears of it yet
    plant.site.start()
    over = plant.reaches("bad", ModelState.ROLLED_BACK)
    assert over.reason is RollbackReason.ALARM_RATE, over
    plant.told(lambda edge: edge.plan().used == {edge.machine: champions[edge.machine]}, "back")
    plant.told(lambda edge: set(bad.values()) <= set(edge.plan().wanted.withdrawn), "withdrawn")
    plant.told(lambda edge: not edge.files() & set(bad.values()), "removed")
    # What the gateway found while the site was away is on its way.
    mine = until(lambda: [a for a in plant.found() if a["evidence"]["model"] in bad.values()], "what it found", 60)
    assert {a["asset_id"] for a in mine} == {sung}
    plant.run(rows=600)
    until(lambda: all(a["ended_at"] for a in plant.found()), f"findings end: {plant.found()[:1]}", 60)
    before = len(plant.found())

    good = plant.add(*(learned(machine, 2) for machine in MACHINES))
    plant.roll_out("good", good, share=0.5)
    plant.reaches("good", ModelState.SHADOW)
    plant.run()
    plant.reaches("good", ModelState.CANARY)
    plant.run()
    plant.reaches("good", ModelState.CHAMPION)
    plant.told(lambda edge: edge.plan().used == {edge.machine: good[edge.machine]}, "good")
    assert len(plant.found()) == before

    machine = MACHINES[0]
    until(lambda: plant.there(machine)["up_to_date"], f"up to date: {plant.there(machine)}", 30)
    (shown,) = plant.there(machine)["machines"]
    mine = {"asset_id": machine, "wanted": good[machine], "acting": good[machine], "refused": None, "moved": False}
    assert shown == mine
    earlier = {a["id"] for a in plant.found()}
    plant.disturb(machine, 15.0)  # much: the model before, still watched beside it, is to see it as well
    found = until(lambda: plant.over(machine, earlier), f"disturbed: {plant.found()[:1]}", 60)
    learned_at = found[0]["evidence"]["threshold"]
    said = plant.site.http.put(f"/api/v1/anomalies/{found[0]['id']}/feedback", json={"verdict": "wrong"})
    assert said.status_code == 200, said.text
    edge = plant.edges[machine]
    until(lambda: edge.plan().wanted.thresholds.get(good[machine]), f"moved: {edge.plan()}", 30)
    told = edge.plan().wanted.thresholds[good[machine]]
    assert told[0] is not None
    assert told[0] > learned_at
    assert plant.edges[MACHINES[1]].plan().wanted.thresholds == {}
    until(lambda: plant.there(machine)["up_to_date"], f"told: {plant.there(machine)}", 30)
    assert plant.there(machine)["thresholds"] == plant.there(machine)["thresholds_wanted"] != ""
    assert plant.there(machine)["machines"] == [mine | {"moved": True}]
    plant.disturb(machine, 30.0)
    worse = until(lambda: plant.over(machine, earlier | {found[0]["id"]}), f"worse: {plant.found()[:1]}", 60)
    assert worse[0]["evidence"]["threshold"] == pytest.approx(told[0])
