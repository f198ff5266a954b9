"""Requests and answers as bytes: Modbus TCP's header (Messaging on TCP/IP V1.0b, 3.1.3) and RTU's checksum (Serial
Line V1.02, 2.5.1)."""

import struct
from dataclasses import dataclass
from typing import Final, Protocol

from pymodbus.framer.rtu import FramerRTU

FUNCTIONS: Final = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
_BITS: Final = (1, 2)
_ERROR: Final = 0x80
_SHOWN: Final = 16


class Garbled(Exception):
    """What came is no answer to the question; its text says why."""


@dataclass(slots=True)
class Question:
    """One read request. `size`: bytes of data that its answer holds."""

    unit: int
    function: int
    start: int
    count: int

    @property
    def size(self) -> int:
        return (self.count + 7) // 8 if self.function in _BITS else 2 * self.count

    @property
    def pdu(self) -> bytes:
        return struct.pack(">BHH", self.function, self.start, self.count)


class Framing(Protocol):
    """How questions and answers lie on the wire. One question at a time."""

    def encode(self, question: Question) -> bytes: ...

    def take(self, received: bytes, question: Question) -> bytes | int | None:
        """The data of the answer, or its exception code; None while it is not all there. Raises Garbled."""
        ...


class TcpFraming:
    def __init__(self) -> None:
        self._number = 0

    def encode(self, question: Question) -> bytes:
        self._number = self._number % 0xFFFF + 1
        return struct.pack(
            ">HHHBBHH", self._number, 0, 6, question.unit, question.function, question.start, question.count
        )

    def take(self, received: bytes, question: Question) -> bytes | int | None:
        if len(received) < 8:
            return None
        number, protocol, length, unit, function = struct.unpack_from(">HHHBB", received)
        if protocol or not 3 <= length <= 254:
            raise Garbled(f"its answer is no Modbus frame: {shown(received)}")
        if number != self._number:
            raise Garbled(f"it answers to transaction {number}, asked was {self._number}")
        if unit != question.unit and question.unit:
            raise Garbled(f"unit {unit} answers, asked was unit {question.unit}")
        if len(received) < 6 + length:
            return None
        return _answer(function, received[8 : 6 + length], question)


def _answer(function: int, rest: bytes, question: Question) -> bytes | int:
    """rest: what follows the function code."""
    if function == question.function | _ERROR and len(rest) == 1:
        return rest[0]
    if function != question.function:
        raise Garbled(f"it answers with function {function}, asked was {question.function}")
    if len(rest) != 1 + question.size or rest[0] != question.size:
        raise Garbled(f"it answers {len(rest) - 1} bytes and says {rest[:1].hex()}h; {question.size} were asked for")
    return rest[1:]


class RtuFraming:
    """A line makes noise: the answer is looked for among whatever came, and its checksum tells it."""

    def encode(self, question: Question) -> bytes:
        frame = bytes([question.unit]) + question.pdu
        return frame + _checksum(frame)

    def take(self, received: bytes, question: Question) -> bytes | int | None:
        for at in range(len(received) - 4):
            if received[at] != question.unit:
                continue
            function = received[at + 1]
            if function == question.function | _ERROR and _is_sound(received, at, 3):
                return received[at + 2]
            size = question.size
            if function == question.function and received[at + 2] == size and _is_sound(received, at, 3 + size):
                return received[at + 3 : at + 3 + size]
        return None


def _is_sound(received: bytes, at: int, size: int) -> bool:
    """A frame of `size` bytes and its checksum lie there."""
    end = at + size
    return len(received) >= end + 2 and _checksum(received[at:end]) == received[end : end + 2]


def _checksum(frame: bytes) -> bytes:
    return FramerRTU.compute_CRC(frame).to_bytes(2, "big")


def shown(received: bytes) -> str:
    """For people."""
    return received[:_SHOWN].hex(" ") + (" ..." if len(received) > _SHOWN else "")
