"""The scoreboard: what `forewarn evaluate` measured, kept as JSON and shown as a page."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from forewarn.domain.errors import InvalidInput


class Kind(StrEnum):
    """Whose figures a row holds."""

    OURS = "ours"
    BLIND = "no sensor"
    PUBLISHED = "published"


class Row(msgspec.Struct, frozen=True):
    """figures: one a column; None = not stated, or nothing to divide by. note: what is unfair in it."""

    name: str
    kind: Kind
    figures: tuple[float | None, ...]
    note: str = ""


class Column(msgspec.Struct, frozen=True):
    name: str
    digits: int = 1


class Table(msgspec.Struct, frozen=True):
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    words: str = ""


class Source(msgspec.Struct, frozen=True):
    """A file that was read. sha256: of its bytes."""

    name: str
    sha256: str


class Run(msgspec.Struct, frozen=True):
    """What made the figures. at: RFC 3339."""

    at: str
    seconds: float
    machine: str
    versions: dict[str, str]
    seed: int


class Section(msgspec.Struct, frozen=True):
    """Of one data set. protocol, traps: sentences. variants: how many were tried before this one, and on what."""

    dataset: str
    title: str
    about: str
    protocol: tuple[str, ...]
    traps: tuple[str, ...]
    variants: str
    tables: tuple[Table, ...]
    sources: tuple[Source, ...] = ()
    run: Run | None = None


Board = dict[str, Section]

_ORDER: Final = ("skab", "nab", "tep", "simulator")


def read_board(path: Path) -> Board:
    """The board kept at `path`; an empty one where there is none. Raises InvalidInput."""
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=Board)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"{path} is no scoreboard: {error}. Move it away to begin a new one") from error


def write_board(path: Path, section: Section) -> Board:
    """Put `section` in its place on the board at `path` (.json), and the page beside it (.md); other sections stay."""
    board = read_board(path) | {section.dataset: section}
    ordered = {name: board[name] for name in sorted(board, key=_place)}
    _replace(path, msgspec.json.format(msgspec.json.encode(ordered), indent=1) + b"\n")
    from forewarn.jobs.evaluate.board_page import page

    _replace(path.with_suffix(".md"), page(ordered).encode())
    return ordered


def _place(name: str) -> tuple[int, str]:
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(content)
    os.replace(beside, path)
