"""A device on a Modbus TCP port that answers what no Modbus device may: another kind of nonsense each time.

python modbus_nonsense.py PORT   - prints READY when it listens."""

import asyncio
import itertools
import os
import sys

HEADER = 7


def wrong_transaction(asked: bytes) -> bytes:
    return bytes([asked[0] ^ 0xFF]) + asked[1:6] + asked[6:]


def wrong_length(asked: bytes) -> bytes:
    return asked[:4] + (3).to_bytes(2, "big") + asked[6:8] + b"\xfa"


def wrong_function(asked: bytes) -> bytes:
    return asked[:4] + (5).to_bytes(2, "big") + asked[6:7] + b"\x2b\x02\x00\x07"


def unknown_exception(asked: bytes) -> bytes:
    return asked[:4] + (3).to_bytes(2, "big") + asked[6:7] + bytes([asked[7] | 0x80, 99])


def garbage(asked: bytes) -> bytes:
    return os.urandom(300)


def web_server(asked: bytes) -> bytes:
    return b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"


KINDS = itertools.cycle([wrong_transaction, wrong_length, wrong_function, unknown_exception, garbage, web_server])


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while header := await reader.read(HEADER):
            asked = header + await reader.read(256) if len(header) == HEADER else header
            writer.write(next(KINDS)(asked.ljust(12, b"\0")))
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", int(sys.argv[1]))
    print("READY", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
