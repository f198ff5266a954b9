"""Where every reading is told as it is: around what was found, and around what alarms did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from forewarn.domain.alarms import AlarmEvent
from forewarn.domain.findings import Finding

_SECOND: Final = 1_000_000
_RISE: Final = 0.05
Episode = str


@dataclass(frozen=True, slots=True)
class Window:
    """Source times, microseconds UTC, both included."""

    start: int
    end: int

    def joined(self, other: "Window") -> "Window":
        """One that holds both where they touch, else the other."""
        if other.start > self.end:
            return other
        return Window(min(self.start, other.start), max(self.end, other.end))

    def beyond(self, before: "Window | None") -> "list[Window]":
        """What it holds that `before` did not: of that, every reading was told as it came."""
        if before is None or before.end < self.start or before.start > self.end:
            return [self]
        parts = [Window(self.start, before.start - 1), Window(before.end + 1, self.end)]
        return [part for part in parts if part.start <= part.end]


@dataclass(slots=True)
class OpenFinding:
    """A finding that lasts: its score when it was last taken for news."""

    asset_id: str
    score: float


@dataclass(slots=True)
class Windows:
    """By asset id. A finding that opens, rises by 0.05 or ends, and any alarm event, opens a window from `context_s`
    before to `context_s` after; while the finding lasts, to `full_s` after."""

    context_s: float
    full_s: float
    windows: dict[str, Window] = field(default_factory=dict)
    open: dict[Episode, OpenFinding] = field(default_factory=dict)

    def follow(
        self, findings: Sequence[Finding], events: Sequence[AlarmEvent], newest: Mapping[str, int]
    ) -> dict[str, Window]:
        """The assets whose window was opened or grew. newest: source time of the asset's newest reading."""
        grown: dict[str, Window] = {}
        for finding in findings:
            if (window := self._of_finding(finding)) is not None:
                self._open(finding.asset_id, window, grown)
        for event in events:
            self._open(event.asset_id, self._around(newest.get(event.asset_id, event.at)), grown)
        return grown

    def _of_finding(self, finding: Finding) -> Window | None:
        """None where it is no news."""
        name = f"{finding.signal_key}\t{finding.detector}\t{finding.started_at}"
        known = self.open.get(name)
        if finding.ended_at is not None:
            self.open.pop(name, None)
            self._shorten(finding)
            first = finding.started_at if known is None else finding.ended_at
            return Window(first - self._context, finding.ended_at + self._context)
        if known is not None and finding.score < known.score + _RISE:
            return None
        self.open[name] = OpenFinding(finding.asset_id, finding.score)
        first = finding.started_at if known is None else finding.last_at
        return Window(first - self._context, finding.last_at + int(self.full_s * _SECOND))

    def _shorten(self, ended: Finding) -> None:
        """Nothing lasts any more on the asset: what was kept open for it ends too."""
        window = self.windows.get(ended.asset_id)
        if window is None or any(o.asset_id == ended.asset_id for o in self.open.values()):
            return
        end = (ended.ended_at or ended.last_at) + self._context
        self.windows[ended.asset_id] = Window(window.start, max(min(window.end, end), window.start))

    @property
    def _context(self) -> int:
        return int(self.context_s * _SECOND)

    def _around(self, moment: int) -> Window:
        return Window(moment - self._context, moment + self._context)

    def _open(self, asset_id: str, window: Window, grown: dict[str, Window]) -> None:
        before = self.windows.get(asset_id)
        grown[asset_id] = self.windows[asset_id] = window if before is None else before.joined(window)
