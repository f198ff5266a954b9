"""Machines that the site judges itself: what is tried there is counted too, and a canary acts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from forewarn.app.plant_view import CatalogPlantView
from forewarn.app.settings import Settings
from forewarn.app.site_catalog import open_site_catalog
from forewarn.app.site_models import SiteModels
from forewarn.app.site_rollouts import SiteRollouts, rollout_desk, site_rollouts
from forewarn.app.site_training import model_signer
from forewarn.app.trained_plugins import InstalledDetectors
from forewarn.catalog import Catalog
from forewarn.contracts.stage import Carriage
from forewarn.domain.assets import Asset, Plant, Signal
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.model_versions import ModelCard, ModelState, ModelVersion
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.rollouts import NextStep, Rollout, RolloutMachine
from forewarn.pipeline.edge_intake import EdgeDesk
from forewarn.pipeline.shadow import ShadowStage
from tests.trained import KINDS, SECOND, healthy, learned, signals_of, signed

DEED = Deed(AuditAction.MODEL_CHANGED, "anna", "a model")


@dataclass
class Running:
    settings: Settings
    catalog: Catalog
    plant: CatalogPlantView
    edge: EdgeDesk
    rollouts: SiteRollouts
    shadow: ShadowStage
    versions: list[str]

    def state(self) -> ModelState:
        self.rollouts.look_around()
        return self.catalog.models.rollout("r1").state

    def day(self, first: int, last: int) -> None:
        values = healthy(last, 101)[first:]
        n = len(values)
        keys = np.array([self.plant.table.key_of[f"m1.{kind}"] for kind in KINDS], np.int32)
        order = np.argsort(keys)
        time = np.tile(1_700_000_000 * SECOND + np.arange(first, last) * SECOND, 3)
        value = values.T[order].ravel().copy()
        batch = ReadingBatch(np.repeat(keys[order], n), time, value, np.zeros(3 * n, np.uint32), "", 0)
        self.shadow.handle(Carriage(first + 1, last, [(last, batch)], batch))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    settings = Settings(directory=tmp_path, rollout_step_hours=1e-9, rollout_every_s=1e-6)
    with open_site_catalog(settings) as catalog:
        signals = tuple(Signal(s.id, s.asset_id, s.name, s.kind, s.unit) for s in signals_of("m1"))
        catalog.plant.apply(Plant((Asset("m1", "m1", ("a", "b", "c", "d")),), signals), ())
        plant, edge, signer = CatalogPlantView(catalog.plant), EdgeDesk(), model_signer(settings)
        versions = []
        for seed in (0, 1):
            version, artifact = signed(learned("m1", seed), signer)
            card = ModelCard((), 900, tuple(s.id for s in signals))
            catalog.models.add(ModelVersion(version, "m1", "", ("pca",), 1, card, "", 0), artifact)
            versions.append(version)
        catalog.models.promote(versions[0], lambda _before, _after: DEED)
        catalog.models.start(Rollout("r1", {"m1": versions[1]}, 1, since=1), DEED)
        rollouts, shadow = site_rollouts(settings, catalog, plant, edge)
        yield Running(settings, catalog, plant, edge, rollouts, shadow, versions)


def acting(running: Running) -> list[str]:
    own = {model_signer(running.settings).public_key}
    models = SiteModels(
        running.catalog.models,
        running.catalog.anomalies,
        InstalledDetectors(),
        lambda: own,
        None,
        running.rollouts.canaries,
    )
    models.refresh()
    return [model.version for model in models.models()]


def test_a_rollout_goes_through_on_a_machine_of_the_site_s_own(running: Running) -> None:
    old, new = running.versions
    assert running.state() is ModelState.SHADOW
    assert acting(running) == [old]
    desk = rollout_desk(running.settings, running.catalog)
    told = desk.get("r1")
    assert (told.next, told.challenger) == (NextStep(ModelState.CANARY, None, 0.0, 0, 3_600), None)  # its time has come
    running.day(0, 4_000)
    assert running.state() is ModelState.CANARY
    assert desk.get("r1").machines == (RolloutMachine("m1", new, old, acting=new),)
    assert acting(running) == [new]
    running.day(4_000, 8_000)
    assert running.state() is ModelState.CHAMPION
    assert acting(running) == [new]


def test_what_a_gateway_judges_is_not_counted_by_the_site(running: Running) -> None:
    running.edge.scores("gw", np.array(sorted(running.plant.table.key_of.values()), np.int32))
    assert running.state() is ModelState.SHADOW
    running.day(0, 4_000)
    assert running.state() is ModelState.SHADOW
    assert running.catalog.observations.tallies(["r1"]) == []
