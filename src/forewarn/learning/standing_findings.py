"""What stands of the findings that one watch tells: taken up after a restart, ended once."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from forewarn.domain.findings import Finding

K = TypeVar("K")


class Standing(dict[K, Finding]):
    """By what a watch tells its findings apart; one each. For one thread."""

    def __init__(self, key: Callable[[Finding], K]) -> None:
        super().__init__()
        self._key, self._told = key, list[Finding]()

    def resume(self, findings: Sequence[Finding]) -> None:
        """Take up what was open when the last process ended. Of several with one key the newest goes on; the others
        end, as nobody would end them later."""
        for finding in sorted(findings, key=lambda f: f.started_at):
            key = self._key(finding)
            before = self.get(key)
            if before is not None and _episode(before) != _episode(finding):
                self.end([key])
            self[key] = finding

    def begin(self, finding: Finding) -> None:
        """To be told with what ends, in that order."""
        self[self._key(finding)] = finding
        self._told.append(finding)

    def end(self, keys: Iterable[K], at: int = 0) -> None:
        """at: source time, microseconds; not before it was told last."""
        for key in list(keys):
            finding = self.pop(key)
            end = max(at, finding.last_at)
            self._told.append(replace(finding, last_at=end, ended_at=end))

    def let_go(self, assets: Collection[str]) -> list[Finding]:
        """Somebody else watches these machines. What stood of them, and what ended before."""
        self.end([key for key, finding in self.items() if finding.asset_id in assets])
        return self.over()

    def over(self) -> list[Finding]:
        """What began or ended meanwhile, once."""
        told, self._told = self._told, []
        return told


def _episode(finding: Finding) -> tuple[int, int]:
    return finding.signal_key, finding.started_at
