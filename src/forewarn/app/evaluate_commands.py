"""`forewarn evaluate`: measure the detectors on public data, and put the figures on the scoreboard."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace
from rich.console import Console
from rich.progress import Progress
from rich.table import Table as Shown
from rich.text import Text

from forewarn.app.dataset_names import Dataset
from forewarn.app.terminal import say
from forewarn.domain.errors import InvalidInput
from forewarn.jobs.evaluate.board import Board, Section, Source, Table, write_board
from forewarn.jobs.evaluate.board_page import figures
from forewarn.jobs.evaluate.data_files import data_folder, digest
from forewarn.jobs.evaluate.run_facts import run_facts

SEED = 0
_Tick = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Measure:
    """files: what it reads of the data folder; None = it makes its own data and needs no folder."""

    run: Callable[[Path, _Tick], Section]
    files: Callable[[Path], list[Path]] | None


def evaluate(dataset: Dataset, data: Path | None, out: Path | None, console: Console, progress: Progress) -> Section:
    """Print the tables; with `out` (a .json) keep them there and on a page. Raises NotFound, InvalidInput."""
    if out is not None and out.suffix != ".json":
        raise InvalidInput(f"--out {out}: name a .json file; the page is written beside it as .md", field="out")
    measure, started = _measures()[dataset], time.perf_counter()
    folder = data_folder(data) if measure.files else Path()
    read = measure.files(folder) if measure.files else []
    sources = tuple(Source(f"{path.parent.name}/{path.name}", digest(path)) for path in read)
    with progress:
        task = progress.add_task(dataset.value)
        section = measure.run(folder, lambda done, total: progress.update(task, completed=done, total=total))
    section = replace(section, sources=sources, run=run_facts(started, SEED))
    for table in section.tables:
        console.print(_shown(table, console.width))
    if out is not None:
        board: Board = write_board(out, section)
        say(f"{out} and {out.with_suffix('.md')} written: {', '.join(board)}", to=console)
    return section


def _measures() -> dict[Dataset, _Measure]:
    """Imported when needed: pyarrow and every detector come with it."""
    from forewarn.app import evaluate_datasets as of

    return {
        Dataset.SKAB: _Measure(of.skab, of.files_of_skab),
        Dataset.NAB: _Measure(of.nab, of.files_of_nab),
        Dataset.TEP: _Measure(of.tep, of.files_of_tep),
        Dataset.SIMULATOR: _Measure(of.simulated, None),
    }


def _shown(table: Table, width: int) -> Shown:
    """Columns from the left, as many as there is room for; the page has all of them."""
    names = max(len(row.name) for row in table.rows) + max(len(row.kind.value) for row in table.rows)
    room, fitting = width - names - 8, 0
    for column in table.columns:
        room -= max(len(column.name), 6) + 3
        fitting += room >= 0
    fitting = max(fitting, 1)
    left = len(table.columns) - fitting
    more = f" ({left} columns more in a wider window, or with --out)" if left else ""
    shown = Shown(title=table.title + more, title_justify="left")
    shown.add_column("", no_wrap=True)
    shown.add_column("", no_wrap=True)
    for column in table.columns[:fitting]:
        shown.add_column(column.name, justify="right", no_wrap=True)
    for row in table.rows:
        shown.add_row(Text(row.name), row.kind.value, *figures(table, row)[:fitting])
    return shown
