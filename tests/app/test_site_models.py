"""The site's champions: loaded once, refused by name, their thresholds following feedback."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from forewarn.app.site_models import SiteModels
from forewarn.catalog import Catalog, Seal, open_catalog
from forewarn.contracts.anomaly_store import AnomalyQuery
from forewarn.domain.assets import Asset, Plant
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.findings import BY_MODEL, Feedback, Verdict
from forewarn.domain.model_versions import ModelCard, ModelVersion
from forewarn.learning.machine_artifact import packed
from forewarn.learning.machine_model import MachineModel
from forewarn.learning.machine_watch import MachineWatch
from forewarn.policies.model_artifact import pack, unpack
from forewarn.policies.model_signature import content_id, sign
from tests.catalog.test_feedback import told
from tests.learning.test_fleet import DETECTORS, MODELS, SIGNALS, TABLE, behaviour, readings


class Key:
    """Of whoever signs."""

    def __init__(self) -> None:
        self._private = Ed25519PrivateKey.generate()
        self.public_key = self._private.public_key().public_bytes_raw().hex()

    def sign(self, what: bytes) -> bytes:
        return self._private.sign(what)


OURS, STRANGER = Key(), Key()
PATH = ("acme", "nashik", "utilities", "cooling")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    url, seal = f"sqlite:///{tmp_path / 'catalog.db'}", Seal(b"0" * 32)
    with open_catalog(url, lambda: 1_000, seal, tmp_path / "models") as opened:
        plant = Plant(tuple(Asset(m, m, PATH) for m in "abc"), tuple(replace(s, key=0) for s in SIGNALS))
        opened.plant.apply(plant, [])
        yield opened


def crown(catalog: Catalog, payload: bytes, asset_id: str, key: Key = OURS) -> str:
    version = ModelVersion(content_id(payload), asset_id, "", ("pca",), 1, ModelCard((), 10, ("s",)), key.public_key, 1)
    catalog.models.add(version, sign(payload, key))
    deed = Deed(AuditAction.MODEL_CHANGED, "ann", version.id)
    return catalog.models.promote(version.id, lambda before, after: deed).id


def site_models(catalog: Catalog) -> SiteModels:
    models = SiteModels(catalog.models, catalog.anomalies, DETECTORS, lambda: {OURS.public_key})
    models.refresh()
    return models


def poisoned(model: MachineModel) -> bytes:
    header, arrays = unpack(packed(model))
    gaps = [name for name, array in arrays.items() if array.dtype.kind == "f" and np.isnan(array).any()]
    name = next(n for n in arrays if n.startswith("0.0."))
    return pack(header, {**arrays, name: arrays[name][:-1]}, gaps)


def test_champions_are_taken_over_when_they_change_and_only_then(catalog: Catalog) -> None:
    models = site_models(catalog)
    assert (models.models(), models.revision) == ((), 1)
    crown(catalog, packed(MODELS[0]), "a")
    models.refresh()
    assert [m.asset_id for m in models.models()] == ["a"]
    assert models.revision == 2
    models.refresh()
    assert models.revision == 2


def test_a_model_that_must_not_score_is_a_finding_until_a_good_one_comes(catalog: Catalog, tmp_path: Path) -> None:
    crown(catalog, packed(MODELS[0]), "a", STRANGER)
    crown(catalog, poisoned(MODELS[1]), "b")
    truncated = crown(catalog, packed(MODELS[2]), "c")
    (file,) = (tmp_path / "models").rglob(f"*{truncated}*")
    file.write_bytes(file.read_bytes()[:-100])
    models = site_models(catalog)
    assert models.models() == ()
    watch = MachineWatch(models, DETECTORS)
    watch.configure(TABLE)
    found = watch.score(readings({m: behaviour(1, 60) for m in "abc"}))
    assert {f.asset_id: f.anomaly_type for f in found} == {
        "a": "model_unknown_key",
        "b": "model_poisoned",
        "c": "model_damaged",
    }
    assert {f.detector for f in found} == {BY_MODEL}
    assert all(f.reason.startswith("model ") and len(f.reason) > 40 for f in found)
    crown(catalog, packed(replace(MODELS[1], settle_rows=1)), "b")
    models.refresh()
    ended = watch.score(readings({m: behaviour(1, 90) for m in "abc"}))
    assert [(f.asset_id, f.ended_at is not None) for f in ended if f.detector == BY_MODEL] == [("b", True)]


def test_a_word_on_a_finding_moves_the_threshold_in_use(catalog: Catalog) -> None:
    crown(catalog, packed(MODELS[0]), "a")
    models = site_models(catalog)
    (before,) = models.thresholds("a")
    found = replace(told(), asset_id="a", signal_id="a.flow")
    assert found.evidence is not None
    peak = replace(found.evidence, regime=0, ratio=1.05, threshold=before.now)
    catalog.anomalies.upsert([replace(found, evidence=peak)])
    anomaly = catalog.anomalies.find(AnomalyQuery())[0][0].id
    catalog.anomalies.give_feedback(anomaly, Feedback(Verdict.WRONG, "", "ann", 5))
    models.refresh()
    (after,) = models.thresholds("a")
    assert after.now > before.now * 1.05 > before.now == after.learned
    ensemble = models.models()[0].ensembles[0]
    assert ensemble is not None
    assert ensemble.threshold == after.now
    catalog.anomalies.give_feedback(anomaly, None)
    models.refresh()
    assert models.thresholds("a") == (before,)
    assert models.thresholds("nobody") == ()


def test_a_file_that_is_away_is_asked_for_again(catalog: Catalog, tmp_path: Path) -> None:
    version = crown(catalog, packed(MODELS[0]), "a")
    (file,) = (tmp_path / "models").rglob(f"*{version}*")
    aside = file.rename(tmp_path / "aside")
    models = site_models(catalog)
    assert models.models() == ()
    assert models.refused()["a"].kind == "unreadable"
    revision = models.revision
    models.refresh()
    assert models.revision == revision
    aside.rename(file)
    models.refresh()
    assert [m.asset_id for m in models.models()] == ["a"]
    assert models.refused() == {}


def test_nothing_is_read_where_nothing_changed_whoever_changes_it(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = SiteModels(
        catalog.models, catalog.anomalies, DETECTORS, lambda: {OURS.public_key}, changes=catalog.revisions.read
    )
    read: list[str] = []
    whole = catalog.anomalies.labelled
    monkeypatch.setattr(catalog.anomalies, "labelled", lambda detector: read.append(detector) or whole(detector))
    for _ in range(3):
        models.refresh()
    assert len(read) == 1
    with open_catalog(
        f"sqlite:///{tmp_path / 'catalog.db'}", lambda: 1_000, Seal(b"0" * 32), tmp_path / "models"
    ) as beside:
        crown(beside, packed(MODELS[0]), "a")
        models.refresh()
        assert [m.asset_id for m in models.models()] == ["a"]
        models.refresh()
        assert len(read) == 2
        found = replace(told(), asset_id="a", signal_id="a.flow")
        assert found.evidence is not None
        beside.anomalies.upsert([replace(found, evidence=replace(found.evidence, regime=0))])
        models.refresh()
        assert len(read) == 2  # what nobody said anything of moves no threshold
        anomaly = beside.anomalies.find(AnomalyQuery())[0][0].id
        beside.anomalies.give_feedback(anomaly, Feedback(Verdict.WRONG, "", "ann", 5))
        models.refresh()
        assert [threshold.labels for threshold in models.thresholds("a")] == [1]
        assert len(read) == 3


def test_a_change_of_one_machine_leaves_the_models_of_the_others_as_they_are(catalog: Catalog) -> None:
    for model, asset in zip(MODELS[:2], "ab", strict=True):
        crown(catalog, packed(model), asset)
    models = site_models(catalog)
    (other,) = [m for m in models.models() if m.asset_id == "b"]
    crown(catalog, packed(replace(MODELS[0], settle_rows=1)), "a")
    models.refresh()
    assert other in models.models()


def test_what_was_refused_is_taken_when_it_was_mended(catalog: Catalog) -> None:
    """A lost key: the same past gives the same bytes, signed anew."""
    crown(catalog, packed(MODELS[0]), "a", STRANGER)
    models = site_models(catalog)
    assert models.refused()["a"].kind == "unknown_key"
    payload = packed(MODELS[0])
    version = ModelVersion(content_id(payload), "a", "", ("pca",), 1, ModelCard((), 10, ("s",)), OURS.public_key, 1)
    catalog.models.add(version, sign(payload, OURS))
    models.refresh()
    assert [m.asset_id for m in models.models()] == ["a"]
    assert models.refused() == {}


def test_a_file_that_was_restored_is_read_again(catalog: Catalog, tmp_path: Path) -> None:
    version = crown(catalog, packed(MODELS[0]), "a")
    (file,) = (tmp_path / "models").rglob(f"*{version}*")
    good = file.read_bytes()
    file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    models = site_models(catalog)
    assert models.refused()["a"].kind == "damaged"
    file.write_bytes(good)
    models.refresh()
    assert [m.asset_id for m in models.models()] == ["a"]
