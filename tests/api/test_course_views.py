"""A finding's course as columns for a chart, and who may ask for what is not there."""

import json
from pathlib import Path

import numpy as np

from forewarn.api.course_views import CourseView
from forewarn.api.model_parts import ModelParts
from forewarn.catalog import open_catalog
from forewarn.domain.evidence import Contribution, Evidence
from forewarn.domain.findings import ENSEMBLE, Finding, Severity
from forewarn.jobs.training.run import training_job
from forewarn.kit.clock import now_us
from forewarn.learning.hindsight import Course
from tests.api.site import SEAL, open_parts, serving

NAN = float("nan")
EVIDENCE = Evidence(2.0, 1.4, 0, 1, 0, 1, (), (Contribution("p1.vibration", 0.9, 1.0, 2.0, "mm/s"),), (), "ab" * 32)
FOUND = Finding(
    *(1, "p1.vibration", "p1", ENSEMBLE, "multivariate", Severity.HIGH, 0.8, 1.0, 2.0, "odd", 1_000_000, 2_000_000),
    evidence=EVIDENCE,
)


def test_what_is_not_known_is_null_and_units_are_those_of_the_evidence() -> None:
    course = Course(
        np.array([1_000_000, 2_000_000]),
        np.array([1.23456789, NAN]),
        ("p1.vibration", "p1.speed"),
        np.array([[1.0, 2.0], [NAN, np.inf]]),
        np.array([[NAN, 2.5], [3.0, NAN]]),
        1_000_000,
    )
    told = json.loads(CourseView.of(course, FOUND).model_dump_json())
    assert (told["time_ms"], told["step_ms"], told["ratio"]) == ([1_000, 2_000], 1_000, [1.234568, None])
    vibration, speed = told["signals"]
    assert vibration == {"sensor_id": "p1.vibration", "unit": "mm/s", "measured": [1.0, None], "expected": [None, 3.0]}
    assert (speed["unit"], speed["measured"], speed["expected"]) == ("", [2.0, None], [2.5, None])


def test_over_http_it_says_why_there_is_none(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    with open_parts(tmp_path) as opened, open_catalog(url, now_us, SEAL, tmp_path / "models") as catalog:
        parts = ModelParts(
            catalog.models,
            catalog.jobs,
            lambda assets, by, days: training_job(assets, by, now_us(), days),
            lambda: None,
        )
        with serving(opened.but(models=parts)) as site:
            catalog.anomalies.upsert([FOUND])
            (found,) = site.client.get("/api/v1/anomalies", params={"asset_id": "p1"}).json()["anomalies"]
            refused = site.client.get(f"/api/v1/anomalies/{found['id']}/course")
            assert (refused.status_code, refused.json()["type"]) == (409, "urn:forewarn:problem:conflict")
            assert site.client.get("/api/v1/anomalies/none/course").status_code == 404
            assert site.client.get("/api/v1/models/ffff/scores").status_code == 404
