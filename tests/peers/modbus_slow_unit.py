"""Modbus TCP server, written out by hand, that answers unit 1 and never unit 7 (a dead slave behind a gateway).

python modbus_slow_unit.py PORT   - prints READY when it listens. A register holds its own number.
"""

import asyncio
import struct
import sys


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            tid, _, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
            function, start, count = struct.unpack(">BHH", await reader.readexactly(length - 1))
            if unit == 7:
                continue
            words = struct.pack(f">{count}H", *range(start, start + count))
            body = struct.pack(">BBB", unit, function, len(words)) + words
            writer.write(struct.pack(">HHH", tid, 0, len(body)) + body)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    print("READY", flush=True)
    await server.serve_forever()


asyncio.run(main())
