"""A reader of server-sent events over a plain socket, as a browser's EventSource would be."""

import json
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Event:
    name: str
    id: str
    data: Any


class EventStream:
    def __init__(self, url: str, token: str, query: str = "", last_event_id: str = "", receive_buffer: int = 0) -> None:
        where = urlsplit(url)
        self._socket = socket.socket()
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(15)
        self._socket.connect((where.hostname, where.port))
        head = f"GET /api/v1/live{query} HTTP/1.1\r\nHost: {where.hostname}\r\nAccept: text/event-stream\r\n"
        head += f"Authorization: Bearer {token}\r\n"
        head += f"Last-Event-ID: {last_event_id}\r\n" if last_event_id else ""
        self._socket.sendall(head.encode() + b"\r\n")
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers = {}
        while (line := self._file.readline().strip()) != b"":
            key, _, value = line.decode().partition(": ")
            self.headers[key.lower()] = value
        self._buffer = b""

    def _more(self) -> bool:
        """One chunk of the chunked transfer encoding; False at the stream's end."""
        size = int(self._file.readline() or b"0", 16)
        if size == 0:
            return False
        self._buffer += self._file.read(size)
        self._file.readline()
        return True

    def next(self) -> Event | None:
        """The next event, None when the server ended the stream."""
        while b"\n\n" not in self._buffer:
            if not self._more():
                return None
        block, self._buffer = self._buffer.split(b"\n\n", 1)
        if block.startswith(b":"):
            return self.next()
        fields = dict(line.split(": ", 1) for line in block.decode().split("\n"))
        return Event(fields["event"], fields.get("id", ""), json.loads(fields["data"]))

    def until(self, name: str) -> Event:
        while (event := self.next()) is not None:
            if event.name == name:
                return event
        raise AssertionError(f"the stream ended without {name}")

    def close(self) -> None:
        self._file.close()
        self._socket.close()
