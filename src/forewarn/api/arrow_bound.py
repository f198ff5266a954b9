"""How much memory an Arrow IPC message will ask for once its buffers are decompressed.

An IPC body may compress each buffer by itself; pyarrow has no bound for what comes out. The sizes lie in the
message (first 8 bytes of every compressed buffer), so they are read before the batch is.
Layout: Arrow columnar format, "Encapsulated message format" and Message.fbs; flatbuffers are read by hand.
"""

import struct
from typing import Final

_DICTIONARY_BATCH: Final = 2
_RECORD_BATCH: Final = 3


def decompressed_size(metadata: memoryview, body: memoryview) -> int:
    """Bytes all buffers of the message take in memory; 0 for a schema. Raises ValueError for broken metadata."""
    try:
        return _size(metadata, body)
    except (struct.error, IndexError) as error:
        raise ValueError(f"the message's metadata is broken: {error}") from None


def _size(metadata: memoryview, body: memoryview) -> int:
    message = _u32(metadata, 0)
    kind_at, header_at = _field(metadata, message, 1), _field(metadata, message, 2)
    if kind_at is None or header_at is None:
        return 0
    kind, header = metadata[kind_at], _follow(metadata, header_at)
    if kind == _DICTIONARY_BATCH:
        data_at = _field(metadata, header, 1)
        if data_at is None:
            return 0
        header = _follow(metadata, data_at)
    elif kind != _RECORD_BATCH:
        return 0
    if _field(metadata, header, 3) is None:
        return len(body)
    buffers_at = _field(metadata, header, 2)
    return 0 if buffers_at is None else _sum_of_buffers(metadata, _follow(metadata, buffers_at), body)


def _sum_of_buffers(metadata: memoryview, vector: int, body: memoryview) -> int:
    total = 0
    for i in range(_u32(metadata, vector)):
        offset, length = struct.unpack_from("<qq", metadata, vector + 4 + 16 * i)
        if length == 0:
            continue
        if offset < 0 or length < 8 or offset + length > len(body):
            raise ValueError(f"buffer {i} lies outside of the message's body")
        (plain,) = struct.unpack_from("<q", body, offset)
        total += length if plain == -1 else max(0, plain)
    return total


def _u32(data: memoryview, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])


def _follow(data: memoryview, at: int) -> int:
    return at + _u32(data, at)


def _field(data: memoryview, table: int, index: int) -> int | None:
    """Where field `index` of a flatbuffer table lies; None when it is absent."""
    vtable = table - int(struct.unpack_from("<i", data, table)[0])
    slot = 4 + 2 * index
    if vtable < 0 or slot + 2 > int(struct.unpack_from("<H", data, vtable)[0]):
        return None
    offset = int(struct.unpack_from("<H", data, vtable + slot)[0])
    return table + offset if offset else None
