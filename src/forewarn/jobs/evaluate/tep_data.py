"""Tennessee Eastman process, as Braatz's group distributes it: one healthy and 21 faulty runs of a simulated plant."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.errors import InvalidInput
from forewarn.jobs.evaluate.data_files import find_file

FAULTS: Final = 21
SIGNALS: Final = 52
FAULT_ROW: Final = 160  # of a test run; 8 hours in, rows are 3 minutes apart
ROW_S: Final = 180
_FROM: Final = (
    "the Tennessee Eastman process data d00.dat, d00_te.dat .. d21_te.dat, "
    "repository camaramm/tennessee-eastman-profBraatz"
)


@dataclass(frozen=True, slots=True, eq=False)
class TennesseeEastman:
    """healthy: float64[500, 52], what one trains on. unseen: float64[960, 52], healthy too. faulty: float64[960, 52] by
    number, the fault from row FAULT_ROW on."""

    healthy: NDArray[np.float64]
    unseen: NDArray[np.float64]
    faulty: dict[int, NDArray[np.float64]]


def read_tep(folder: Path) -> TennesseeEastman:
    """`folder` holds `tep/` with the files, or is that folder. Raises NotFound, InvalidInput."""
    healthy, unseen = (_run(folder, name) for name in ("d00.dat", "d00_te.dat"))
    return TennesseeEastman(healthy, unseen, {i: _run(folder, f"d{i:02d}_te.dat") for i in range(1, FAULTS + 1)})


def files_of_tep(folder: Path) -> list[Path]:
    names = ["d00.dat", *(f"d{i:02d}_te.dat" for i in range(FAULTS + 1))]
    return [find_file(folder, "tep", name, _FROM) for name in names]


def _run(folder: Path, name: str) -> NDArray[np.float64]:
    path = find_file(folder, "tep", name, _FROM)
    try:
        rows = np.loadtxt(path, dtype=np.float64, ndmin=2)
    except ValueError as error:
        raise InvalidInput(f"{path} is no table of numbers: {error}") from error
    rows = rows.T if rows.shape[0] == SIGNALS and rows.shape[1] != SIGNALS else rows  # d00.dat lies on its side
    if rows.shape[1] != SIGNALS or len(rows) <= FAULT_ROW:
        raise InvalidInput(f"{path} holds {rows.shape[0]} x {rows.shape[1]} numbers; rows of {SIGNALS} are needed")
    return rows
