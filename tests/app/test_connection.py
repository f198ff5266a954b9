"""Clients that send too much, too slowly or nothing at all, over plain sockets."""

import socket
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from forewarn.api.rules import RULES
from forewarn.app.connection import ConnectionLimits
from tests.app.bounded_site import BoundedSite, answer_of, bounded_site

LIMITS = ConnectionLimits(head_s=0.5, grace_s=0.5, stalled_s=1.0, connections=24, connections_of_address=16)
HOST = b"Host: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BoundedSite]:
    with bounded_site(tmp_path_factory.mktemp("site"), LIMITS) as running:
        yield running


def signed(site: BoundedSite) -> bytes:
    return HOST + b"Authorization: Bearer " + site.opened.admin.token.encode() + b"\r\n"


def alive(site: BoundedSite) -> bool:
    return site.ask(b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n").status == 200


def eventually(condition: Callable[[], bool], timeout_s: float = 60) -> bool:
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: " + b"a" * (1 << 20) + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"a" * (1 << 20),
        b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"".join(b"X%d: a\r\n" % n for n in range(10_000)) + b"\r\n",
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"".join(b"X%d: a\r\n" % n for n in range(100)) + b"\r\n",
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: " + b"a" * LIMITS.head_bytes + b"\r\n\r\n",
        b"\r\n" * (1 << 19),
    ],
    ids=["long value", "long name", "long path", "10,000 headers", "101 headers", "just over", "empty lines"],
)
def test_a_head_that_is_too_large(site: BoundedSite, sent: bytes) -> None:
    answer = site.ask(sent)
    assert (answer.status, answer.headers["content-type"]) == (431, "application/problem+json")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert alive(site)


def test_a_head_within_the_limit(site: BoundedSite) -> None:
    more = b"".join(b"X%d: a\r\n" % n for n in range(90)) + b"Y: " + b"a" * (30 << 10) + b"\r\n"
    assert site.ask(b"GET /healthz HTTP/1.1\r\n" + HOST + more + b"\r\n").status == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: a\r\n folded\r\n\r\n",
        b"POST /api/ingest HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /api/ingest HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
        b"POST /api/ingest HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n",
    ],
    ids=["TLS", "folded header", "both lengths", "two lengths", "no chunk", "raw byte in the path"],
)
def test_what_is_no_http(site: BoundedSite, sent: bytes) -> None:
    assert site.ask(sent).status in (400, 401)
    assert alive(site)


def test_who_says_nothing_is_cut_off(site: BoundedSite) -> None:
    with site.connect() as silent:
        assert answer_of(silent).status == 408
    assert eventually(lambda: site.held == 0)


@pytest.mark.parametrize("drop", [b"X: a\r\n", b"\r\n"], ids=["headers", "empty lines after an answer"])
def test_a_head_that_trickles_is_cut_off(site: BoundedSite, drop: bytes) -> None:
    with site.connect() as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\n" + HOST + (b"\r\n" if drop == b"\r\n" else b""))
        if drop == b"\r\n":
            assert answer_of(slow).status == 200
        assert trickle(slow, drop)
    assert eventually(lambda: site.held == 0)


