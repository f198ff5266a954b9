"""Data messages on their way: put in order one by one, read together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from google.protobuf.message import DecodeError

from forewarn.domain.conditions import ConditionCode
from forewarn.plugins.connectors.sparkplug.address import Origin
from forewarn.plugins.connectors.sparkplug.batch import Batch
from forewarn.plugins.connectors.sparkplug.messages import Payload
from forewarn.plugins.connectors.sparkplug.metrics import MetricTable, Read
from forewarn.plugins.connectors.sparkplug.wire import Scanned, walk

Report = Callable[[Origin, Read, Batch], None]


@dataclass(frozen=True, slots=True)
class Later:
    """A data message, to be read by `table`. report: what to do with what it said."""

    origin: Origin
    raw: bytes
    scanned: Scanned | None
    received_us: int
    table: MetricTable
    report: Report


def flush(batch: Batch) -> None:
    """Read what waits. The messages of one table stay in order, and no signal is in two."""
    waiting, batch.later = batch.later, []
    of: dict[MetricTable, list[Later]] = {}
    for each in waiting:
        of.setdefault(each.table, []).append(each)
    for table, messages in of.items():
        if _read_together(table, messages, batch):
            continue
        for each in messages:
            if not _read_together(table, [each], batch):
                _read_alone(each, batch)


def _read_together(table: MetricTable, messages: Sequence[Later], batch: Batch) -> bool:
    """False, with nothing done, when they are not all of the common kind."""
    scanned = [each.scanned for each in messages if each.scanned is not None]
    if len(scanned) < len(messages) or scanned[0].is_named(messages[0].raw):
        return False
    counts = [len(each.start) for each in scanned]
    offset = np.repeat([0, *accumulate(len(each.raw) for each in messages[:-1])], counts)
    start = np.array([at for each in scanned for at in each.start], np.int64) + offset
    end = np.array([at for each in scanned for at in each.end], np.int64) + offset
    walked = walk(b"".join(each.raw for each in messages), start, end)
    if walked is None:
        return False
    shared = [one.at_ms or each.received_us // 1_000 for one, each in zip(scanned, messages, strict=True)]
    read = table.read_walked(walked, np.repeat(np.array(shared, np.uint64), counts))
    messages[-1].report(messages[-1].origin, read, batch)
    return True


def _read_alone(message: Later, batch: Batch) -> None:
    try:
        read = message.table.read(Payload.FromString(message.raw), message.received_us)
    except (DecodeError, UnicodeDecodeError) as error:
        text = f"data of {message.origin} is no Sparkplug B payload: {error}"
        batch.reject(1, text, ConditionCode.NONSENSE)
    else:
        message.report(message.origin, read, batch)
