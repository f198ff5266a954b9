"""Whether a first model can be learned: from a real historian, whole and damaged."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from forewarn.domain.errors import StorageFailed
from forewarn.domain.jobs import ItemState
from forewarn.jobs.training.first_past import FirstPast
from forewarn.jobs.training.run import training_job
from forewarn.kit.clock import HOUR
from forewarn.plugins.historians.parquet import ParquetReader
from tests.jobs.training.a_past import START, fill, opened
from tests.jobs.training.run_here import END, runs

HOURS = 25


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize("harm", [cut, Path.unlink])
def test_a_past_that_is_damaged_does_not_suffice_and_says_which_file(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    view = fill(tmp_path, "p1", hours=HOURS)
    with opened(tmp_path) as catalog, closing(ParquetReader(tmp_path / "historian")) as past:
        first = FirstPast(past, view, catalog.anomalies, lambda: START + HOURS * HOUR)
        assert first.suffices("p1")
    for path in (tmp_path / "historian").rglob("*.parquet"):
        harm(path)
    with opened(tmp_path) as catalog, closing(ParquetReader(tmp_path / "historian")) as past:
        first = FirstPast(past, view, catalog.anomalies, lambda: START + HOURS * HOUR)
        assert not first.suffices("p1")
        assert ".parquet" in first.words("p1")
        assert "Restore it from a backup" in first.words("p1")


def test_a_disk_that_is_away_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    view = fill(tmp_path, "p1", hours=1)

    def away(*_arguments: object) -> None:
        raise StorageFailed("it is away")

    with opened(tmp_path) as catalog, closing(ParquetReader(tmp_path / "historian")) as past:
        monkeypatch.setattr(past, "aggregate", away)
        with pytest.raises(StorageFailed):
            FirstPast(past, view, catalog.anomalies, lambda: START + HOUR).suffices("p1")


@pytest.mark.parametrize("harm", [cut, Path.unlink])
def test_a_training_from_a_damaged_file_ends_and_names_it(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    fill(tmp_path, "p1", hours=1)
    for path in (tmp_path / "historian").rglob("*.parquet"):
        harm(path)
    with runs(tmp_path, "a") as (catalog, here):
        done = here.run(catalog.jobs.add(training_job(["p1"], "anna", END, 14.0)).id)
        assert done is not None
        assert done.ended_at is not None
        assert done.items[0].state is ItemState.FAILED
        assert ".parquet" in done.items[0].text
