"""What stands on a port where no OPC UA conversation comes about (OPC UA Part 6, 7.1)."""

import asyncio
import struct
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

_BUFFER: Final = 65_535
_KNOWN: Final = (b"ACK", b"ERR", b"RHE", b"HEL", b"OPN", b"MSG", b"CLO")
_PORT: Final = 4840
_SHOWN: Final = 40


async def strange_answer(url: str, timeout_s: float) -> str | None:
    """The beginning of what answers a Hello there, if no OPC UA server would say that; None if one would, or if
    nothing answers within `timeout_s`."""
    place = urlsplit(url)
    said = b""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(place.hostname, place.port or _PORT)
            try:
                writer.write(_hello(url))
                while len(said) < len(_KNOWN[0]) and (more := await reader.read(_SHOWN)):
                    said += more
            finally:
                writer.transport.abort()
    return None if not said or said.startswith(_KNOWN) else repr(said[:_SHOWN])[1:]


def _hello(url: str) -> bytes:
    endpoint = url.encode()
    body = struct.pack("<5Ii", 0, _BUFFER, _BUFFER, 0, 0, len(endpoint)) + endpoint
    return b"HELF" + struct.pack("<I", 8 + len(body)) + body
