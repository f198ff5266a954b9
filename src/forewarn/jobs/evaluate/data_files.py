"""Public data sets lie where the user keeps them; nothing is downloaded."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.errors import InvalidInput, NotFound


def data_folder(given: Path | None) -> Path:
    """`given`, or what FOREWARN_DATA names. Raises NotFound."""
    named = given or os.environ.get("FOREWARN_DATA") or None
    if named is None:
        raise NotFound("no folder of data sets is named: give --data FOLDER, or set FOREWARN_DATA to it")
    folder = Path(named)
    if not folder.is_dir():
        raise NotFound(f"{folder} is no folder: name the one that holds the data sets with --data or FOREWARN_DATA")
    return folder


def find_file(folder: Path, dataset: str, name: str, source: str) -> Path:
    """`folder/dataset/name`, or `folder/name`. Raises NotFound; `source` says where one gets it."""
    for path in (folder / dataset / name, folder / name):
        if path.is_file():
            return path
    raise NotFound(f"{folder / dataset / name} is not there. It is: {source}. Put it there, or name its folder: --data")


def parquet_columns(path: Path, columns: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Raises InvalidInput for a file that is none, or lacks one."""
    import pyarrow
    import pyarrow.parquet

    try:
        _all_there(path, columns, pyarrow.parquet.read_schema(path).names)
        return _columns(path, columns, pyarrow.parquet.read_table(path, columns=list(columns)))
    except (pyarrow.ArrowException, OSError) as error:
        raise InvalidInput(f"{path} is not the Parquet file it should be: {error}") from error


def semicolon_columns(path: Path, columns: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Of a CSV file with a header and semicolons. Raises InvalidInput."""
    import pyarrow
    import pyarrow.csv

    try:
        table = pyarrow.csv.read_csv(path, parse_options=pyarrow.csv.ParseOptions(delimiter=";"))
    except (pyarrow.ArrowException, OSError) as error:
        raise InvalidInput(f"{path} is not the CSV file it should be: {error}") from error
    _all_there(path, columns, table.column_names)
    return _columns(path, columns, table)


def _all_there(path: Path, columns: Sequence[str], there: Sequence[str]) -> None:
    for column in columns:
        if column not in there:
            raise InvalidInput(f"{path} has no column {column!r}; it needs {', '.join(columns)}", field=column)


def _columns(path: Path, columns: Sequence[str], table: Any) -> dict[str, NDArray[Any]]:
    if not table.num_rows:
        raise InvalidInput(f"{path} holds no rows")
    return {column: np.asarray(table[column].to_numpy()) for column in columns}


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
