"""Which part of a machine's past may be called healthy, and which of it is looked at."""

from collections.abc import Iterable, Sequence

from forewarn.domain.model_versions import Span


def healthy_spans(start: int, end: int, disturbed: Iterable[Span], margin_us: int, least_us: int) -> list[Span]:
    """[start, end) without what was disturbed and `margin_us` before and after it; spans shorter than `least_us` are
    dropped. Ascending, disjoint."""
    free: list[Span] = []
    at = start
    for span in sorted(disturbed, key=lambda s: s.start):
        first, last = span.start - margin_us, span.end + margin_us
        if last <= at:
            continue
        free.append(Span(at, min(first, end)))
        at = max(at, last)
        if at >= end:
            break
    free.append(Span(at, end))
    return [span for span in free if span.end - span.start >= max(least_us, 1)]


def stretches(spans: Sequence[Span], length_us: int, most: int) -> list[Span]:
    """At most `most` stretches of at most `length_us`, evenly spaced over the spans, each within one of them: every
    hour of the day and every day of the week has its share. Ascending, disjoint."""
    cut = [
        Span(at, min(at + length_us, span.end))
        for span in spans
        for at in range(span.start, span.end, length_us)
        if min(at + length_us, span.end) - at >= length_us // 2
    ]
    if len(cut) <= most:
        return cut
    return [cut[int((i + 0.5) * len(cut) / most)] for i in range(most)]
