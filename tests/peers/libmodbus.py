"""libmodbus servers and masters (Debian: libmodbus5, mbpoll, socat); tests say so where they are missing."""

import ctypes
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.peers.processes import HERE, Peer, find_program, wait_until


def _need_libmodbus() -> None:
    try:
        ctypes.CDLL("libmodbus.so.5")
    except OSError:
        pytest.skip("NOT RUN against libmodbus: it is not installed (Debian: apt install libmodbus5)")


def libmodbus_tcp(port: int, **contents: object) -> Peer:
    """contents: see libmodbus_server.py."""
    _need_libmodbus()
    command = [sys.executable, "-u", str(HERE / "libmodbus_server.py"), str(port), json.dumps(contents)]
    return Peer(command, port, ready="READY")


def libmodbus_rtu(device: Path, **contents: object) -> Peer:
    _need_libmodbus()
    command = [sys.executable, "-u", str(HERE / "libmodbus_server.py"), str(device), json.dumps(contents)]
    return Peer(command, 0, ready="READY")


@contextmanager
def serial_cable(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Its two ends."""
    ends = folder / "master", folder / "slave"
    socat = find_program("socat")
    if socat is None:
        pytest.skip("NOT RUN over a serial line: socat is not installed (Debian: apt install socat)")
    with subprocess.Popen([socat, *[f"pty,raw,echo=0,link={end}" for end in ends]]) as process:
        try:
            wait_until(lambda: all(end.exists() for end in ends), "the serial cable")
            yield ends
        finally:
            process.kill()


@contextmanager
def serial_line(folder: Path, units: int) -> Iterator[tuple[Path, list[Path]]]:
    """RS-485: the master's end, and one for each of the units; all units hear the master, the master hears all."""
    with ExitStack() as stack:
        command = [sys.executable, "-u", str(HERE / "serial_line.py"), str(folder), str(units)]
        stack.enter_context(Peer(command, 0, ready="READY"))
        yield folder / "master", [folder / f"unit{n}" for n in range(1, units + 1)]


class LibmodbusMaster:
    """libmodbus as a client; its calls block."""

    def __init__(self, port: int, unit: int = 1) -> None:
        _need_libmodbus()
        self._lib = ctypes.CDLL("libmodbus.so.5", use_errno=True)
        self._lib.modbus_new_tcp.restype = ctypes.c_void_p
        self._lib.modbus_strerror.restype = ctypes.c_char_p
        self._ctx = ctypes.c_void_p(self._lib.modbus_new_tcp(b"127.0.0.1", port))
        self._lib.modbus_set_slave(self._ctx, unit)
        if self._lib.modbus_connect(self._ctx):
            raise ConnectionError(self._error())

    def _error(self) -> str:
        return self._lib.modbus_strerror(ctypes.get_errno()).decode()

    def _read(self, function: str, kind: type, address: int, count: int) -> list[int]:
        found = (kind * count)()
        if getattr(self._lib, function)(self._ctx, address, count, found) != count:
            raise RuntimeError(self._error())
        return list(found)

    def input_registers(self, address: int, count: int) -> list[int]:
        return self._read("modbus_read_input_registers", ctypes.c_uint16, address, count)

    def discrete_inputs(self, address: int, count: int) -> list[int]:
        return self._read("modbus_read_input_bits", ctypes.c_uint8, address, count)

    def write_register(self, address: int, content: int) -> None:
        if self._lib.modbus_write_register(self._ctx, address, content) != 1:
            raise RuntimeError(self._error())

    def write_coil(self, address: int, content: bool) -> None:
        if self._lib.modbus_write_bit(self._ctx, address, content) != 1:
            raise RuntimeError(self._error())

    def close(self) -> None:
        self._lib.modbus_close(self._ctx)
        self._lib.modbus_free(self._ctx)


def mbpoll(port: int, *options: str) -> dict[int, str]:
    """What the independent master reads: register as asked with -0 (from zero) -> its text.

    Raises RuntimeError with what it says when the server refuses."""
    program = find_program("mbpoll")
    if program is None:
        pytest.skip("NOT RUN against mbpoll: it is not installed (Debian: apt install mbpoll)")
    command = [program, "-m", "tcp", "-p", str(port), "-0", "-1", "-o", "2", *options, "127.0.0.1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    if done.returncode or "failed" in done.stderr:
        raise RuntimeError(done.stdout + done.stderr)
    return {int(at): text for at, text in re.findall(r"^\[(\d+)\]:\s*(\S+)", done.stdout, re.MULTILINE)}
