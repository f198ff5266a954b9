"""A PublishResponse (OPC UA Part 4, 5.14.5) read into columns; what is unusual goes through the library's decoder."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uatypes import datetime_to_win_epoch

from forewarn.plugins.connectors.opcua.address import NoSuchPart, Step, pick
from forewarn.plugins.connectors.opcua.columns import Items, decode_items, status_without_value

_DATA_CHANGE: Final = ObjectIds.DataChangeNotification_Encoding_DefaultBinary
# Which parts of a node's value are asked for: (row of the signal, path), by client handle.
Parts = Mapping[int, Sequence[tuple[int, tuple[Step, ...]]]]


@dataclass(frozen=True, slots=True, eq=False)
class Refused:
    """A notification whose value is no number, or has no such part. why: for people."""

    handle: int
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """One answer to a publish request. A keepalive carries no items. closed: the server ended the subscription.
    more: it has more to tell than fits."""

    subscription: int
    sequence: int
    items: tuple[Items, ...] = ()
    refused: tuple[Refused, ...] = ()
    notifications: int = 0
    closed: str = ""
    more: bool = False


class _Unusual(ValueError):
    """Not of the layout read here."""


def decode_publish(data: bytes, parts: Parts | None = None) -> Published:
    """`data` starts at the response's type id. With `parts`, handles are rows of signals afterwards, and values are
    taken apart. Raises UaError (a bad service result, a broken message)."""
    try:
        return _decode_slow(data, parts) if parts else _decode_fast(data)
    except (_Unusual, struct.error, IndexError):
        return _decode_slow(data, parts)


def _decode_fast(data: bytes) -> Published:
    at = skip_header(data)
    subscription, sequences = struct.unpack_from("<Ii", data, at)
    at += 8 + 4 * max(sequences, 0)
    more, sequence, _, notifications = struct.unpack_from("<BIqi", data, at)
    at += 17
    items = []
    for _ in range(max(notifications, 0)):
        # ExtensionObject: four-byte node id in namespace 0, then a byte string.
        encoding, namespace, identifier, body = struct.unpack_from("<BBHB", data, at)
        if (encoding, namespace, identifier, body) != (1, 0, _DATA_CHANGE, 1):
            raise _Unusual
        length, n = struct.unpack_from("<ii", data, at + 5)
        decoded = decode_items(data, at + 13, n)
        if decoded is None:
            raise _Unusual
        found, end = decoded
        at += 9 + length
        # Diagnostic infos follow the items; a null or empty array is what everybody sends.
        if n < 0 or at - end != 4:
            raise _Unusual
        items.append(found)
    return Published(subscription, sequence, tuple(items), notifications=max(notifications, 0), more=bool(more))


def skip_header(data: bytes) -> int:
    """Offset behind TypeId and ResponseHeader (Part 6, 5.2.2.9 and Part 4, 7.34)."""
    if data[0] not in (0, 1):
        raise _Unusual
    at = 2 if data[0] == 0 else 4
    _, _, result, diagnostics = struct.unpack_from("<qIIB", data, at)
    strings, additional = struct.unpack_from("<i3s", data, at + 17)
    if result or diagnostics or strings > 0 or additional != b"\0\0\0":
        raise _Unusual
    return at + 24


def _decode_slow(data: bytes, parts: Parts | None = None) -> Published:
    response = struct_from_binary(ua.PublishResponse, Buffer(data))
    response.ResponseHeader.ServiceResult.check()
    parameters = response.Parameters
    message = parameters.NotificationMessage
    items: list[Items] = []
    refused: list[Refused] = []
    closed = ""
    for notification in message.NotificationData or ():
        if isinstance(notification, ua.DataChangeNotification):
            changes = [(change.ClientHandle, change.Value) for change in notification.MonitoredItems or ()]
            found, odd = from_library(changes, parts)
            items.append(found)
            refused += odd
        elif isinstance(notification, ua.StatusChangeNotification):
            closed = notification.Status.name
    return Published(
        parameters.SubscriptionId,
        message.SequenceNumber,
        tuple(items),
        tuple(refused),
        len(message.NotificationData or ()),
        closed,
        bool(parameters.MoreNotifications),
    )


def from_library(
    changes: Iterable[tuple[int, ua.DataValue]], parts: Parts | None = None
) -> tuple[Items, list[Refused]]:
    """(handle, value) as the library decoded them."""
    rows, refused = [], []
    for handle, data_value in changes:
        variant = data_value.Value
        value = variant.Value if variant is not None else None
        for row, part in (parts or {}).get(handle, ((handle, ()),)):
            try:
                number = np.nan if value is None else pick(value, part)
            except NoSuchPart as error:
                kind = (variant.VariantType.name if variant else "nothing") + (
                    " array" if isinstance(value, list) else ""
                )
                refused.append(Refused(row, str(error) if part else f"it is a {kind}, not a number"))
                continue
            rows.append((row, number, *_rest(data_value, value is None)))
    handle_, value_, status_, source, server = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    items = Items(
        np.array(handle_, np.uint32),
        np.array(value_, np.float64),
        np.array(status_, np.uint32),
        np.array(source, np.int64),
        np.array(server, np.int64),
    )
    return items, refused


def _rest(data_value: ua.DataValue, empty: bool) -> tuple[int, int, int]:
    """Status, source time and server time."""
    status = data_value.StatusCode.value if data_value.StatusCode is not None else 0
    status = status_without_value(status) if empty else status
    return status, _ticks(data_value.SourceTimestamp), _ticks(data_value.ServerTimestamp)


def _ticks(moment: datetime | None) -> int:
    return 0 if moment is None else datetime_to_win_epoch(moment)
