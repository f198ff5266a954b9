"""The scoreboard: other sections stay, and the page in docs/ is what its figures say."""

from pathlib import Path

import pytest

from forewarn.domain.errors import InvalidInput
from forewarn.jobs.evaluate.board import Column, Kind, Row, Run, Section, Source, Table, read_board, write_board
from forewarn.jobs.evaluate.board_page import page

DOCS = Path(__file__).parents[3] / "docs"


def section(dataset: str, figure: float | None = 0.5) -> Section:
    rows = (Row("mine", Kind.OURS, (figure, 12.345)), Row("blind", Kind.BLIND, (None, float("nan")), "a clock"))
    return Section(
        dataset,
        dataset.upper(),
        "About.",
        ("Causal.",),
        ("Position.",),
        "Three.",
        (Table("All", (Column("F1", 3), Column("FAR %")), rows),),
        (Source("a.parquet", "00ff"),),
        Run("2026-11-22T00:00:00Z", 1.4, "a machine", {"numpy": "2"}, 0),
    )


def test_the_page_in_docs_is_what_its_figures_say() -> None:
    assert (DOCS / "scoreboard.md").read_text(encoding="utf-8") == page(read_board(DOCS / "scoreboard.json"))


def test_every_table_in_docs_stands_beside_what_knows_no_sensor() -> None:
    board = read_board(DOCS / "scoreboard.json")
    assert {"skab", "nab", "tep"} <= set(board)
    for name, one in board.items():
        assert one.variants
        assert one.sources or name == "simulator"
        assert any(row.kind is Kind.BLIND for table in one.tables for row in table.rows)


def test_other_sections_stay_and_the_same_one_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "board.json"
    write_board(path, section("tep"))
    write_board(path, section("skab"))
    board = write_board(path, section("tep", 0.75))
    assert list(board) == ["skab", "tep"]
    assert board["tep"].tables[0].rows[0].figures[0] == 0.75
    shown = path.with_suffix(".md").read_text(encoding="utf-8")
    assert shown == page(read_board(path))
    assert shown.index("## SKAB") < shown.index("## TEP")


def test_figures_are_shown_as_people_read_them(tmp_path: Path) -> None:
    write_board(tmp_path / "board.json", section("nab"))
    shown = (tmp_path / "board.md").read_text(encoding="utf-8")
    assert "| **mine** | ours | 0.500 | 12.3 |  |" in shown
    assert "| blind | no sensor | – | – | a clock |" in shown
    assert "`a.parquet` sha256 `00ff`" in shown


def test_a_board_that_cannot_be_read_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "board.json"
    path.write_text('{"nab": 3}')
    with pytest.raises(InvalidInput, match="is no scoreboard"):
        write_board(path, section("nab"))
    assert path.read_text() == '{"nab": 3}'
