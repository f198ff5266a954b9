"""Whether what the models say is wrong is what was made wrong: the simulator's faults by their own names."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from forewarn.app.simulated_site import LivedPlant
from forewarn.domain.findings import Finding
from forewarn.jobs.evaluate.board import Column, Kind, Row
from forewarn.simulator.episodes import Episode

NAMING: Final = (
    Column("faults with a model's finding", 0),
    Column("named first %"),
    Column("among three %"),
    Column("named first at its worst %"),
    Column("without a name %"),
)
_MOST: Final = 3

Told = Sequence[tuple[Finding, Finding]]
_Named = tuple[bool, bool, bool, bool]


def naming(lives: Sequence[LivedPlant], explained: Sequence[Told]) -> tuple[Row, ...]:
    """Rows of a table with columns `NAMING`: each fault, all of them, and what the best constant answer would do.
    explained: of each life, as `SimulatedSite.explained` tells it."""
    of_fault: dict[str, list[_Named]] = defaultdict(list)
    of_template: dict[str, Counter[str]] = defaultdict(Counter)
    for life, told in zip(lives, explained, strict=True):
        templates = {asset.id: asset.template for asset in life.plant.assets}
        for episode in life.episodes:
            named = _named(episode, [pair for pair in told if _within(episode, pair[1], life.end)])
            if named is not None:
                of_fault[episode.fault].append(named)
                of_template[templates[episode.asset_id]][episode.fault] += 1
    rows = [Row(fault.replace("_", " "), Kind.OURS, _figures(named)) for fault, named in sorted(of_fault.items())]
    rows.append(Row("all", Kind.OURS, _figures([one for named in of_fault.values() for one in named])))
    rows.append(Row("always the commonest of the template", Kind.BLIND, _constant(of_template), "knows how common"))
    return tuple(rows)


def _within(episode: Episode, finding: Finding, end: int) -> bool:
    ends = [t for t in (episode.functional_failure_at, episode.ended_at, end) if t is not None]
    return finding.asset_id == episode.asset_id and episode.started_at <= finding.started_at <= min(ends)


def _named(episode: Episode, told: Told) -> _Named | None:
    """First; among three; first at the worst row; none at all. None where no model found anything."""
    known = [(first, last) for first, last in told if first.evidence is not None and last.evidence is not None]
    if not known:
        return None
    first = _names(known[0][0])
    worst = _names(max((last for _, last in known), key=lambda f: f.evidence.ratio if f.evidence else 0.0))
    return episode.fault in first[:1], episode.fault in first[:_MOST], episode.fault in worst[:1], not first


def _names(finding: Finding) -> list[str]:
    return [] if finding.evidence is None else [hypothesis.fault for hypothesis in finding.evidence.hypotheses]


def _figures(named: Sequence[_Named]) -> tuple[float | None, ...]:
    shares = [100.0 * sum(column) / len(named) for column in zip(*named, strict=True)]
    return (len(named), *shares) if named else (0, None, None, None, None)


def _constant(of_template: dict[str, Counter[str]]) -> tuple[float | None, ...]:
    total = sum(counts.total() for counts in of_template.values())
    if not total:
        return 0, None, None, None, None
    best, three = (
        100.0 * sum(n for counts in of_template.values() for _, n in counts.most_common(k)) / total for k in (1, _MOST)
    )
    return total, best, three, best, 0.0
