"""How the sources are doing, for the admin page and the metrics."""

from collections.abc import Sequence
from typing import Protocol

from forewarn.domain.sources import SourceStatus


class SourceMonitor(Protocol):
    def statuses(self) -> Sequence[SourceStatus]:
        """One per configured source, in name order. Thread-safe, no I/O."""
        ...
