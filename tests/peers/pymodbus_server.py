"""Modbus TCP server on pymodbus: floats in several orders from holding register 10 on.

python pymodbus_server.py PORT   - prints READY when it listens.
"""

import asyncio
import sys

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

FLOATS = [0x4148, 0x0000, 0x0000, 0xC010, 0x4009, 0x21FB, 0x5444, 0x2D18, 0x7FC0, 0x0000]


async def main() -> None:
    device = SimDevice(id=1, simdata=[SimData(10, values=FLOATS, datatype=DataType.REGISTERS)])
    server = ModbusTcpServer(device, address=("127.0.0.1", int(sys.argv[1])))
    await server.serve_forever(background=True)
    print("READY", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
