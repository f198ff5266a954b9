"""Reading a request's body with a bound, as sent and decompressed."""

import zlib
from typing import Final

import anyio.to_thread
import zstandard
from fastapi import Request

from forewarn.api.problems import BodyTooLarge, UnsupportedMedia
from forewarn.domain.errors import InvalidInput

_GZIP: Final = 31
_WINDOW: Final = 1 << 23
_SLICE: Final = 512
_GZIP_SLICE: Final = 1 << 16
_MOST_MEMBERS: Final = 1_000
# Above this the event loop does not wait for it.
_LARGE: Final = 1 << 16
_ENCODINGS: Final = ("", "identity", "gzip", "zstd")


async def read_body(request: Request, limit: int) -> bytes:
    """The body, decompressed after its Content-Encoding. Raises BodyTooLarge, UnsupportedMedia, InvalidInput."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in _ENCODINGS:
        raise UnsupportedMedia(f"Content-Encoding {encoding!r} is not understood; send gzip, zstd or none")
    body = await read_as_sent(request, limit)
    if encoding in ("gzip", "zstd") and len(body) > _LARGE:
        return await anyio.to_thread.run_sync(decompress, body, encoding, limit)
    return decompress(body, encoding, limit)


async def read_as_sent(request: Request, limit: int) -> bytes:
    """The body as it came. Raises BodyTooLarge."""
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """`body` decoded. Raises InvalidInput for a broken or cut stream, BodyTooLarge above `limit` bytes."""
    if encoding == "gzip":
        return _gunzip(body, limit)
    if encoding == "zstd":
        return _unzstd(body, limit)
    return body


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body is larger than {limit:,} bytes (as sent or decompressed); send smaller batches")


def _too_many() -> InvalidInput:
    return InvalidInput(f"the body is more than {_MOST_MEMBERS:,} compressed pieces; send it as one", field="body")


def _gunzip(body: bytes, limit: int) -> bytes:
    plain: list[bytes] = []
    left = limit
    rest = memoryview(body)
    for _ in range(_MOST_MEMBERS):
        member = zlib.decompressobj(_GZIP)
        while rest and not member.eof:
            piece = rest[:_GZIP_SLICE]  # what follows a member is copied, so little is offered at a time
            try:
                part = member.decompress(piece, left + 1)
            except zlib.error as error:
                raise InvalidInput(f"the gzip body is broken: {error}", field="body") from None
            left -= len(part)
            if left < 0:
                raise _too_large(limit)
            plain.append(part)
            rest = rest[len(piece) - len(member.unused_data) :]
        if not member.eof:
            raise InvalidInput("the gzip body ends before its stream does", field="body")
        if not rest:
            return b"".join(plain)
    raise _too_many()


def _unzstd(body: bytes, limit: int) -> bytes:
    # One slice of 512 bytes can swell to 16 MiB at the most (a block of 128 KiB takes 4 bytes), so the bound is
    # checked before memory is gone. stream_reader has a bound of its own but takes a cut frame for its end.
    plain: list[bytes] = []
    left = limit
    frame = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()
    rest = memoryview(body)
    frames = 1
    try:
        while rest:
            part = frame.decompress(rest[:_SLICE])
            left -= len(part)
            if left < 0:
                raise _too_large(limit)
            plain.append(part)
            unused = len(frame.unused_data) if frame.eof else 0
            rest = rest[min(_SLICE, len(rest)) - unused :]
            if frame.eof and rest:
                frames += 1
                if frames > _MOST_MEMBERS:
                    raise _too_many()
                frame = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()
    except zstandard.ZstdError as error:
        raise InvalidInput(f"the zstd body is broken: {error}", field="body") from None
    if not frame.eof:
        raise InvalidInput("the zstd body ends before its stream does", field="body")
    return b"".join(plain)
