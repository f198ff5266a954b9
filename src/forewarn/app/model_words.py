"""A model's card in words."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from forewarn.app.terminal import plain
from forewarn.domain.model_versions import ModelCard, ModelVersion
from forewarn.learning.thresholds import ThresholdNow, ThresholdStep

_STANDS = {
    "candidate": "a candidate: it waits for a rollout or a person",
    "shadow": "in the shadow: it scores beside the champion, and nobody hears of it",
    "canary": "a canary: it acts on a part of its rollout's machines",
    "champion": "the champion: it acts on the machine",
    "retired": "retired: another took its place",
    "rolled_back": "rolled back: it neither acts nor is tried",
}


def as_number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"


def shift_words(metrics: Mapping[str, float]) -> str:
    """Median and worst of the signals, in healthy spreads.

    >>> shift_words({"shift_median": 3.0, "shift_worst": 8.0})
    '3 / 8'
    """
    median, worst = metrics.get("shift_median"), metrics.get("shift_worst")
    return "none" if median is None or worst is None else f"{median:g} / {worst:g}"


def regimes_words(card: ModelCard) -> str:
    judged = sum(rows > 0 for rows in card.regimes)
    return f"{judged}" if judged == len(card.regimes) else f"{judged} of {len(card.regimes)}"


def age(since: int, now: int) -> str:
    """
    >>> age(0, 3 * 86_400_000_000 + 5)
    '3 days'
    """
    hours = max(now - since, 0) / 3_600e6
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} h" if hours >= 2 else f"{hours * 60:.0f} min"


def day(at: int) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y-%m-%d %H:%M")


def card_lines(version: ModelVersion) -> Iterator[str]:
    """A line each, for people."""
    card = version.card
    yield f"Model {version.id}"
    yield f"of {version.asset_id}, {_STANDS[version.state.value]}"
    if version.reason:
        yield f"  because: {plain(version.reason)}"
    if version.bytes_deleted_at is not None:
        yield f"its bytes were deleted on {day(version.bytes_deleted_at)} UTC: it can neither act nor be tried"
    yield f"trained {day(version.created_at)} UTC on {card.rows:,} rows{_from(card)}"
    yield f"detectors: {', '.join(version.detectors)}"
    yield f"signals: {', '.join(s for s in card.signals if s not in card.left_out)}"
    for signal, why in card.left_out.items():
        yield f"left out: {signal}: {why}"
    if len(card.regimes) > 1:
        rows = ", ".join(f"{n:,} rows" if n else "too few rows" for n in card.regimes)
        yield f"regimes: {len(card.regimes)} ways of running it ({rows})"
    yield from _figures(card)
    if card.cost is not None:
        memory = "" if card.cost.peak_bytes is None else f", {card.cost.peak_bytes / 1e6:,.0f} MB"
        yield f"cost: {card.cost.seconds:g} s{memory}; {version.size:,} bytes, signed by {version.signed_by[:16]}"
    yield f"made by {card.software}, seed {card.seed}, plant {card.config_hash}"
    if (shared := card.shared) is not None:
        yield (
            f"shared with its template {shared.template}: the network of {', '.join(shared.detectors)}, learned from "
            f"{shared.machines} machines, {shared.spans} stretches, {shared.rows:,} rows in {shared.seconds:g} s"
        )
    for note in card.notes:
        yield f"note: {note}"


def threshold_lines(told: Sequence[ThresholdNow]) -> Iterator[str]:
    """A line each, for people; in units of the healthy quantile."""
    for one in told:
        of = f" of regime {one.regime + 1}" if len(told) > 1 else ""
        yield f"threshold{of}: {one.now:.3f} now, {one.learned:.3f} as it was learned; findings judged: {one.labels:,}"
        if one.steps:
            last = one.steps[-1]
            yield f"  the last word, of {day(last.at)} UTC: {last.verdict.value}, by {last.by}: {_moved(last)}"


def _moved(step: ThresholdStep) -> str:
    return "it stayed" if step.before == step.after else f"from {step.before:.3f} to {step.after:.3f}"


def _from(card: ModelCard) -> str:
    return f" of {day(card.trained[0].start)} to {day(card.trained[-1].end)}" if card.trained else ""


def _figures(card: ModelCard) -> Iterator[str]:
    m, b = card.metrics, card.baseline
    beside = card.baseline_of or "nothing"
    yield f"on {m.get('held_back_rows', 0):,.0f} healthy rows that it never saw, beside {beside}:"
    for name, words in (
        ("over_threshold", "over the threshold"),
        ("alarms_per_week", "false alarms to be expected a week"),
        ("shift_median", "smallest shift found, median of the signals, in healthy spreads"),
        ("shift_worst", "smallest shift found, worst signal"),
    ):
        show = percent if name == "over_threshold" else as_number
        yield f"  {words}: {show(m.get(name)) or 'not known'} (baseline {show(b.get(name)) or 'not known'})"
