"""Modbus server on libmodbus, the C library that most devices' and tools' makers use, by ctypes.

python libmodbus_server.py PORT|DEVICE [JSON]   - a TCP port or a serial device; prints READY when it serves.

JSON may hold: holding, input, coil, discrete: {first register: [contents]}; a register holds its own number, a bit
whether it is a multiple of three, where nothing is said. unit, baudrate, parity: of a serial device (1, 19200, N).
holes: [[table, first, end]] answered with exception 2, until `patience` requests were answered.
exception: code that answers everything. fail: {unit: code}. mute: [units never answered]. slow: {unit: seconds}.
limit: most registers that one answer holds (exception 3).
"""

import ctypes
import ctypes.util
import json
import select
import socket
import sys
import time
from collections.abc import Iterator

RTU_MAX_ADU = 256
TCP_MAX_ADU = 260
SIZE = 65536
TABLE_OF = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}


class Mapping(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_int) for name in ("nb_bits", "start_bits", "nb_input_bits", "start_input_bits")],
        *[(name, ctypes.c_int) for name in ("nb_input_registers", "start_input_registers")],
        *[(name, ctypes.c_int) for name in ("nb_registers", "start_registers")],
        ("coil", ctypes.POINTER(ctypes.c_uint8)),
        ("discrete", ctypes.POINTER(ctypes.c_uint8)),
        ("input", ctypes.POINTER(ctypes.c_uint16)),
        ("holding", ctypes.POINTER(ctypes.c_uint16)),
    ]


def library() -> ctypes.CDLL:
    lib = ctypes.CDLL("libmodbus.so.5")
    lib.modbus_new_tcp.restype = lib.modbus_new_rtu.restype = ctypes.c_void_p
    lib.modbus_mapping_new.restype = ctypes.POINTER(Mapping)
    return lib


class Server:
    def __init__(self, told: dict) -> None:
        self.lib = library()
        self.told = told
        self.asked = 0
        self.mapping = self.lib.modbus_mapping_new(SIZE, SIZE, SIZE, SIZE)
        tables = self.mapping.contents
        for register in range(SIZE):
            tables.holding[register] = tables.input[register] = register
            tables.coil[register] = tables.discrete[register] = register % 3 == 0
        for table in TABLE_OF.values():
            for first, contents in told.get(table, {}).items():
                for register, content in enumerate(contents, int(first)):
                    getattr(tables, table)[register] = content
        self.query = (ctypes.c_uint8 * TCP_MAX_ADU)()

    def refusal(self, unit: int, function: int, start: int, count: int) -> int:
        """Exception code, 0 for none."""
        if code := self.told.get("exception", self.told.get("fail", {}).get(str(unit), 0)):
            return code
        self.asked += 1
        for table, first, end in self.told.get("holes", []) if self.asked <= self.told.get("patience", 1e9) else []:
            if TABLE_OF.get(function) == table and start < end and start + count > first:
                return 2
        return 3 if function in (3, 4) and count > self.told.get("limit", 125) else 0

    def answer(self, ctx: ctypes.c_void_p, header: int) -> bool:
        """One request; False when the connection is over."""
        length = self.lib.modbus_receive(ctx, self.query)
        if length < 0:
            return False
        if length == 0:
            return True
        unit, function = self.query[header - 1], self.query[header]
        start, count = (self.query[at] << 8 | self.query[at + 1] for at in (header + 1, header + 3))
        if unit in self.told.get("mute", []):
            return True
        if wait_s := self.told.get("slow", {}).get(str(unit)):
            time.sleep(wait_s)
        if code := self.refusal(unit, function, start, count):
            return self.lib.modbus_reply_exception(ctx, self.query, code) >= 0
        return self.lib.modbus_reply(ctx, self.query, length, self.mapping) >= 0


def serve_tcp(server: Server, port: int) -> None:
    lib = server.lib
    ctx = ctypes.c_void_p(lib.modbus_new_tcp(b"127.0.0.1", port))
    listener = lib.modbus_tcp_listen(ctx, 8)
    assert listener >= 0, "cannot listen"
    print("READY", flush=True)
    for fd in ready(listener):
        if fd == listener:
            peer = ctypes.c_int(listener)
            CONNECTIONS.append(lib.modbus_tcp_accept(ctx, ctypes.byref(peer)))
            continue
        lib.modbus_set_socket(ctx, fd)
        if not server.answer(ctx, 7):
            CONNECTIONS.remove(fd)
            socket.socket(fileno=fd).close()


CONNECTIONS: list[int] = []


def ready(listener: int) -> Iterator[int]:
    while True:
        yield from select.select([listener, *CONNECTIONS], [], [])[0]


def serve_rtu(server: Server, device: str) -> None:
    lib, told = server.lib, server.told
    ctx = ctypes.c_void_p(
        lib.modbus_new_rtu(
            device.encode(), told.get("baudrate", 19200), ctypes.c_char(told.get("parity", "N").encode()), 8, 1
        )
    )
    lib.modbus_set_slave(ctx, told.get("unit", 1))
    assert lib.modbus_connect(ctx) == 0, f"cannot open {device}"
    print("READY", flush=True)
    while True:
        server.answer(ctx, 1)


if __name__ == "__main__":
    settings = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    if sys.argv[1].isdigit():
        serve_tcp(Server(settings), int(sys.argv[1]))
    serve_rtu(Server(settings), sys.argv[1])
