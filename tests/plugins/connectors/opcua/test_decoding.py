"""The column decoder against the library's own, and against bytes laid out by hand from the specification."""

import struct
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from forewarn.plugins.connectors.opcua.columns import decode_items
from forewarn.plugins.connectors.opcua.feed import to_microseconds
from forewarn.plugins.connectors.opcua.publish import Published, decode_publish

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BAD_NO_DATA = 0x809B0000
INTEGERS = {
    ua.VariantType.SByte: (-(2**7), 2**7 - 1),
    ua.VariantType.Byte: (0, 2**8 - 1),
    ua.VariantType.Int16: (-(2**15), 2**15 - 1),
    ua.VariantType.UInt16: (0, 2**16 - 1),
    ua.VariantType.Int32: (-(2**31), 2**31 - 1),
    ua.VariantType.UInt32: (0, 2**32 - 1),
    ua.VariantType.Int64: (-(2**63), 2**63 - 1),
    ua.VariantType.UInt64: (0, 2**64 - 1),
}


def numbers() -> st.SearchStrategy[ua.Variant]:
    kinds = [st.integers(*bounds).map(lambda v, k=kind: ua.Variant(v, k)) for kind, bounds in INTEGERS.items()]
    kinds.append(st.booleans().map(lambda v: ua.Variant(v, ua.VariantType.Boolean)))
    kinds.append(st.floats().map(lambda v: ua.Variant(v, ua.VariantType.Double)))
    kinds.append(st.floats(width=32).map(lambda v: ua.Variant(v, ua.VariantType.Float)))
    return st.one_of(kinds)


def oddities() -> st.SearchStrategy[ua.Variant]:
    return st.one_of(
        st.text(max_size=5).map(lambda v: ua.Variant(v, ua.VariantType.String)),
        st.lists(st.floats(), min_size=1, max_size=3).map(lambda v: ua.Variant(v, ua.VariantType.Double)),
        st.just(ua.Variant(EPOCH, ua.VariantType.DateTime)),
    )


moments = st.none() | st.integers(1, 4_000_000_000_000_000).map(lambda us: EPOCH + timedelta(microseconds=us))


def notifications(values: st.SearchStrategy[ua.Variant]) -> st.SearchStrategy[ua.MonitoredItemNotification]:
    def build(handle, value, status, source, server):
        data_value = ua.DataValue(
            Value=value, StatusCode=ua.StatusCode(status), SourceTimestamp=source, ServerTimestamp=server
        )
        return ua.MonitoredItemNotification(ClientHandle=handle, Value=data_value)

    status = st.sampled_from([0, 0x40000000, 0x80310000, 0x808C0000, 0x00000480]) | st.integers(0, 2**32 - 1)
    return st.builds(build, st.integers(0, 2**32 - 1), values, status, moments, moments)


def encode(*groups: list[ua.MonitoredItemNotification], sequence: int = 7) -> bytes:
    response = ua.PublishResponse()
    response.Parameters.SubscriptionId = 5
    response.Parameters.AvailableSequenceNumbers = [sequence]
    response.Parameters.NotificationMessage.SequenceNumber = sequence
    response.Parameters.NotificationMessage.NotificationData = [
        ua.DataChangeNotification(MonitoredItems=items) for items in groups
    ]
    return struct_to_binary(response)


