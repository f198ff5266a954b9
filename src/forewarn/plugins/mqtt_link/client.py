"""paho's client with buffers: by itself it makes a system call for each byte of a header and each acknowledgement."""

import socket
import ssl
from typing import Any, Final

import paho.mqtt.client as paho

_CHUNK: Final = 256 * 1024
_NOT_NOW: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class BufferedSocket:
    """A connected socket that is read in large pieces and, once `gathers`, written on `flush` only.

    `broken` keeps why it ended, which paho only logs."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self._held = b""
        self._at = 0
        self._unsent = bytearray()
        self.gathers = False
        self.broken: OSError | None = None

    @property
    def holds(self) -> bool:
        """Whether received bytes wait here, where no selector can see them."""
        return self._at < len(self._held) or (isinstance(self._inner, ssl.SSLSocket) and self._inner.pending() > 0)

    @property
    def unsent(self) -> bool:
        return bool(self._unsent)

    def recv(self, most: int) -> bytes:
        if self._at >= len(self._held):
            try:
                self._held = self._inner.recv(_CHUNK)
            except _NOT_NOW:
                raise
            except OSError as error:
                self.broken = error
                raise
            self._at = 0
        start = self._at
        self._at = min(start + most, len(self._held))
        return self._held[start : self._at]

    def send(self, data: bytes | bytearray) -> int:
        if not self.gathers:
            return self._send(data)
        self._unsent += data
        return len(data)

    def flush(self) -> None:
        """As much as the socket takes. Raises OSError when it is broken."""
        while self._unsent:
            try:
                sent = self._send(self._unsent)
            except _NOT_NOW:
                return
            del self._unsent[:sent]

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return self._inner.send(data)
        except _NOT_NOW:
            raise
        except OSError as error:
            self.broken = self._last_word(error)
            raise

    def _last_word(self, error: OSError) -> OSError:
        """What the other side said before it closed: the TLS alert that tells why tells more than a broken pipe."""
        try:
            self._inner.recv(1)
        except _NOT_NOW:
            return error
        except OSError as said:
            return said
        return error

    def fileno(self) -> int:
        return self._inner.fileno()

    def setblocking(self, flag: bool) -> None:
        self._inner.setblocking(flag)

    def close(self) -> None:
        self._inner.close()


class BufferedClient(paho.Client):
    """paho's own parser, reading from memory. `_create_socket` is where paho itself wraps a socket for websockets."""

    buffered: BufferedSocket | None = None

    def _create_socket(self) -> Any:
        made = super()._create_socket()
        assert isinstance(made, socket.socket), "of TCP or TLS; websockets are not offered"
        self.buffered = BufferedSocket(made)
        return self.buffered
