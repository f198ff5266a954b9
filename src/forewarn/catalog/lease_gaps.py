"""What holders of a lease had not read, as it stands in their rows."""

from typing import Any, Final

from sqlalchemy import Row

from forewarn.contracts.gateway_leases import Missing

_MOST: Final = 1_000
_Told = list[tuple[str, int, int]]


def merged(stored: Any, told: Missing, cover_from: int, covered_until: int) -> dict[str, Any] | None:
    """What a row keeps: by (source, start) the newest word. stored: what it kept before, None at first."""
    until = covered_until if told.until is None else told.until
    kept = {} if stored is None else _ended(stored, told)
    known = {} if stored is None else {(source, start): end or 0 for source, start, end in stored["spans"]}
    for source, start, end in told.spans:
        # Where it lasts, and has not come as far as the end that we know, the word is older than that: it came late.
        if end is not None or known.get((source, start), 0) <= until:
            kept[source, start] = end
    spans = [[source, start, end] for (source, start), end in kept.items() if end is None or end > cover_from]
    spans.sort(key=lambda span: (span[2] is None, span[2] or 0, span[1]))
    return {"until": until, "spans": spans[-_MOST:]} if spans else None


def _ended(stored: dict[str, Any], told: Missing) -> dict[tuple[str, int], int | None]:
    """Nobody but a process that is gone leaves out what lasts. It ended after that one's last word, if it did: no later
    than with the newest reading of that one, which is where its successor's first span begins."""
    again: dict[str, int] = {}
    for source, start, _ in told.spans:
        again[source] = min(start, again.get(source, start))
    last = {source: max(start, stored["until"]) for source, start in again.items()}
    return {
        (source, start): last.get(source, stored["until"]) if end is None else end
        for source, start, end in stored["spans"]
    }


def told_of(row: Row[Any], *, is_newest: bool) -> _Told:
    """Of the time that the row covers; the newest row's holder goes on, and may have nothing at all to tell."""
    if not row.missing:
        return []
    end_of_row = None if is_newest else row.covered_until
    lasting = row.missing["until"] if is_newest else row.covered_until
    found: _Told = []
    for source, start, end in row.missing["spans"]:
        until = lasting if end is None else end
        until = until if end_of_row is None else min(until, end_of_row)
        if until > (begin := max(start, row.cover_from)):
            found.append((source, begin, until))
    return found


def newest(found: _Told) -> tuple[tuple[str, int, int], ...]:
    """As many as an answer holds, in order of their ends."""
    return tuple(sorted(found, key=lambda gap: (gap[2], gap[1]))[-_MOST:])