def trickle(slow: socket.socket, drop: bytes, pause_s: float = 0.05) -> bool:
    """Sends a drop at a time; True once the server ended it."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            slow.sendall(drop)
        except OSError:
            return True
        time.sleep(pause_s)
    return False


@pytest.mark.parametrize("path", [b"/api/v1/telemetry/batch", b"/api/v1/alarms/actions", b"/nothing"])
def test_a_body_that_trickles_is_cut_off(site: BoundedSite, path: bytes) -> None:
    with site.connect() as slow:
        slow.sendall(b"POST " + path + b" HTTP/1.1\r\n" + signed(site) + b"Content-Length: 1000000\r\n\r\n")
        assert trickle(slow, b"[")
    assert eventually(lambda: site.held == 0)
    assert alive(site)


def test_a_slow_body_is_told_why(site: BoundedSite) -> None:
    with site.connect() as slow:
        slow.sendall(b"POST /api/v1/telemetry/batch HTTP/1.1\r\n" + signed(site) + b"Content-Length: 100\r\n\r\n")
        answer = answer_of(slow)
    assert (answer.status, answer.detail) == (408, "the body comes slower than 1,024 bytes a second")


def test_a_body_that_is_fast_enough_may_take_its_time(site: BoundedSite) -> None:
    body = b'{"gateway_id":"gw","readings":[]' + b" " * 30_000 + b"}"
    with site.connect() as steady:
        length = b"Content-Length: %d\r\nContent-Type: application/json\r\n\r\n" % len(body)
        steady.sendall(b"POST /api/v1/telemetry/batch HTTP/1.1\r\n" + signed(site) + length)
        for at in range(0, len(body), 1_500):
            steady.sendall(body[at : at + 1_500])
            time.sleep(0.1)
        assert answer_of(steady).status == 202


def test_who_does_not_take_the_answer_is_cut_off(site: BoundedSite) -> None:
    with site.connect() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = b"GET /openapi.json HTTP/1.1\r\n" + signed(site) + b"\r\n"
        # More answers than the kernel keeps for somebody who does not read.
        assert eventually(lambda: sends_no_more(deaf, request * 20))
    assert eventually(lambda: site.held == 0)
    assert alive(site)


def sends_no_more(deaf: socket.socket, requests: bytes) -> bool:
    deaf.settimeout(5)
    try:
        deaf.sendall(requests)
    except TimeoutError:
        return False
    except OSError:
        return True
    return False


def test_a_live_stream_that_nothing_happens_on_stays(site: BoundedSite) -> None:
    with site.connect() as listener:
        listener.sendall(b"GET /api/v1/live HTTP/1.1\r\n" + signed(site) + b"\r\n")
        assert listener.recv(1 << 16)
        time.sleep(3 * LIMITS.head_s)
        listener.setblocking(False)
        try:
            while listener.recv(1 << 16):
                pass
            raise AssertionError("the stream was ended")
        except BlockingIOError:
            pass


def test_no_more_connections_than_allowed(site: BoundedSite) -> None:
    assert eventually(lambda: site.held == 0)
    held = [site.connect() for _ in range(LIMITS.connections_of_address)]
    answer = site.ask(b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")
    assert answer.status in (0, 503)
    for connection in held:
        connection.close()
    assert eventually(lambda: site.held == 0)
    assert alive(site)


def test_an_upgrade_to_a_websocket_is_none(site: BoundedSite) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: a\r\n"
    assert site.ask(b"GET /api/v1/live HTTP/1.1\r\n" + HOST + upgrade + b"\r\n").status == 401


@pytest.mark.parametrize("depth", [1_000, 100_000])
@pytest.mark.parametrize("path", ["/api/v1/telemetry/batch", "/api/ingest", "/api/v1/alarms/actions"])
def test_json_that_is_nested_without_end(site: BoundedSite, path: str, depth: int) -> None:
    for body in (b"[" * depth, b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
        headers = {"Content-Type": "application/json", **site.opened.admin.header}
        answer = httpx.post(f"http://127.0.0.1:{site.port}{path}", content=body, headers=headers)
        assert answer.status_code in (400, 422)
        assert answer.headers["content-type"] == "application/problem+json"


def chunks() -> Iterator[bytes]:
    for _ in range(9):
        yield b"[" * (1 << 20)


BODIED = [
    *("/api/v1/session", "/api/v1/session/password", "/api/v1/machines/enrol", "/api/v1/people", "/api/v1/machines"),
    *("/api/v1/people/{person_id}", "/api/v1/telemetry/batch", "/api/ingest", "/api/v1/alarms/actions"),
    *("/api/v1/anomalies/{anomaly_id}", "/api/v1/simulation/faults", "/api/v1/models/train"),
    *("/api/v1/models/{model_id}/promote", "/api/v1/models/{model_id}/rollback"),
    *("/api/v1/gateways/{gateway}/requests", "/api/v1/rollouts", "/api/v1/rollouts/{rollout_id}/rollback"),
]


def test_no_route_takes_a_body_without_end(site: BoundedSite) -> None:
    headers = {"Content-Type": "application/json", **site.opened.admin.header}
    url = f"http://127.0.0.1:{site.port}"
    for method, path in RULES:
        if method not in ("POST", "PATCH") or path.endswith("/session/refresh") or "sign_on" in path:
            continue
        answer = httpx.request(method, url + path, content=chunks(), headers=headers)
        assert (answer.status_code == 413) == (path in BODIED), (method, path, answer.status_code)
        if answer.status_code == 413:
            told = httpx.request(method, url + path, content=b"[" * (9 << 20), headers=headers)
            assert (told.status_code, told.json()["type"]) == (413, "urn:forewarn:problem:body-too-large"), path