def by_library(data: bytes) -> list[tuple[int, float, int, int, int]]:
    """(handle, value, status, source us, server us) as asyncua reads them."""
    rows = []
    for group in struct_from_binary(ua.PublishResponse, Buffer(data)).Parameters.NotificationMessage.NotificationData:
        for item in group.MonitoredItems or []:
            value = item.Value.Value.Value if item.Value.Value is not None else None
            times = [
                0 if t is None else (t.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
                for t in (item.Value.SourceTimestamp, item.Value.ServerTimestamp)
            ]
            status = item.Value.StatusCode.value if item.Value.StatusCode else 0
            rows.append((item.ClientHandle, value, status, *times))
    return rows


def by_us(published: Published) -> list[tuple[int, float, int, int, int]]:
    zero = np.int64(0)
    return [
        (int(h), float(v), int(s), int(to_microseconds(src, zero, 0)), int(to_microseconds(srv, zero, 0)))
        for part in published.items
        for h, v, s, src, srv in zip(part.handle, part.value, part.status, part.source, part.server, strict=True)
    ]


def same(ours, theirs) -> bool:
    number = float(theirs[1])
    return ours[0] == theirs[0] and ours[2:] == theirs[2:] and (ours[1] == number or np.isnan([ours[1], number]).all())


@given(st.lists(st.lists(notifications(numbers()), min_size=1, max_size=8), max_size=3))
def test_numbers_are_read_as_the_library_reads_them(groups):
    data = encode(*groups)
    published = decode_publish(data)
    theirs = by_library(data)
    ours = by_us(published)
    assert (published.subscription, published.sequence, published.notifications) == (5, 7, len(groups))
    assert len(ours) == len(theirs)
    assert all(same(a, b) for a, b in zip(ours, theirs, strict=True))


@given(st.lists(notifications(st.one_of(numbers(), oddities())), min_size=1, max_size=8))
def test_what_is_no_number_is_named_and_the_rest_is_kept(items):
    published = decode_publish(encode(items))
    odd = [item.ClientHandle for item in items if isinstance(item.Value.Value.Value, str | list | datetime)]
    assert [refusal.handle for refusal in published.refused] == odd
    assert sum(len(part.handle) for part in published.items) == len(items) - len(odd)


@given(notifications(numbers()), st.integers(2, 50))
def test_one_layout_repeated(item, times):
    ours = by_us(decode_publish(encode([item] * times)))
    assert len(ours) == times
    assert all(row[0] == ours[0][0] and row[2:] == ours[0][2:] for row in ours)


@given(st.lists(notifications(numbers()), min_size=1, max_size=4), st.data())
def test_cut_short_never_gives_readings(items, data):
    message = encode(items)
    cut = message[: data.draw(st.integers(0, len(message) - 1))]
    published = None
    with suppress(ua.UaError, ValueError, TypeError, IndexError, struct.error):
        published = decode_publish(cut)
    # The library forgives a missing tail (diagnostics); what was read must then be true.
    assert published is None or sum(len(part.handle) for part in published.items) in (0, len(items))


@pytest.mark.parametrize("kind", ["uniform", "mixed"])
def test_picoseconds_by_the_specification(kind):
    """Part 6, 5.2.2.17: each timestamp is followed by its own picoseconds."""
    full = struct.pack("<IBBdIqHqH", 3, 0b111111, 11, 1.5, 0x40000000, 1000, 1, 2000, 2)
    bare = struct.pack("<IBBd", 4, 0b1, 11, 2.5)
    data, n = (full * 2, 2) if kind == "uniform" else (full + bare, 2)
    decoded = decode_items(data, 0, n)
    assert decoded is not None
    items, end = decoded
    assert end == len(data)
    assert (items.handle[0], items.value[0], items.status[0], items.source[0], items.server[0]) == (
        3,
        1.5,
        0x40000000,
        1000,
        2000,
    )


@pytest.mark.parametrize(("sent", "kept"), [(0, BAD_NO_DATA), (0x40000000, BAD_NO_DATA), (0x80310000, 0x80310000)])
@pytest.mark.parametrize("neighbour", [b"", struct.pack("<IBBd", 4, 0b1, 11, 2.5)])
def test_no_value_is_never_good(sent, kept, neighbour):
    items, _ = decode_items(struct.pack("<IBI", 3, 0b10, sent) + neighbour, 0, 2 if neighbour else 1)
    assert items.status[0] == kept
    assert np.isnan(items.value[0])


def test_times_fall_back_to_the_server_and_then_to_reception():
    tick = 116_444_736_000_000_000
    source = np.array([tick + 10, 0, 0])
    server = np.array([tick + 20, tick + 20, 0])
    assert to_microseconds(source, server, 99).tolist() == [1, 2, 99]


def test_a_service_fault_is_raised():
    response = ua.PublishResponse()
    response.ResponseHeader.ServiceResult = ua.StatusCode(ua.StatusCodes.BadNoSubscription)
    with pytest.raises(ua.UaStatusCodeError, match="BadNoSubscription"):
        decode_publish(struct_to_binary(response))


def test_a_keepalive_carries_nothing():
    published = decode_publish(encode())
    assert (published.items, published.notifications, published.closed) == ((), 0, "")


def test_the_end_of_a_subscription_is_told():
    response = ua.PublishResponse()
    response.Parameters.NotificationMessage.NotificationData = [
        ua.StatusChangeNotification(Status=ua.StatusCode(ua.StatusCodes.BadTimeout))
    ]
    assert decode_publish(struct_to_binary(response)).closed == "BadTimeout"
