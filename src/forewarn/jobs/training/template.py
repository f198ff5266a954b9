"""Machines alike: of one template, with the same signals, so that what is learned of one is worth something to all."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from forewarn.domain.assets import Signal
from forewarn.jobs.training.lesson import Lesson
from forewarn.jobs.training.past_rows import step_of


@dataclass(frozen=True, slots=True, order=True)
class Form:
    """template: its name. signals: (kind, name) of each, in the order of columns; the name only where there are
    several of a kind. step_us: of the grid, so that a window lasts as long on each machine."""

    template: str
    step_us: int
    signals: tuple[tuple[str, str], ...]


def form_of(template: str, signals: Sequence[Signal]) -> Form | None:
    """None where the machine is like no other: without a template, or with two signals of one kind and name."""
    marks = sorted(_marks(signals))
    if not template or not marks or len(set(marks)) < len(marks):
        return None
    return Form(template, step_of(signals), tuple(marks))


def in_order(lesson: Lesson) -> Lesson:
    """The columns in the order of the machine's form."""
    marks = _marks(lesson.signals)
    place = sorted(range(len(marks)), key=lambda column: marks[column])
    return replace(
        lesson,
        signals=tuple(lesson.signals[column] for column in place),
        healthy=lesson.healthy[:, place],
        held_back=lesson.held_back[:, place],
    )


def _marks(signals: Sequence[Signal]) -> list[tuple[str, str]]:
    count = Counter(signal.kind for signal in signals)
    return [(s.kind, s.name.casefold() if count[s.kind] > 1 else "") for s in signals]


def evenly(assets: Sequence[str], most: int) -> list[str]:
    """`most` of them at the most, by name, whatever their order was."""
    ordered = sorted(assets)
    if len(ordered) <= most:
        return ordered
    return [ordered[i * len(ordered) // most] for i in range(most)]
