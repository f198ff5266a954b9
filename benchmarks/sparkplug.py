"""What Sparkplug metrics cost: from the bytes of a message to columns of our signals, in one core.

Run: `python -m benchmarks.sparkplug [--quick]`. The host application as it is, without broker and disk.
"""

import sys
import time

import numpy as np

from forewarn.domain.assets import Signal
from forewarn.plugins.connectors.sparkplug.batch import Batch
from forewarn.plugins.connectors.sparkplug.host import Host
from forewarn.plugins.connectors.sparkplug.messages import Payload
from forewarn.plugins.connectors.sparkplug.settings import SparkplugSettings

FOR_S = 0.5 if "--quick" in sys.argv else 2.0
GATHERED = 32  # messages that share a batch, as in 20 ms of 1,600 a second
T0 = 1_700_000_000_000
# name, data type, field, value
KINDS = (
    ("Double", 10, "double_value", 1480.25),
    ("Float", 9, "float_value", 1.5),
    ("Int16", 2, "int_value", 0xFFFFFF00),
    ("Int64", 4, "long_value", 2**64 - 5),
    ("Boolean", 11, "boolean_value", True),
)


def messages(metrics: int, mixed: bool, named: bool) -> tuple[bytes, list[bytes]]:
    """A birth, and 256 data messages after it."""
    kinds = [KINDS[i % len(KINDS)] if mixed else KINDS[0] for i in range(metrics)]
    birth = Payload(seq=255, timestamp=T0)
    for i, (_, datatype, field, value) in enumerate(kinds):
        birth.metrics.add(name=f"Line/Machine/signal {i}", alias=i + 1, datatype=datatype, **{field: value})
    told = []
    for seq in range(256):
        data = Payload(seq=seq, timestamp=T0 + seq)
        for i, (_, datatype, field, value) in enumerate(kinds):
            who = {"name": f"Line/Machine/signal {i}"} if named else {"alias": i + 1}
            data.metrics.add(timestamp=T0 + seq, datatype=datatype, **who, **{field: value})
        told.append(data.SerializeToString())
    return birth.SerializeToString(), told


def measure(title: str, metrics: int, *, mixed: bool = False, named: bool = False) -> None:
    signals = [
        Signal(f"s{i}", "a", f"s{i}", "other", "1", key=i + 1, address=f"g/n/d/Line/Machine/signal {i}")
        for i in range(metrics)
    ]
    host = Host(signals, SparkplugSettings(host="h"))
    birth, told = messages(metrics, mixed, named)
    host.take("spBv1.0/g/NBIRTH/n", Payload(seq=254, timestamp=T0).SerializeToString(), 0, 0.0, Batch())
    host.take("spBv1.0/g/DBIRTH/n/d", birth, 0, 0.0, Batch())
    readings, cpu = 0, time.process_time()
    while time.process_time() - cpu < FOR_S:
        batch = Batch()
        for number, raw in enumerate(told, start=1):
            host.take("spBv1.0/g/DDATA/n/d", raw, 0, 0.0, batch)
            if number % GATHERED == 0:
                host.settle(batch)
                signal, *_ = batch.columns()
                assert not batch.rejections
                readings += len(signal)
                batch = Batch()
    each = (time.process_time() - cpu) / readings
    size = np.mean([len(raw) for raw in told]) / metrics
    print(f"Sparkplug decode, {title:48s} {1 / each:12,.0f} metrics/s a core  {size:5.1f} bytes each")


if __name__ == "__main__":
    measure("100 doubles a message, by alias", 100)
    measure("1,000 doubles a message, by alias", 1_000)
    measure("100 of five types a message, by alias", 100, mixed=True)
    measure("100 doubles a message, by name", 100, named=True)
    measure("10 doubles a message, by alias", 10)
