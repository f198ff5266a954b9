"""Each data set measured end to end on a small one of the same shape, where the truth is known."""

from pathlib import Path

import numpy as np
import pytest

from forewarn.jobs.evaluate.board import Kind, Section
from forewarn.jobs.evaluate.nab import evaluate_nab
from forewarn.jobs.evaluate.skab import ensemble_alarms
from forewarn.jobs.evaluate.skab_table import evaluate_skab
from forewarn.jobs.evaluate.tep import evaluate_tep
from forewarn.jobs.evaluate.watchers import single
from forewarn.plugins.trained_detectors.pca import Pca
from forewarn.plugins.trained_detectors.robust_z import RobustZ
from forewarn.plugins.trained_detectors.slow_windows import SlowWindows
from tests.jobs.evaluate.made_data import make_nab, make_skab, make_tep


def rows(section: Section, table: int = 0) -> dict[str, dict[str, float]]:
    shown = section.tables[table]
    names = [column.name for column in shown.columns]
    return {
        row.name: {name: np.nan if f is None else f for name, f in zip(names, row.figures, strict=True)}
        for row in shown.rows
    }


def test_skab(tmp_path: Path) -> None:
    make_skab(tmp_path)
    watchers = {"robust z": single(RobustZ()), "both": ensemble_alarms({"robust_z": RobustZ(), "pca": Pca()})}
    section = evaluate_skab(tmp_path, watchers, "none")
    ours, clock = rows(section)["robust z"], rows(section)["from row 150 on"]
    assert (ours["found"], ours["of"]) == (4, 4)
    assert ours["MCC"] > 0.8 > clock["MCC"]
    assert ours["FAR %"] < 6 < clock["FAR %"]
    assert rows(section)["always in alarm"]["F1"] == pytest.approx(2 * (1 / 3) / (1 + 1 / 3))
    assert rows(section)["both"]["found"] == 4
    assert [table.rows[0].figures[5] for table in section.tables] == [4, 2, 2]
    assert any(row.kind is Kind.PUBLISHED for row in section.tables[0].rows)


def test_nab(tmp_path: Path) -> None:
    make_nab(tmp_path)
    done: list[int] = []
    section = evaluate_nab(
        tmp_path,
        {"slow": lambda day: SlowWindows((day // 4, day))},
        "none",
        tick=lambda i, n: done.append(i * 100 // n),
    )
    ours = rows(section)["slow"]
    assert (ours["found"], ours["of"]) == (1, 1)
    assert ours["standard"] > 60
    assert rows(section)["alarms at random"]["standard"] < 60
    assert rows(section)["always in alarm"]["standard"] < -1000
    assert rows(section)["once a window's length"]["found"] == 1
    assert done == [50, 100]
    assert section == evaluate_nab(tmp_path, {"slow": lambda day: SlowWindows((day // 4, day))}, "none")


def test_tep(tmp_path: Path) -> None:
    make_tep(tmp_path)
    section = evaluate_tep(tmp_path, {"pca": single(Pca())}, "none")
    ours = rows(section)["pca"]
    assert ours["found"] == 21
    assert ours["mean FDR %"] > 95
    assert ours["FAR d00_te %"] < 10
    assert rows(section)["always in alarm"]["FAR d00_te %"] == 100
    by_fault = rows(section, 1)
    assert len(by_fault) == 21
    assert np.mean([figures["pca"] for figures in by_fault.values()]) == pytest.approx(ours["mean FDR %"])
