"""Replay a recording through the front door, as fast as it happened or N times as fast."""

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import orjson
import pyarrow as pa
import pyarrow.ipc as ipc

from forewarn.domain.errors import BatchLogFull, ForewarnError, SourceUnreachable
from forewarn.jobs.recording import Wire, chunks

ARROW = "application/vnd.apache.arrow.stream"


@dataclass(slots=True)
class ReplayCount:
    """Readings by verdict as the server answered; reasons counts the named ones among its details."""

    accepted: int = 0
    late: int = 0
    duplicate: int = 0
    rejected: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, answer: dict[str, object]) -> None:
        # The server's readings_accepted counts what it stored; late ones are among them.
        late = int(str(answer["late"]))
        self.late += late
        self.accepted += int(str(answer["readings_accepted"])) - late
        self.duplicate += int(str(answer["duplicate"]))
        self.rejected += int(str(answer["rejected"]))
        verdicts = answer.get("verdicts")
        for one in verdicts if isinstance(verdicts, list) else []:
            reason = str(one["reason"])
            self.reasons[reason] = self.reasons.get(reason, 0) + 1


class Replay:
    """Posts Arrow batches to `base_url` under one gateway name; a refused batch is tried again, never skipped."""

    def __init__(
        self, base_url: str, gateway: str, key: str | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """key: a machine's, or an access token."""
        parts = urlsplit(base_url)
        self._connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._netloc, self._prefix = parts.netloc, parts.path.rstrip("/")
        self._gateway = gateway
        self._signed = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._sleep = sleep
        self._connection: http.client.HTTPConnection | None = None

    def run(self, wire: Wire, speed: float, progress: Callable[[int], None]) -> ReplayCount:
        """Send all of `wire`. speed: source seconds per second, 0 = as fast as it goes. Source times are untouched.

        progress gets the readings sent so far. Raises SourceUnreachable after a minute without a server.
        """
        count, sent = ReplayCount(), 0
        began, sequence = time.monotonic(), time.time_ns()
        first = wire["timestamp"][0].as_py() if wire.num_rows else 0
        for chunk in chunks(wire, span_us=int(max(speed, 1.0) * 250_000) if speed else 1 << 62):
            if speed:
                due = began + (chunk["timestamp"][0].as_py() - first) / 1e6 / speed
                self._sleep(max(0.0, due - time.monotonic()))
            count.add(self._post(chunk, sequence))
            sequence += 1
            sent += chunk.num_rows
            progress(sent)
        return count

    def _post(self, chunk: pa.Table, sequence: int) -> dict[str, object]:
        sink = pa.BufferOutputStream()
        with ipc.new_stream(sink, chunk.schema) as writer:
            writer.write_table(chunk)
        body = sink.getvalue().to_pybytes()
        patience = time.monotonic() + 60
        while True:
            try:
                return self._send(body, sequence)
            except (OSError, http.client.HTTPException) as error:
                self._connection = None
                if time.monotonic() > patience:
                    raise SourceUnreachable(
                        f"no answer from {self._netloc}: {error}; is `forewarn serve` up?"
                    ) from error
                self._sleep(0.5)
            except BatchLogFull as full:
                self._sleep(full.retry_after_s)

    def _send(self, body: bytes, sequence: int) -> dict[str, object]:
        if self._connection is None:
            self._connection = self._connect(self._netloc, timeout=30)
        headers = {"Content-Type": ARROW, "Forewarn-Gateway": self._gateway, "Forewarn-Sequence": str(sequence)}
        headers |= self._signed
        self._connection.request("POST", f"{self._prefix}/api/v1/telemetry/batch", body, headers)
        response = self._connection.getresponse()
        raw = response.read()
        if response.status in (429, 503):
            raise BatchLogFull("the server is full", retry_after_s=float(response.getheader("Retry-After") or 1))
        if response.status != http.client.ACCEPTED:
            raise ForewarnError(f"the server refused the batch ({response.status}): {_detail(raw)}")
        answer: dict[str, object] = orjson.loads(raw)
        return answer


def _detail(raw: bytes) -> str:
    """Of problem+json its sentence, of anything else its beginning."""
    try:
        return str(orjson.loads(raw)["detail"])
    except (ValueError, KeyError, TypeError):
        return raw[:200].decode(errors="replace")
