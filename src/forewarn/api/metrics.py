"""What Prometheus reads at scrape time. Never a label by sensor: a plant has tens of thousands."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from forewarn.api.instruments import Instruments
from forewarn.api.parts import ApiParts, lag_s
from forewarn.api.pump_health import free_bytes, resident_bytes
from forewarn.domain.alarms import AlarmState
from forewarn.domain.sources import SourceState, SourceStatus

_PREFIX: Final = "forewarn_"


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, text, value=value)


class SiteCollector:
    """Asks the parts when scraped; registered with the application's own registry."""

    def __init__(self, parts: ApiParts, instruments: Instruments) -> None:
        self._parts = parts
        self._instruments = instruments

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance, so that registering asks no store."""
        return ()

    def collect(self) -> Iterable[Metric]:
        yield from self._log()
        yield from self._historian()
        yield from self._sources()
        yield from self._judged()
        yield _gauge("live_listeners", "Open event streams", self._parts.feed.listeners)
        yield _gauge("resident_bytes", "Resident memory of this process", resident_bytes())
        yield _gauge("disk_free_bytes", "Free space on the data directory's disk", free_bytes(self._parts.directory))

    def _log(self) -> Iterable[Metric]:
        depth, line = self._parts.log.depth(), self._parts.line_health()
        yield _gauge("log_batches", "Batches in the durable log", depth.batches)
        yield _gauge("log_bytes", "Bytes in the durable log", depth.bytes)
        yield _gauge("log_capacity_bytes", "Bound of the durable log", depth.capacity_bytes)
        behind = GaugeMetricFamily(_PREFIX + "log_behind_batches", "Batches not yet committed", labels=["consumer"])
        for consumer, batches in depth.behind.items():
            behind.add_metric([consumer], batches)
        yield behind
        yield _gauge("line_lag_seconds", "Age of the oldest batch not yet judged", lag_s(line, self._parts.clock()))
        yield _gauge("line_running", "1 while the line runs", float(line.running))

    def _historian(self) -> Iterable[Metric]:
        size = self._parts.historian.size()
        yield _gauge("historian_bytes", "Bytes of segments and rollups", size.bytes)
        yield _gauge("historian_segments", "Segments on disk", size.segments)
        yield _gauge("historian_readings", "Readings in segments", size.readings)
        yield _gauge("historian_tail_readings", "Readings not yet in a segment", size.tail_readings)

    def _sources(self) -> Iterable[Metric]:
        now = self._parts.clock()
        labels = ["source", "connector"]
        state = GaugeMetricFamily(_PREFIX + "source_state", "1 for the state it is in", labels=[*labels, "state"])
        silent = GaugeMetricFamily(_PREFIX + "source_silent_seconds", "Time since the last reading", labels=labels)
        readings = CounterMetricFamily(_PREFIX + "source_readings", "Readings delivered", labels=labels)
        rejected = CounterMetricFamily(_PREFIX + "source_rejected", "Things refused", labels=labels)
        reconnects = CounterMetricFamily(_PREFIX + "source_reconnects", "Times it came back", labels=labels)
        for s in self._all_sources(now):
            names = [s.name, s.connector]
            for each in SourceState:
                state.add_metric([*names, each.value], float(s.state is each))
            if s.last_reading_at is not None:
                silent.add_metric(names, max(0.0, (now - s.last_reading_at) / 1e6))
            readings.add_metric(names, s.readings)
            rejected.add_metric(names, s.rejected)
            reconnects.add_metric(names, s.reconnects)
        yield from (state, silent, readings, rejected, reconnects)

    def _all_sources(self, now: int) -> list[SourceStatus]:
        return [*self._parts.sources.statuses(), *self._instruments.gateways.statuses(now)]

    def _judged(self) -> Iterable[Metric]:
        counts = Counter(a.status.state for a in self._parts.alarms.find(None, None, None))
        alarms = GaugeMetricFamily(_PREFIX + "alarms", "Alarms by state, normal ones left out", labels=["state"])
        for state in list(AlarmState)[1:]:
            alarms.add_metric([state.value], counts.get(state, 0))
        yield alarms
        yield _gauge("anomalies_ongoing", "Findings that still last", len(self._parts.anomalies.open_episodes()))
