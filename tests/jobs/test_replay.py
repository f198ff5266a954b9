"""A recording's way through a front door that is full, that hangs up, and that says no."""

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.ipc as ipc
import pytest

from forewarn.domain.errors import ForewarnError
from forewarn.jobs.replay import Replay

Answer = tuple[int, dict[str, str], bytes]
TAKEN = {"readings_accepted": 0, "late": 0, "duplicate": 0, "rejected": 0, "verdicts": []}


class Door:
    """Answers as `script` says, one entry a request, then takes everything; None hangs up without an answer."""

    def __init__(self, script: list[Answer | None]) -> None:
        self.script = script
        self.taken: list[pa.Table] = []
        self.sequences: list[int] = []
        self.gateways: set[str] = set()

    def answer(self, sequence: int, gateway: str, body: bytes) -> Answer | None:
        if self.script:
            return self.script.pop(0)
        table = ipc.open_stream(body).read_all()
        self.taken.append(table)
        self.sequences.append(sequence)
        self.gateways.add(gateway)
        return 202, {}, orjson.dumps({**TAKEN, "readings_accepted": table.num_rows})


@contextmanager
def listening(door: Door) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = door.answer(int(self.headers["Forewarn-Sequence"]), self.headers["Forewarn-Gateway"], body)
            if answer is None:
                self.close_connection = True
                return
            status, headers, content = answer
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def recording(n: int, step_us: int = 1_000_000) -> pa.Table:
    time = 1_700_000_000_000_000 + np.arange(n, dtype=np.int64) * step_us
    quality = pa.array(np.zeros(n, np.uint32))
    return pa.table({"sensor_id": ["rig.flow"] * n, "timestamp": time, "value": np.arange(n) * 1.0, "quality": quality})


def test_nothing_is_skipped_when_the_door_is_full_or_hangs_up() -> None:
    waits: list[float] = []
    full: Answer = (429, {"Retry-After": "7"}, b"{}")
    door = Door([full, None, (503, {}, b"busy")])
    wire, told = recording(50_000), list[int]()
    with listening(door) as url:
        count = Replay(url, "replay:x", sleep=waits.append).run(wire, 0, told.append)
    assert pa.concat_tables(door.taken).equals(wire)
    assert (count.accepted, count.rejected) == (50_000, 0)
    assert waits == [7.0, 0.5, 1.0]
    assert told == [20_000, 40_000, 50_000]
    assert door.gateways == {"replay:x"}
    first = door.sequences[0]
    assert door.sequences == [first, first + 1, first + 2]


def test_speed_paces_by_source_time() -> None:
    slept: list[float] = []
    door = Door([])
    with listening(door) as url:
        Replay(url, "r", sleep=slept.append).run(recording(100), 10_000, lambda _: None)
    assert len(door.taken) == 1, "250 ms at 10,000 times are 2,500 s of source time"
    with listening(door) as url:
        Replay(url, "r", sleep=slept.append).run(recording(4), 1, lambda _: None)
    assert len(door.taken) == 5
    assert slept[1] == 0.0
    assert [round(wait) for wait in slept[2:]] == [1, 2, 3], "nobody slept, so each waits from the start"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"detail":"no such thing"}', "no such thing"),
        (b"<html>", "<html>"),
        (b"[]", "[]"),
        (b"\xff", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_refusal_is_told_and_ends_it(content: bytes, said: str) -> None:
    door = Door([(404, {}, content)])
    with listening(door) as url, pytest.raises(ForewarnError) as refused:
        Replay(url, "r").run(recording(1), 0, lambda _: None)
    assert f"refused the batch (404): {said}" in str(refused.value)


def test_verdicts_are_counted() -> None:
    answer = {"readings_accepted": 5, "late": 2, "duplicate": 1, "rejected": 3}
    reasons = [{"reason": "unknown_signal"}, {"reason": "unknown_signal"}, {"reason": "not_finite"}]
    door = Door([(202, {}, orjson.dumps({**answer, "verdicts": reasons}))])
    with listening(door) as url:
        count = Replay(url, "r").run(recording(9), 0, lambda _: None)
    assert (count.accepted, count.late, count.duplicate, count.rejected) == (3, 2, 1, 3)
    assert count.reasons == {"unknown_signal": 2, "not_finite": 1}


def test_an_empty_recording_sends_nothing() -> None:
    door, sleep = Door([]), pytest.fail
    refuse: Callable[[float], None] = sleep
    with listening(door) as url:
        assert Replay(url, "r", sleep=refuse).run(recording(0), 1, lambda _: None).accepted == 0
    assert door.taken == []
