"""`forewarn evaluate` as one types it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from forewarn.app.cli import app
from forewarn.jobs.evaluate.board import read_board
from tests.jobs.evaluate.made_data import make_nab, make_tep


def run(*words: str | Path) -> tuple[int, str]:
    told = CliRunner().invoke(app, ["evaluate", *map(str, words)])
    return told.exit_code, " ".join(told.output.split())


def test_figures_are_printed_and_kept(tmp_path: Path) -> None:
    make_nab(tmp_path)
    make_tep(tmp_path)
    out = tmp_path / "board.json"
    code, told = run("nab", "--data", tmp_path, "--out", out)
    assert code == 0, told
    assert "Machine temperature" in told
    assert run("tep", "--data", tmp_path, "--out", out)[0] == 0
    board = read_board(out)
    assert list(board) == ["nab", "tep"]
    assert board["nab"].run is not None
    assert [source.name for source in board["nab"].sources] == ["nab/realKnownCause.parquet", "nab/labels.csv"]
    assert "## Tennessee Eastman process" in out.with_suffix(".md").read_text(encoding="utf-8")


@pytest.mark.parametrize("dataset", ["skab", "nab", "tep"])
def test_data_that_are_not_there(dataset: str, tmp_path: Path) -> None:
    code, told = run(dataset, "--data", tmp_path)
    assert code == 1
    assert "is not there" in told


def test_a_name_that_is_none(tmp_path: Path) -> None:
    assert run("swat", "--data", tmp_path)[0] == 2


def test_out_must_be_json(tmp_path: Path) -> None:
    code, told = run("nab", "--data", tmp_path, "--out", tmp_path / "board.md")
    assert code == 1
    assert ".json" in told
