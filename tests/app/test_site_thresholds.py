"""What people said of a machine's findings counts for all its versions: those that act, and both sides of a trial."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from forewarn.app.plant_view import CatalogPlantView
from forewarn.app.settings import Settings
from forewarn.app.site_catalog import open_site_catalog
from forewarn.app.site_models import SiteModels
from forewarn.app.site_rollouts import site_rollouts
from forewarn.app.site_thresholds import site_thresholds
from forewarn.app.site_training import model_signer
from forewarn.app.trained_plugins import InstalledDetectors
from forewarn.catalog import Catalog
from forewarn.contracts.anomaly_store import AnomalyQuery
from forewarn.domain.assets import Asset, Plant, Signal
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.findings import Feedback, Verdict
from forewarn.domain.model_delivery import WantedModels
from forewarn.domain.model_versions import ModelCard, ModelVersion
from forewarn.domain.rollouts import Rollout
from forewarn.pipeline.edge_intake import EdgeDesk
from forewarn.policies.alarm_budget import AlarmBudget
from tests.catalog.test_feedback import EVIDENCE, told
from tests.trained import learned, signals_of, signed

DEED = Deed(AuditAction.MODEL_CHANGED, "anna", "a model")


class Site:
    """With a champion on m1 and m2; a rollout of m1's successor is in shadow."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self.catalog = catalog
        signals = [signal for m in ("m1", "m2") for signal in signals_of(m)]
        bare = tuple(Signal(s.id, s.asset_id, s.name, s.kind, s.unit) for s in signals)
        catalog.plant.apply(Plant(tuple(Asset(m, m, ("a", "b", "c", "d")) for m in ("m1", "m2")), bare), ())
        self.plant, signer = CatalogPlantView(catalog.plant), model_signer(settings)
        self.ids = {}
        for name, asset_id, seed in (("old", "m1", 0), ("new", "m1", 1), ("other", "m2", 0)):
            version, artifact = signed(learned(asset_id, seed), signer)
            card = ModelCard((), 900, tuple(s.id for s in signals if s.asset_id == asset_id))
            catalog.models.add(ModelVersion(version, asset_id, "", ("pca",), 1, card, "", 0), artifact)
            self.ids[name] = version
        for name in ("old", "other"):
            catalog.models.promote(self.ids[name], lambda _before, _after: DEED)
        catalog.models.start(Rollout("r1", {"m1": self.ids["new"]}, 1, since=1), DEED)
        self.rollouts, self.shadow = site_rollouts(settings, catalog, self.plant, EdgeDesk())
        own = frozenset({signer.public_key})
        self.models = SiteModels(
            catalog.models, catalog.anomalies, InstalledDetectors(), lambda: own, None, self.rollouts.canaries
        )
        self.rollouts.thresholds = site_thresholds(settings, catalog, self.models).of
        self.rollouts.look_around()

    def wanted(self) -> WantedModels:
        self.models.refresh()
        self.rollouts.refresh()
        return self.rollouts.wanted([f"m1.{kind}" for kind in ("flow", "pressure", "temperature")])

    def finds(self) -> str:
        """A finding of m1's champion just over its threshold; its id."""
        threshold = self.models.thresholds("m1")[0].now
        evidence = replace(EVIDENCE, regime=0, regimes=1, ratio=1.05, threshold=threshold)
        found = replace(told(), asset_id="m1", signal_id="m1.flow", signal_key=self.plant.table.key_of["m1.flow"])
        self.catalog.anomalies.upsert([replace(found, evidence=evidence)])
        return self.catalog.anomalies.find(AnomalyQuery())[0][0].id

    def tried(self) -> dict[str, float]:
        """Thresholds of what the site's own line tries, by version."""
        trials = self.shadow._trials._source.trials()
        models = [model for trial in trials for side in trial.sides.values() for model in side.models]
        return {m.version: e.threshold for m in models for e in m.ensembles if e is not None}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    settings = Settings(directory=tmp_path, rollout_step_hours=1e-9, rollout_every_s=1e-6)
    with open_site_catalog(settings) as catalog:
        yield Site(settings, catalog)


def test_a_word_moves_both_sides_of_a_trial_and_back(site: Site) -> None:
    before = site.wanted()
    assert before.thresholds == {}
    assert set(before.versions) == {site.ids["old"], site.ids["new"]}
    as_learned = site.tried()
    anomaly = site.finds()
    peak = site.models.thresholds("m1")[0].now * 1.05
    site.catalog.anomalies.give_feedback(anomaly, Feedback(Verdict.WRONG, "", "ann", 5))
    after = site.wanted()
    assert set(after.thresholds) == {site.ids["old"], site.ids["new"]}
    assert after.revision != before.revision
    moved = {version: told[0] for version, told in after.thresholds.items()}
    assert min(t for t in moved.values() if t is not None) > peak
    assert moved[site.ids["old"]] == site.models.thresholds("m1")[0].now
    assert site.tried() == moved
    assert site.rollouts.wanted(["m2.flow", "m2.pressure", "m2.temperature"]).thresholds == {}
    site.catalog.anomalies.give_feedback(anomaly, None)
    assert site.wanted() == before
    assert site.tried() == as_learned


def test_a_model_that_does_not_act_is_read_once_and_after_a_word(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    artifact = type(site.catalog.models).artifact

    def counted(self: Any, version_id: str) -> bytes:
        read.append(version_id)
        found: bytes = artifact(self, version_id)
        return found

    site.wanted()
    site.wanted()
    monkeypatch.setattr(type(site.catalog.models), "artifact", counted)
    site.wanted()
    assert read == []
    site.catalog.anomalies.give_feedback(site.finds(), Feedback(Verdict.WRONG, "", "ann", 5))
    site.wanted()
    assert read == [site.ids["new"]]


def test_another_budget_of_false_alarms_reaches_gateways_too(site: Site, tmp_path: Path) -> None:
    site.wanted()
    strict = Settings(directory=tmp_path, false_alarms_per_week=0.001)
    own = frozenset({model_signer(strict).public_key})
    site.models = SiteModels(
        site.catalog.models, site.catalog.anomalies, InstalledDetectors(), lambda: own, AlarmBudget(per_week=0.001)
    )
    site.rollouts.thresholds = site_thresholds(strict, site.catalog, site.models).of
    told = site.wanted().thresholds
    assert told[site.ids["old"]][0] == site.models.thresholds("m1")[0].now
    assert set(told) == {site.ids["old"], site.ids["new"]}
