"""A PublishResponse (OPC UA Part 4, 5.14.5) read into columns; what is unusual goes through the library's decoder."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uatypes import datetime_to_win_epoch

from forewarn.plugins.connectors.opcua.columns import Items, decode_items, status_without_value

_DATA_CHANGE: Final = ObjectIds.DataChangeNotification_Encoding_DefaultBinary


@dataclass(frozen=True, slots=True, eq=False)
class Refused:
    """A notification whose value is no number. `value_type`: the OPC UA type's name."""

    handle: int
    value_type: str


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """One answer to a publish request. A keepalive carries no items. closed: the server ended the subscription."""

    subscription: int
    sequence: int
    items: tuple[Items, ...] = ()
    refused: tuple[Refused, ...] = ()
    notifications: int = 0
    closed: str = ""


class _Unusual(Exception):
    """Not of the layout read here."""


def decode_publish(data: bytes) -> Published:
    """`data` starts at the response's type id. Raises UaError (a bad service result, a broken message)."""
    try:
        return _decode_fast(data)
    except (_Unusual, struct.error, IndexError):
        return _decode_slow(data)


def _decode_fast(data: bytes) -> Published:
    at = _skip_header(data)
    subscription, sequences = struct.unpack_from("<Ii", data, at)
    at += 8 + 4 * max(sequences, 0) + 1  # + moreNotifications
    sequence, _, notifications = struct.unpack_from("<Iqi", data, at)
    at += 16
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
    return Published(subscription, sequence, tuple(items), notifications=max(notifications, 0))


def _skip_header(data: bytes) -> int:
    """Offset behind TypeId and ResponseHeader (Part 6, 5.2.2.9 and Part 4, 7.34)."""
    if data[0] not in (0, 1):
        raise _Unusual
    at = 2 if data[0] == 0 else 4
    _, _, result, diagnostics = struct.unpack_from("<qIIB", data, at)
    strings, additional = struct.unpack_from("<i3s", data, at + 17)
    if result or diagnostics or strings > 0 or additional != b"\0\0\0":
        raise _Unusual
    return at + 24


def _decode_slow(data: bytes) -> Published:
    response = struct_from_binary(ua.PublishResponse, Buffer(data))
    response.ResponseHeader.ServiceResult.check()
    parameters = response.Parameters
    message = parameters.NotificationMessage
    items: list[Items] = []
    refused: list[Refused] = []
    closed = ""
    for notification in message.NotificationData or ():
        if isinstance(notification, ua.DataChangeNotification):
            found, odd = _from_library(notification.MonitoredItems or ())
            items.append(found)
            refused += odd
        elif isinstance(notification, ua.StatusChangeNotification):
            closed = notification.Status.name
    count = len(message.NotificationData or ())
    return Published(parameters.SubscriptionId, message.SequenceNumber, tuple(items), tuple(refused), count, closed)


def _from_library(changes: Sequence[ua.MonitoredItemNotification]) -> tuple[Items, list[Refused]]:
    rows, refused = [], []
    for change in changes:
        data_value = change.Value
        variant = data_value.Value
        value = variant.Value if variant is not None else None
        if value is not None and not isinstance(value, bool | int | float):
            kind = variant.VariantType.name + (" array" if isinstance(value, list) else "")
            refused.append(Refused(change.ClientHandle, kind))
            continue
        status = data_value.StatusCode.value if data_value.StatusCode is not None else 0
        number = np.nan if value is None else float(value)
        status = status_without_value(status) if value is None else status
        rows.append(
            (
                change.ClientHandle,
                number,
                status,
                _ticks(data_value.SourceTimestamp),
                _ticks(data_value.ServerTimestamp),
            )
        )
    handle, value_, status_, source, server = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    items = Items(
        np.array(handle, np.uint32),
        np.array(value_, np.float64),
        np.array(status_, np.uint32),
        np.array(source, np.int64),
        np.array(server, np.int64),
    )
    return items, refused


def _ticks(moment: datetime | None) -> int:
    return 0 if moment is None else datetime_to_win_epoch(moment)
