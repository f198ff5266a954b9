"""What a site's API is told of a machine's model, as the site is put together: how far the machine has come from what
its model knows, what people's words did, and when it is learned next."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forewarn.app.settings import Settings
from forewarn.app.site_catalog import open_site_catalog
from forewarn.app.site_training import model_signer
from forewarn.app.wiring import Site, open_site
from forewarn.contracts.anomaly_store import AnomalyQuery
from forewarn.domain.assets import Asset, Plant
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.findings import ENSEMBLE, Feedback, Finding, Severity, Verdict
from forewarn.domain.model_versions import ModelCard, ModelVersion, Span
from forewarn.domain.readings import ReadingBatch
from forewarn.kit.clock import DAY, HOUR, SECOND, now_us
from forewarn.learning.machine_artifact import packed
from forewarn.policies.model_signature import content_id, sign
from tests.app.test_baselining import settle
from tests.catalog.test_feedback import EVIDENCE
from tests.trained import KINDS, healthy, learned, signals_of

ROWS = 19_200  # as many seconds as it takes until there is something to judge
ASSET = Asset("p1", "Pump one", ("a", "b", "c", "d"))
PLANT = Plant((ASSET,), tuple(replace(signal, key=0) for signal in signals_of("p1")))
CARD = ModelCard((Span(0, 2 * DAY),), 900, tuple(s.id for s in PLANT.signals))
LEARNED_AT = now_us() - 2 * HOUR


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a site with a champion."""
    made = Settings(directory=tmp_path / "site")
    with open_site_catalog(made) as catalog:
        catalog.plant.apply(PLANT, [])
        signer, payload = model_signer(made), packed(learned("p1"))
        version = ModelVersion(content_id(payload), "p1", "", ("pca",), LEARNED_AT, CARD, signer.public_key, 1)
        catalog.models.add(version, sign(payload, signer))
        catalog.models.promote(version.id, lambda _before, _after: Deed(AuditAction.MODEL_CHANGED, "ann", "p1"))
    return made


def send(site: Site) -> int:
    """Hours of health until now. Time of the newest row."""
    end = now_us() // SECOND * SECOND
    values = healthy(ROWS, 200)
    keys = np.array([site.plant.table.key_of[f"p1.{kind}"] for kind in KINDS], np.int32)
    for first in range(0, ROWS, 600):
        time = end - (ROWS - 1 - first - np.arange(600, dtype=np.int64)) * SECOND
        rows = values[first : first + 600].T.ravel().copy()
        quality = np.zeros(3 * 600, np.uint32)
        batch = ReadingBatch(np.repeat(keys, 600), np.tile(time, 3), rows, quality, "gw", first + 1)
        site.door.submit(batch).appended.result(30)
    settle(site)
    return end


def say_wrong(site: Site, peak: float) -> str:
    evidence = replace(EVIDENCE, regime=0, ratio=1.0, threshold=peak)
    what = (1, "p1.flow", "p1", ENSEMBLE, "multivariate", Severity.LOW, 0.6, 1.0, 2.0, "odd")
    found = Finding(*what, started_at=1, last_at=9, ended_at=9, evidence=evidence)
    site.catalog.anomalies.upsert([found])
    (anomaly,) = (a for a in site.catalog.anomalies.find(AnomalyQuery())[0] if a.finding.started_at == 1)
    site.catalog.anomalies.give_feedback(anomaly.id, Feedback(Verdict.WRONG, "", "ann", 5))
    site.models.refresh()
    return anomaly.id


def test_what_the_site_tells_of_a_machine_s_model(settings: Settings) -> None:
    with open_site(settings) as site:
        told = site.app.state.parts.models
        (before,) = told.thresholds("p1")
        assert (before.steps, told.drift("p1"), told.next_training("p1")) == ((), None, None)
        end = send(site)
        judged = told.drift("p1")
        assert 0 <= end - judged.at <= 1_200 * SECOND
        assert judged.signals.keys() == {f"p1.{kind}" for kind in KINDS}
        assert judged.over is not None
        site.care.look_around()
        planned = told.next_training("p1")
        assert LEARNED_AT < planned.at <= LEARNED_AT + 2 * DAY
        anomaly_id = say_wrong(site, before.now * 1.05)
        (after,) = told.thresholds("p1")
        (step,) = after.steps
        assert (step.anomaly_id, step.by, step.before, step.after) == (anomaly_id, "ann", before.now, after.now)
        assert after.now > before.now
