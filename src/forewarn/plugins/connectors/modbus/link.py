"""One connection, one question at a time. Pipelining hangs many devices, and a late answer must never meet the next
question: after a silence the connection is made anew."""

import asyncio
from importlib.util import find_spec
from typing import Final

from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.plugins.connectors.modbus.frames import Framing, Garbled, Question, RtuFraming, TcpFraming, shown
from forewarn.plugins.connectors.modbus.settings import ModbusSettings

_BITS_PER_BYTE: Final = 11
_QUICKEST_PAUSE_S: Final = 0.00175  # Serial Line V1.02, 2.5.1.1: fixed above 19200 bit/s
_REST_S: Final = 0.6  # libmodbus' byte timeout is 0.5 s
_MOST_RECEIVED: Final = 4096


class Silent(Exception):
    """No byte came in time."""


class _Wire(asyncio.Protocol):
    """Collects what comes until it is the answer."""

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._question: Question | None = None
        self._received = b""
        self._answer: asyncio.Future[bytes | int] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.lost: Exception | None = None
        self.is_lost = False

    def ask(self, transport: asyncio.Transport, question: Question, timeout_s: float) -> "asyncio.Future[bytes | int]":
        loop = asyncio.get_running_loop()
        self._question, self._received = question, b""
        self._answer = loop.create_future()
        self._timer = loop.call_later(timeout_s, self._too_late)
        transport.write(self._framing.encode(question))
        return self._answer

    def forget(self) -> None:
        """Nobody waits any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._question = self._answer = self._timer = None

    def data_received(self, data: bytes) -> None:
        if self._question is None or self._answer is None or self._answer.done():
            return
        self._received = self._received + data if self._received else data
        try:
            answer = self._framing.take(self._received, self._question)
        except Garbled as garbled:
            self._answer.set_exception(garbled)
            return
        if answer is not None:
            self._answer.set_result(answer)
        elif len(self._received) > _MOST_RECEIVED:
            self._answer.set_exception(Garbled(f"it never stops talking: {shown(self._received)}"))

    def _too_late(self) -> None:
        if self._answer is not None and not self._answer.done():
            garbled = Garbled(f"its answer is cut short or no Modbus frame: {shown(self._received)}")
            self._answer.set_exception(garbled if self._received else Silent())

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost, self.lost = True, exc
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(exc or "closed by the peer"))


class Link:
    """Opened by `open`, and again after a `Silent` or `Garbled`. `close` always works and leaves no socket."""

    def __init__(self, settings: ModbusSettings) -> None:
        self._settings = settings
        self.is_serial = settings.transport == "rtu"
        self._is_rtu = settings.transport != "tcp"
        self._wire: _Wire | None = None
        self._transport: asyncio.Transport | None = None
        byte_s = _BITS_PER_BYTE / settings.baudrate
        self._pause_s = max(_QUICKEST_PAUSE_S, 3.5 * byte_s) if self.is_serial else 0.0
        # A long answer on a slow line takes its time before anything of it can be missed.
        self._line_s = 264 * byte_s if self.is_serial else 0.0
        self._free_at = 0.0

    async def open(self) -> None:
        """Raises SourceUnreachable; ConfigurationError when pyserial is missing."""
        wire = _Wire(RtuFraming() if self._is_rtu else TcpFraming())
        try:
            self._transport = self._serial(wire) if self.is_serial else await self._tcp(wire)
        except TimeoutError:
            raise SourceUnreachable(f"{self._settings.place} does not answer") from None
        except OSError as error:
            raise SourceUnreachable(f"{self._settings.place} does not answer: {error}") from error
        self._wire = wire

    async def _tcp(self, wire: _Wire) -> asyncio.Transport:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._settings.timeout_s):
            transport, _ = await loop.create_connection(lambda: wire, self._settings.host, self._settings.port)
        return transport

    def _serial(self, wire: _Wire) -> asyncio.Transport:
        if find_spec("serial") is None:
            raise ConfigurationError("transport rtu needs pyserial: pip install pyserial")
        # Late: it imports pyserial, which a gateway without serial lines does without.
        from pymodbus.transport.serialtransport import SerialTransport

        settings = self._settings
        try:
            transport = SerialTransport(
                asyncio.get_running_loop(),
                wire,
                settings.serial_port,
                settings.baudrate,
                settings.bytesize,
                settings.parity,
                settings.stopbits,
                settings.timeout_s,
            )
        except Exception as error:  # pyserial lets termios.error pass, which not every system knows
            raise SourceUnreachable(
                f"{settings.place} cannot be opened with {settings.baudrate} bit/s, "
                f"{settings.bytesize}{settings.parity}{settings.stopbits}: {error}"
            ) from error
        transport.setup()
        return transport

    async def ask(self, question: Question, timeout_s: float, *, again: bool = False) -> bytes | int:
        """The data of the answer, or an exception code. Raises Silent and Garbled (then `renew` it), and
        SourceUnreachable when the connection is gone.

        again: try a second time on a serial line, where noise spoils single frames; and libmodbus' slaves, after a
        question to a dead unit, take the next one for that unit's answer and need a rest to find the frames again."""
        if again and self._is_rtu:
            rested_at = asyncio.get_running_loop().time() + _REST_S
            try:
                return await self._ask(question, timeout_s)
            except (Silent, Garbled):
                self._free_at = max(self._free_at, rested_at)
        return await self._ask(question, timeout_s)

    async def _ask(self, question: Question, timeout_s: float) -> bytes | int:
        wire, transport = self._wire, self._transport
        if wire is None or transport is None or wire.is_lost:
            why = (wire and wire.lost) or "closed by the peer"
            raise SourceUnreachable(f"{self._settings.place} is lost: {why}")
        loop = asyncio.get_running_loop()
        if self._is_rtu and (wait_s := self._free_at - loop.time()) > 0:
            await asyncio.sleep(wait_s)
        try:
            return await wire.ask(transport, question, timeout_s + self._line_s)
        except ConnectionError as error:
            raise SourceUnreachable(f"{self._settings.place} is lost: {error}") from error
        finally:
            wire.forget()
            self._free_at = loop.time() + self._pause_s

    async def renew(self) -> None:
        """After a silence or nonsense: what still comes belongs to no question."""
        if not self.is_serial:
            await self.close()
            await self.open()

    async def close(self) -> None:
        transport, self._transport, self._wire = self._transport, None, None
        if transport is not None:
            transport.abort()
            await asyncio.sleep(0)  # the loop closes the socket in its next turn
