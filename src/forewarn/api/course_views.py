"""What a model made of the time around a finding, as the API shows it: columns, made for charts."""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from forewarn.domain.findings import Finding
from forewarn.learning.hindsight import Course


class SignalCourse(BaseModel):
    """In unit; null: not known, or nothing in particular expected."""

    sensor_id: str
    unit: str
    measured: list[float | None]
    expected: list[float | None]


class CourseView(BaseModel):
    """A value each of time_ms. ratio: over the threshold that the machine had then, 1 = at it; null: no opinion.
    step_ms: a longer silence is a gap. thinned: a gateway leaves out what is normal; rows that it did not send in full
    have no opinion."""

    time_ms: list[int]
    step_ms: int
    ratio: list[float | None]
    signals: list[SignalCourse]
    thinned: bool

    @classmethod
    def of(cls, course: Course, finding: Finding) -> Self:
        units = {c.signal_id: c.unit for c in finding.evidence.contributions} if finding.evidence else {}
        return cls(
            time_ms=(course.time // 1_000).tolist(),
            step_ms=course.step_us // 1_000,
            ratio=_numbers(course.ratio),
            signals=[
                SignalCourse(
                    sensor_id=signal,
                    unit=units.get(signal, ""),
                    measured=_numbers(course.measured[:, i]),
                    expected=_numbers(course.expected[:, i]),
                )
                for i, signal in enumerate(course.signals)
            ],
            thinned=course.is_thinned,
        )


def _numbers(column: NDArray[np.float64]) -> list[float | None]:
    """To seven significant digits: more is not seen on a chart."""
    return [float(f"{value:.7g}") if np.isfinite(value) else None for value in column.tolist()]
