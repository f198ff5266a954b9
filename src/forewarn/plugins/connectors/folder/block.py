"""Some rows of a file as columns, before anything is known of their meaning."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing of a file that could not be taken. line: 1 is the first of the file (of Parquet: the first row)."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Bookmark:
    """How far a file is stored: `rows` lines (of Parquet: rows), which end at byte `offset`.

    local_us, second_pass: where in the local time of the file we are; see Stamps."""

    rows: int = 0
    offset: int = 0
    local_us: int | None = None
    second_pass: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """columns: by name; text as numpy str, numbers as float64 or int64, instants as datetime64[us]. zoned: those
    datetime columns that are UTC; all other times are local. lines: where each row stands. after: the bookmark once
    the rows are stored."""

    columns: dict[str, NDArray[Any]]
    lines: NDArray[np.int64]
    complaints: list[Complaint]
    after: Bookmark
    zoned: frozenset[str] = frozenset()
