"""An edge node's messages made by hand, and a host that hears them."""

from collections.abc import Sequence
from typing import Any

from forewarn.domain.assets import Signal
from forewarn.plugins.connectors.sparkplug.batch import Batch
from forewarn.plugins.connectors.sparkplug.host import Host
from forewarn.plugins.connectors.sparkplug.messages import Payload
from forewarn.plugins.connectors.sparkplug.settings import SparkplugSettings
from tests.plugins.connectors.recording import signals_at

T0 = 1_700_000_000_000  # milliseconds
NOW = 1_800_000_000_000_000  # microseconds, our clock
DOUBLE, INT32 = 10, 3
STALE = 0x80310000


def payload(seq: int | None, metrics: Sequence[dict[str, Any]] = (), *, at: int | None = T0) -> bytes:
    made = Payload()
    if seq is not None:
        made.seq = seq
    if at is not None:
        made.timestamp = at
    for each in metrics:
        made.metrics.add(**each)
    return bytes(made.SerializeToString())


def double(value: float, *, at: int = 0, **more: Any) -> dict[str, Any]:
    return {"double_value": value, **({"timestamp": at} if at else {}), **more}


def bd_seq(number: int) -> dict[str, Any]:
    return {"name": "bdSeq", "datatype": 4, "long_value": number}


class Heard:
    """A host with signals at `addresses` (keys 1, 2, ...), and what came of what it heard."""

    def __init__(self, *addresses: str, **settings: Any) -> None:
        signals: list[Signal] = signals_at(*addresses)
        self.host = Host(signals, SparkplugSettings.model_validate({"host": "h", **settings}))
        self.rows: list[tuple[int, int, float, int]] = []
        self.rebirths: list[tuple[str, str]] = []
        self.rejections: list[str] = []
        self.now_s = 100.0
        self.now_us = NOW

    def start(self) -> "Heard":
        batch = Batch()
        self.host.start(self.now_s, batch)
        return self._keep(batch)

    def hear(self, topic: str, raw: bytes) -> "Heard":
        batch = Batch()
        self.host.take(f"spBv1.0/{topic}", raw, self.now_us, self.now_s, batch)
        return self._keep(batch)

    def after(self, seconds: float) -> "Heard":
        self.now_s += seconds
        self.now_us += int(seconds * 1e6)
        batch = Batch()
        self.host.tick(self.now_s, self.now_us, batch)
        return self._keep(batch)

    def _keep(self, batch: Batch) -> "Heard":
        self.host.settle(batch)
        self.rows += zip(*(column.tolist() for column in batch.columns()), strict=True)
        self.rebirths += batch.rebirths
        self.rejections += batch.examples.values()
        return self

    def values(self, key: int) -> list[float]:
        return [value for signal, _, value, quality in self.rows if signal == key and quality == 0]

    def stale(self, key: int) -> list[int]:
        """Times (microseconds) at which the signal was called stale."""
        return [time for signal, time, _, quality in self.rows if signal == key and quality == STALE]

    # the usual course of things

    def node_birth(self, seq: int = 0, bd: int = 1, volts: float = 230.0) -> "Heard":
        metrics = [bd_seq(bd), double(volts, name="volts", alias=1, datatype=DOUBLE)]
        return self.hear("g/NBIRTH/n", payload(seq, metrics))

    def device_birth(self, seq: int = 1, device: str = "d", alias: int = 2, speed: float = 1.0) -> "Heard":
        metrics = [double(speed, name="speed", alias=alias, datatype=DOUBLE)]
        return self.hear(f"g/DBIRTH/n/{device}", payload(seq, metrics))

    def data(self, seq: int, value: float, device: str = "d", alias: int = 2) -> "Heard":
        return self.hear(f"g/DDATA/n/{device}", payload(seq, [double(value, alias=alias)]))

    def born(self) -> "Heard":
        return self.node_birth().device_birth()
