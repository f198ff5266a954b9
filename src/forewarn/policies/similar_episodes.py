"""Findings that look alike: the same signals departed, to the same side, with the same weight.

Each finding is a vector of its signals' shares, signed by whether more or less was measured than expected; two are
compared by their cosine. Machines made from one template are compared by what their signals are called on them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

from forewarn.domain.evidence import Contribution
from forewarn.domain.findings import Finding

_LEAST: Final = 0.6
_MOST: Final = 5
_ONE_SIDE_UNKNOWN: Final = 0.5  # agreement of a direction with one that nobody knows


@dataclass(frozen=True, slots=True)
class Alike:
    """place: among the candidates. similarity: 0-1."""

    place: int
    similarity: float


def most_alike(finding: Finding, candidates: Sequence[Finding], most: int = _MOST) -> list[Alike]:
    """The machine's own first, then others; the most similar first, then the newest. Those without evidence, those
    that did not begin before it, and those that look otherwise, are none."""
    found = []
    for place, other in enumerate(candidates):
        alike = similarity(finding, other) if other.started_at < finding.started_at else 0.0
        if alike >= _LEAST:
            found.append(Alike(place, min(alike, 1.0)))
    return sorted(
        found,
        key=lambda a: (
            candidates[a.place].asset_id != finding.asset_id,
            -round(a.similarity, 2),
            -candidates[a.place].started_at,
        ),
    )[:most]


def similarity(one: Finding, other: Finding) -> float:
    """-1 to 1; 0 where one of them has no evidence.

    >>> from forewarn.domain.evidence import Evidence
    >>> from forewarn.domain.findings import Severity
    >>> def finding(asset: str, flow: float) -> Finding:
    ...     told = (("flow", 0.8, flow, 48.0), ("t", 0.2, 61.0, 60.0))
    ...     parts = tuple(Contribution(f"{asset}.{n}", *numbers, "") for n, *numbers in told)
    ...     evidence = Evidence(2.0, 1.2, 0, 1, 0, 1, contributions=parts)
    ...     return Finding(1, "", asset, "", "", Severity.LOW, 0.5, flow, None, "", 1, 1, evidence=evidence)
    >>> round(similarity(finding("p1", 41.0), finding("p2", 40.0)), 2)
    1.0
    >>> round(similarity(finding("p1", 41.0), finding("p1", 55.0)), 2)
    -0.88
    """
    a, b = _vector(one), _vector(other)
    lengths = sqrt(sum(share * share for share, _ in a.values())) * sqrt(sum(share * share for share, _ in b.values()))
    if lengths <= 0:
        return 0.0
    both = sum(a[name][0] * b[name][0] * _agreement(a[name][1], b[name][1]) for name in a.keys() & b.keys())
    return both / lengths


def _vector(finding: Finding) -> dict[str, tuple[float, int]]:
    """(share, direction) by the signal's name on its machine."""
    parts = finding.evidence.contributions if finding.evidence is not None else ()
    return {_name(part.signal_id, finding.asset_id): (part.share, _direction(part)) for part in parts if part.share > 0}


def _name(signal_id: str, asset_id: str) -> str:
    return signal_id.removeprefix(f"{asset_id}.")


def _direction(part: Contribution) -> int:
    """1: more than expected, -1: less, 0: nobody knows."""
    if part.measured is None or part.expected is None or part.measured == part.expected:
        return 0
    return 1 if part.measured > part.expected else -1


def _agreement(a: int, b: int) -> float:
    if a and b:
        return float(a * b)
    return _ONE_SIDE_UNKNOWN if a or b else 1.0
