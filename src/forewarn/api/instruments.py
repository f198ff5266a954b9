"""What the API counts about itself, shared by ingest, /metrics and the operation pages."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Histogram

from forewarn.domain.sources import SourceState, SourceStatus
from forewarn.domain.verdicts import Verdict, Verdicts

_MAX_GATEWAYS: Final = 1_000
_STALE_US: Final = 60_000_000
_WINDOW: Final = 10
_LATENCIES: Final = 4_096
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(slots=True)
class _Gateway:
    since: int
    last: int
    readings: int = 0
    rejected: int = 0


class HttpGateways:
    """Pushing gateways as sources with connector `http`; the 1,000 most recent. For the event loop's thread."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, _Gateway] = OrderedDict()

    def record(self, gateway: str, stored: int, rejected: int, now: int) -> None:
        known = self._seen.get(gateway)
        if known is None or now - known.last > _STALE_US:
            known = _Gateway(now, now, *((known.readings, known.rejected) if known else ()))
            self._seen[gateway] = known
            if len(self._seen) > _MAX_GATEWAYS:
                self._seen.popitem(last=False)
        self._seen.move_to_end(gateway)
        known.last = now
        known.readings += stored
        known.rejected += rejected

    def statuses(self, now: int) -> list[SourceStatus]:
        """In name order."""
        return [self._status(name, seen, now) for name, seen in sorted(self._seen.copy().items())]

    @staticmethod
    def _status(name: str, seen: _Gateway, now: int) -> SourceStatus:
        stale = now - seen.last > _STALE_US
        state, since = (SourceState.STALE, seen.last + _STALE_US) if stale else (SourceState.CONNECTED, seen.since)
        return SourceStatus(name, "http", state, since, seen.last, seen.readings, seen.rejected)


class Rates:
    """Readings per second of each source over the last ten samples, one sample a second."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, dict[str, int]]] = deque(maxlen=_WINDOW + 1)

    def sample(self, statuses: Sequence[SourceStatus], now: int) -> None:
        self._samples.append((now, {f"{s.connector}/{s.name}": s.readings for s in statuses}))

    def of(self, status: SourceStatus) -> float:
        if len(self._samples) < 2:
            return 0.0
        (t0, first), (t1, last) = self._samples[0], self._samples[-1]
        name = f"{status.connector}/{status.name}"
        gained = last.get(name, 0) - first.get(name, 0)
        return max(0.0, gained / max((t1 - t0) / 1e6, 1e-3))


class Latencies:
    """The last 4,096 acknowledgement times, seconds."""

    def __init__(self) -> None:
        self._ring: NDArray[np.float64] = np.full(_LATENCIES, np.nan)
        self._next = 0

    def add(self, seconds: float) -> None:
        self._ring[self._next] = seconds
        self._next = (self._next + 1) % _LATENCIES

    def quantiles(self) -> tuple[float, float, float] | None:
        """p50, p95, p99 in seconds; None before the first."""
        seen = self._ring[~np.isnan(self._ring)]
        if not len(seen):
            return None
        p50, p95, p99 = np.quantile(seen, (0.5, 0.95, 0.99))
        return float(p50), float(p95), float(p99)


@dataclass(slots=True)
class Instruments:
    """One per application. started_at: microseconds UTC."""

    started_at: int
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    gateways: HttpGateways = field(default_factory=HttpGateways)
    rates: Rates = field(default_factory=Rates)
    latencies: Latencies = field(default_factory=Latencies)
    request_seconds: Histogram = field(init=False)
    ingest_readings: Counter = field(init=False)

    def __post_init__(self) -> None:
        self.request_seconds = Histogram(
            "forewarn_http_request_seconds",
            "Time from request to answer",
            ("method", "route", "status"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.ingest_readings = Counter(
            "forewarn_http_readings", "Readings received over HTTP by verdict", ("verdict",), registry=self.registry
        )

    def count(self, verdicts: Verdicts) -> None:
        totals = np.bincount(verdicts.verdict, minlength=len(Verdict))
        for verdict in Verdict:
            if totals[verdict]:
                self.ingest_readings.labels(verdict.name.lower()).inc(int(totals[verdict]))
