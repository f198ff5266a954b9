"""A machine is learned from its healthy past, and its card says what that was worth."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forewarn.app.plant_view import CatalogPlantView
from forewarn.catalog import Catalog
from forewarn.contracts.anomaly_store import Anomaly, AnomalyQuery
from forewarn.domain.errors import NotEnoughData, NotFound
from forewarn.domain.findings import AnomalyStatus, Feedback, Finding, Severity, Verdict
from forewarn.domain.model_versions import Span
from forewarn.jobs.training.lesson import Champion, TrainingSettings, learn
from forewarn.jobs.training.train import Trainer
from forewarn.kit.clock import DAY, HOUR, MINUTE, SECOND
from forewarn.learning.machine_artifact import unpacked
from forewarn.plugins.historians.parquet import ParquetReader
from tests.jobs.training.a_past import START, fill, opened
from tests.learning.test_fleet import DETECTORS

END = START + 3 * HOUR
QUICK = TrainingSettings(margin_s=600.0)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site")
    fill(made, "p1", "p2")
    return made


@pytest.fixture
def catalog(directory: Path) -> Iterator[Catalog]:
    with opened(directory) as catalog:
        yield catalog


@pytest.fixture
def trainer(directory: Path, catalog: Catalog) -> Iterator[Trainer]:
    reader = ParquetReader(directory / "historian")
    try:
        view = CatalogPlantView(catalog.plant)
        yield Trainer(reader, view, catalog.anomalies, DETECTORS, lambda: END, QUICK)
    finally:
        reader.close()


def found(catalog: Catalog, start: int, end: int | None, severity: Severity = Severity.HIGH) -> str:
    """One finding of p2, kept; its id."""
    key = next(s.key for s in catalog.plant.signals("p2"))
    finding = Finding(
        *(key, "p2.speed", "p2", "limits", "limit", severity, 0.9, 1.0, None, "over its limit"),
        started_at=start,
        last_at=start if end is None else end,
        ended_at=end,
    )
    catalog.anomalies.upsert([finding])
    return next(a.id for a in _of_p2(catalog) if a.finding.started_at == start)


def _of_p2(catalog: Catalog) -> Sequence[Anomaly]:
    return catalog.anomalies.find(AnomalyQuery(asset_id="p2"))[0]


def test_a_machine_is_learned_and_its_card_says_from_what_and_how_well(trainer: Trainer) -> None:
    model, card = trainer.learn("p1")
    assert model.members == tuple(DETECTORS)
    assert card.trained == (Span(START, END),)
    assert card.signals == model.signals == ("p1.speed", "p1.flow", "p1.pressure", "p1.temperature")
    assert 8_000 < card.rows < 10_800, "a part of three hours was held back"
    assert 600 <= card.metrics["held_back_rows"] < 2_800
    assert 0.0 <= card.metrics["over_threshold"] < 0.01
    assert card.metrics["threshold"] >= 1.1
    assert card.baseline_of == "each signal by itself (robust z)"
    # Pressure goes with flow, which no signal by itself knows.
    shift, plain = card.shifts["p1.pressure"], card.baseline_shifts["p1.pressure"]
    assert shift is not None
    assert plain is None or shift <= plain
    assert card.cost is not None
    assert card.cost.seconds > 0
    assert len(card.config_hash) == 16
    assert "readings of 3.0 h" in card.notes[0]


def test_the_same_past_gives_the_same_artifact(trainer: Trainer) -> None:
    first, second = (learn(trainer.lesson("p1", END), DETECTORS) for _ in range(2))
    assert first.payload == second.payload
    model = unpacked(first.payload, "v")
    assert first.detectors == model.members


def test_what_was_found_is_left_out_until_people_say_it_was_wrong(trainer: Trainer, catalog: Catalog) -> None:
    anomaly = found(catalog, START + HOUR, START + HOUR + 60 * SECOND)
    found(catalog, START + 2 * HOUR, None, Severity.LOW)
    hole = (Span(START, START + HOUR - 600 * SECOND), Span(START + HOUR + 660 * SECOND, END))
    lesson = trainer.lesson("p2")
    assert lesson.spans == hole
    assert "1 finding takes" in lesson.notes[0]
    catalog.anomalies.give_feedback(anomaly, Feedback(Verdict.WRONG, "washing", "anna", END))
    assert trainer.lesson("p2").spans == (Span(START, END),)
    catalog.anomalies.give_feedback(anomaly, Feedback(Verdict.CONFIRMED, "", "anna", END))
    assert trainer.lesson("p2").spans == hole
    catalog.anomalies.give_feedback(anomaly, None)
    catalog.anomalies.set_status(anomaly, AnomalyStatus.FALSE_POSITIVE, "", END)
    assert trainer.lesson("p2").spans == (Span(START, END),)


def test_a_fault_that_lasts_leaves_nothing_and_the_text_says_what_to_do(trainer: Trainer, catalog: Catalog) -> None:
    anomaly = found(catalog, START - DAY, None, Severity.CRITICAL)
    with pytest.raises(
        NotEnoughData, match=r"0\.0 h of them healthy; .*limits of p2\.speed since .*Mark findings wrong"
    ):
        trainer.learn("p2")
    catalog.anomalies.set_status(anomaly, AnomalyStatus.FALSE_POSITIVE, "", END)


def test_a_machine_without_readings_and_one_that_is_not_there(trainer: Trainer) -> None:
    with pytest.raises(NotEnoughData, match=r"readings of 0\.0 h"):
        trainer.learn("p1", START)
    with pytest.raises(NotFound, match="'p9'"):
        trainer.learn("p9")


def test_a_second_model_is_measured_against_the_champion_on_the_same_rows(trainer: Trainer) -> None:
    lesson = trainer.lesson("p1", END - HOUR)
    first = learn(lesson, DETECTORS)
    again = trainer.lesson("p1", END)
    against = learn(replace(again, champion=Champion("a" * 64, first.payload)), DETECTORS)
    assert against.card.baseline_of == "the champion aaaaaaaaaaaa"
    assert against.card.baseline["held_back_rows"] == against.card.metrics["held_back_rows"]
    assert any("flatters" in note for note in against.card.notes)
    broken = learn(replace(again, champion=Champion("b" * 64, b"no model")), DETECTORS)
    assert broken.card.baseline_of == "each signal by itself (robust z)"


def test_of_a_past_that_began_within_the_hour_stretches_with_readings_are_held_back(tmp_path: Path) -> None:
    """Hours are looked at whole: of 130 minutes in which the machine was read for 70 the first six stretches are
    empty, the third among them, which would be held back."""
    view = fill(tmp_path, "p1", hours=1, start=START + 60 * MINUTE - 10 * MINUTE)
    reader = ParquetReader(tmp_path / "historian")
    try:
        with opened(tmp_path) as catalog:
            end = START + 2 * HOUR
            lesson = Trainer(reader, view, catalog.anomalies, DETECTORS, lambda: end, QUICK).lesson("p1")
    finally:
        reader.close()
    assert np.isfinite(lesson.held_back).any()
    assert len(lesson.healthy) > 5 * len(lesson.held_back) / 2
