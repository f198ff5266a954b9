"""The scoreboard as a page of Markdown: made from the JSON, never written by hand."""

import math
from collections.abc import Iterator
from typing import Final

from forewarn.jobs.evaluate.board import Board, Kind, Row, Section, Table

_HEAD: Final = """# Scoreboard

This page is made by `forewarn evaluate`; do not edit it. Anyone can run it again:

```
forewarn evaluate DATASET --data FOLDER --out docs/scoreboard.json
```

FOLDER holds the data sets, a folder each (or set `FOREWARN_DATA` to it). They are not part of Forewarn: each section
says where they come from. The figures are kept in `scoreboard.json` beside this page.

How everything here is measured:

- **Causal.** The score of a row is known when that row arrives; nothing looks ahead, and the end of a file is scored
  like its middle.
- **Row by row.** No point-adjustment: there, one lucky row inside a long fault counts as the whole fault, and random
  scores win.
- **No threshold chosen on labels.** A limit comes from healthy data that was held out, or from a budget of false
  alarms.
- **Beside what knows no sensor.** An alarm that is always on, one set off by the clock, or one drawn at random says how
  much of a figure is in the data set rather than in the detector. What does not clearly beat them has shown nothing.
- **Published figures stand as published**, with what is unfair in them. Many were tuned on the rows they are scored on.

Words: *F1*, *FAR* (share of healthy rows in alarm), *MAR* (share of faulty rows without one) and *MCC* (Matthews
correlation: 0 for anything blind, 1 for perfect) count rows. *Found* and *delay* count faults, *false alarms* count
episodes that a person would have been called for.
"""


def page(board: Board) -> str:
    return "\n".join([_HEAD, *(line for section in board.values() for line in _section(section))])


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.title}\n"
    yield f"{section.about}\n"
    yield from _points("Protocol", section.protocol)
    for table in section.tables:
        yield from _table(table)
    yield from _points("Traps of this data set", section.traps)
    yield f"**Variants tried.** {section.variants}\n"
    yield from _made(section)


def _points(title: str, sentences: tuple[str, ...]) -> Iterator[str]:
    if sentences:
        yield f"**{title}**\n"
        yield from (f"- {sentence}" for sentence in sentences)
        yield ""


def _table(table: Table) -> Iterator[str]:
    yield f"### {table.title}\n"
    if table.words:
        yield f"{table.words}\n"
    noted = any(row.note for row in table.rows)
    heads = ["", "", *(column.name for column in table.columns), *(["what to know"] if noted else [])]
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * 2}{'---:|' * len(table.columns)}{'---|' if noted else ''}"
    for row in table.rows:
        cells = [_name(row), row.kind.value, *figures(table, row), *([row.note] if noted else [])]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _name(row: Row) -> str:
    return f"**{row.name}**" if row.kind is Kind.OURS else row.name


def figures(table: Table, row: Row) -> list[str]:
    """As people read them; a dash where there is none."""
    return [_figure(value, column.digits) for column, value in zip(table.columns, row.figures, strict=True)]


def _figure(value: float | None, digits: int) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _made(section: Section) -> Iterator[str]:
    if section.run is not None:
        run = section.run
        versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
        yield f"Made {run.at} in {run.seconds:.0f} s on {run.machine} with {versions}; seed {run.seed}.\n"
    yield from (f"- `{source.name}` sha256 `{source.sha256}`" for source in section.sources)
    if section.sources:
        yield ""
