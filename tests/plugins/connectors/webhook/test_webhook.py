"""The webhook connector with real HTTP clients, honest and hostile."""

import asyncio
import contextlib
import gzip
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import numpy as np
import pytest

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.plugins.connectors.webhook import CONNECTOR
from tests.peers.certificates import Authority
from tests.peers.processes import free_port
from tests.plugins.connectors.recording import RecordingSink, eventually, request_for, running, signals_at

T = 1_769_846_400_000_000
TANK = {
    "path": "/hooks/tank",
    "time": "ts",
    "time_unit": "s",
    "values": {"data.temp": "{device}/temperature", "data.level": "{device}/level"},
}


class Sender:
    def __init__(self, port: int, sink: RecordingSink, session: aiohttp.ClientSession) -> None:
        self.port, self.sink, self.session = port, sink, session

    async def post(self, path: str, body: object, **how: object) -> tuple[int, dict]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **how.pop("headers", {})}
        url = f"{how.pop('scheme', 'http')}://127.0.0.1:{self.port}{path}"
        async with self.session.post(url, data=data, headers=headers, **how) as answer:
            return answer.status, await answer.json(content_type=None)


@contextlib.asynccontextmanager
async def listening(*addresses: str, sink: RecordingSink | None = None, **settings: object) -> AsyncIterator[Sender]:
    port, sink = free_port(), sink or RecordingSink()
    request = request_for(CONNECTOR, {"port": port, **settings}, signals_at(*(addresses or ("a/temp", "b"))))
    async with running(CONNECTOR, request, sink) as task, aiohttp.ClientSession() as session:
        await eventually(lambda: sink.connects == 1, "listening", task)
        yield Sender(port, sink, session)


async def test_a_batch_of_the_specification_is_stored_and_then_answered() -> None:
    readings = [
        {"sensor_id": "a/temp", "timestamp": T // 1_000 + i, "value": i / 4, "quality": "good"} for i in range(500)
    ]
    async with listening() as to:
        status, told = await to.post(
            "/api/v1/telemetry/batch", {"gateway_id": "g", "timestamp": T // 1_000, "readings": readings}
        )
    assert (status, told["status"], told["readings_accepted"]) == (200, "accepted", 500)
    assert to.sink.rows == [(1, T + i * 1_000, i / 4, 0) for i in range(500)]


async def test_wrong_readings_of_a_batch_are_named_and_the_others_stored() -> None:
    readings = [
        {"sensor_id": "nobody", "timestamp": 1, "value": 1},
        {"sensor_id": "pump.s2", "timestamp": T // 1_000, "value": "warm"},
        {"sensor_id": "pump.s2", "timestamp": "yesterday", "value": 1},
        {"sensor_id": "pump.s2", "timestamp": T // 1_000, "value": None},
        {"sensor_id": "pump.s2", "timestamp": T // 1_000 + 1, "value": 7, "quality": "uncertain"},
    ]
    async with listening() as to:
        status, told = await to.post("/api/v1/telemetry/batch", {"readings": readings, "anomalies": [{"x": 1}]})
    assert (status, told["status"], told["readings_accepted"], told["rejected"]) == (200, "partial", 2, 3)
    assert [(v["index"], v["field"]) for v in told["verdicts"]] == [(0, "sensor_id"), (1, "value"), (2, "timestamp")]
    assert [(r[0], r[1], r[3]) for r in to.sink.rows] == [(2, T, 0x809B0000), (2, T + 1_000, 0x40000000)]
    names = [ConditionCode.UNKNOWN_ADDRESS, ConditionCode.WRONG_TYPE, ConditionCode.READINGS_REJECTED]
    assert to.sink.conditions == names
    assert [condition for condition, _ in to.sink.notes] == [ConditionCode.NOT_A_NUMBER]
    assert np.isnan(to.sink.rows[0][2])
    assert to.sink.rejected_count == 4
    assert "nobody" in to.sink.rejections[0]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"readings": [{"timestamp": 1, "value": 2}]}, "readings[0]"),
        ({"readings": {}}, "readings"),
        ({"readings": [{"sensor_id": "nobody", "timestamp": 1, "value": 1}]}, "sensor_id"),
        ({"readings": [], "timestamp": "soon"}, "timestamp"),
        (b"{", None),
        (b'"\xff"', None),
        (b"[" * 200_000, None),
    ],
)
async def test_what_cannot_be_used_at_all_is_told_with_the_field(body: object, field: str | None) -> None:
    async with listening() as to:
        status, problem = await to.post("/api/v1/telemetry/batch", body)
    assert (status, problem["status"], problem.get("field")) == (400, 400, field)
    assert problem["detail"] in to.sink.rejections[0]
    assert to.sink.rows == []


async def test_single_values_go_to_their_address() -> None:
    async with listening() as to:
        assert (await to.post("/push/a/temp", {"value": 61.5, "timestamp": "2026-01-31T08:00:00Z"}))[0] == 200
        assert (await to.post("/push/a%2Ftemp", {"value": True, "timestamp": T // 1_000_000}))[0] == 200
        assert (await to.post("/push/b", [{"value": 1, "timestamp": 1e9}, {"value": 2, "timestamp": 1e12}]))[0] == 200
        assert (await to.post("/push/pump.s2", b"3.25"))[0] == 200
        status, problem = await to.post("/push/c", {"value": 1})
        assert (status, problem["field"]) == (404, "path")
        status, problem = await to.post("/push/b", {"valve": 1})
        assert (status, "valve" in problem["detail"]) == (400, True)
    assert to.sink.times(1) == [T, T]
    assert to.sink.values(1) == [61.5, 1.0]
    assert to.sink.values(2) == [1.0, 2.0, 3.25]
    assert to.sink.times(2)[:2] == [10**15, 10**15]
    assert any("'c'" in text for text in to.sink.rejections)


async def test_a_foreign_webhook_is_taken_as_it_is() -> None:
    weather = {"path": "/w", "each": "list", "time": "at", "values": {"wind[1]": "wind/{id}", 'more["a.b"]': "b"}}
    async with listening("t7/temperature", "t7/level", "wind/north", "b", hook=[TANK, weather]) as to:
        tank = {"device": "t7", "ts": T // 1_000_000, "data": {"temp": "61.5", "level": 2, "other": []}}
        assert (await to.post("/hooks/tank", tank))[0] == 200
        body = {
            "at": "2026-01-31T09:00:00+01:00",
            "list": [{"id": "north", "wind": [0, 4.5]}, {"at": T / 1e6 + 1, "more": {"a.b": 9}}, {}],
        }
        status, told = await to.post("/w", body)
        assert (status, told["readings_accepted"]) == (200, 2)
        assert sorted(to.sink.rows) == [(1, T, 61.5, 0), (2, T, 2.0, 0), (3, T, 4.5, 0), (4, T + 1_000_000, 9.0, 0)]
        for wrong, field in (
            ({"device": "t7", "ts": 5, "data": {}}, "data.temp"),
            ({"device": "t7", "data": {"temp": 5}}, "ts"),
            ({"device": "t7", "ts": 5, "data": {"temp": [1]}}, "data.temp"),
            ({"device": "t9", "ts": 5, "data": {"temp": 1}}, "data.temp"),
            ({"ts": 5, "data": {"temp": 1}}, "device"),
        ):
            status, problem = await to.post("/hooks/tank", wrong)
            assert (status, problem["field"]) == (400, field)


async def test_answers_wait_for_the_disk_and_nobody_waits_for_ever() -> None:
    sink = RecordingSink()
    sink.open.clear()
    async with listening(sink=sink, store_within_s=0.3, most_waiting=2) as to:
        first = asyncio.create_task(to.post("/push/b", {"value": 1, "timestamp": 1e9}))
        await asyncio.sleep(0.1)
        assert not first.done()
        status, problem = await to.post("/push/b", [{"value": i, "timestamp": 1e9} for i in range(2)])
        assert (status, "send again" in problem["detail"]) == (429, True)
        assert (await first)[0] == 503
        sink.open.set()
        await eventually(lambda: sink.values(2) == [1.0], "stored after all")
        assert (await to.post("/push/b", {"value": 4, "timestamp": 1e9}))[0] == 200


async def test_what_waits_together_is_stored_together() -> None:
    sink = RecordingSink()
    sink.open.clear()
    async with listening(sink=sink) as to:
        posts = [asyncio.create_task(to.post("/push/b", {"value": i, "timestamp": 1e9})) for i in range(20)]
        await asyncio.sleep(0.3)
        sink.open.set()
        assert {status for status, _ in await asyncio.gather(*posts)} == {200}
    assert sorted(to.sink.values(2)) == [float(i) for i in range(20)]
    assert len(to.sink.batches) <= 3


async def test_a_token_keeps_others_out(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(" geheim-ü \n")
    async with listening(token_file=str(tmp_path / "token")) as to:
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic geheim-ü"}, {"Authorization": ""}):
            status, problem = await to.post("/push/b", {"value": 1}, headers=headers)
            assert (status, problem["field"]) == (401, "Authorization")
        assert {code for code, _ in to.sink.notes} == {ConditionCode.CREDENTIALS_REFUSED}
        assert "127.0.0.1" in to.sink.notes[0][1]
        assert (await to.post("/push/b", {"value": 1}, headers={"Authorization": "Bearer geheim-ü"}))[0] == 200
    async with listening(token_file=str(tmp_path / "token"), token_header="X-Api-Key") as to:
        assert (await to.post("/push/b", {"value": 1}, headers={"X-Api-Key": "geheim-ü"}))[0] == 200
        assert (await to.post("/push/b", {"value": 1}, headers={"X-Api-Key": "geheim"}))[0] == 401


async def test_web_pages_of_others_cannot_send(tmp_path: Path) -> None:
    async with listening(host_names=["gateway.local"]) as to:
        assert (await to.post("/push/b", {"value": 1}, headers={"Host": "evil.example"}))[0] == 421
        assert (await to.post("/push/b", {"value": 1}, headers={"Host": "gateway.local:8095"}))[0] == 200
        assert (await to.post("/push/b", {"value": 1}, headers={"Host": "[::1]:1"}))[0] == 200
        assert (await to.post("/push/b", {"value": 1}, headers={"Content-Type": "text/plain"}))[0] == 415


async def test_bodies_and_methods_have_bounds() -> None:
    async with listening(max_body_bytes=2_000) as to:
        many = json.dumps([{"value": i, "timestamp": 1e9} for i in range(40)]).encode()
        assert len(many) > 1_500
        assert (await to.post("/push/b", gzip.compress(many[:-1] + b" ]"), headers={"Content-Encoding": "gzip"}))[
            0
        ] == 200
        assert (await to.post("/push/b", many + b" " * 2_000))[0] == 413
        bomb = gzip.compress(b" " * 10_000_000)
        assert (await to.post("/push/b", bomb, headers={"Content-Encoding": "gzip"}))[0] == 413
        bomb = gzip.compress(b" " * 500_000)
        assert len(bomb) < 2_000
        assert (await to.post("/push/b", bomb, headers={"Content-Encoding": "gzip"}))[0] == 413
        assert (await to.post("/push/b", b"no gzip", headers={"Content-Encoding": "gzip"}))[0] == 400
        assert (await to.post("/push/b", gzip.compress(b"1")[:-4], headers={"Content-Encoding": "gzip"}))[0] == 400
        assert (await to.post("/push/b", b"1", headers={"Content-Encoding": "br"}))[0] == 415
        assert (await to.post("/elsewhere", b"1"))[0] == 404
        async with to.session.get(f"http://127.0.0.1:{to.port}/push/b") as answer:
            assert answer.status == 405
        async with to.session.post(
            f"http://127.0.0.1:{to.port}/push/b", headers={"X-Long": "x" * 20_000, "Content-Type": "application/json"}
        ) as answer:
            assert answer.status == 400
    assert to.sink.values(2) == [float(i) for i in range(40)]


async def test_slow_and_too_many_clients_are_cut_off_and_hold_nobody_up() -> None:
    async with listening(timeout_s=0.4, most_connections=6) as to:
        head = b"POST /push/b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        starts = (b"", b"POST", head, head + b"Content-Length: 100\r\n\r\n{")
        slow = [await asyncio.open_connection("127.0.0.1", to.port) for _ in starts]
        for (_, writer), start in zip(slow, starts, strict=True):
            writer.write(start)
        assert (await to.post("/push/b", b"1"))[0] == 200
        endings = [await asyncio.wait_for(reader.read(), 60) for reader, _ in slow]
        assert endings[:3] == [b"", b"", b""]
        assert endings[3].startswith(b"HTTP/1.1 408 ")
        many = [await asyncio.open_connection("127.0.0.1", to.port) for _ in range(8)]
        told = [await asyncio.wait_for(reader.read(), 60) for reader, _ in many]
        assert sum(answer.startswith(b"HTTP/1.1 503 ") for answer in told) >= 2
        for _, writer in slow + many:
            writer.close()
        assert (await to.post("/push/b", b"2"))[0] == 200
    assert to.sink.values(2) == [1.0, 2.0]


async def test_https_with_and_without_client_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "works")
    server, client = authority.sign("gateway", "127.0.0.1"), authority.sign("sender")
    ours = {"certificate": str(server.certificate), "private_key": str(server.private_key)}
    trusting = ssl.create_default_context(cafile=str(authority.certificate))
    known = ssl.create_default_context(cafile=str(authority.certificate))
    known.load_cert_chain(client.certificate, client.private_key)
    async with listening(**ours) as to:
        assert (await to.post("/push/b", b"1", scheme="https", ssl=trusting))[0] == 200
        assert to.sink.notes == []
    async with listening(**ours, client_ca=str(authority.certificate)) as to:
        assert (await to.post("/push/b", b"1", scheme="https", ssl=known))[0] == 200
        with pytest.raises((aiohttp.ClientError, OSError)):
            await to.post("/push/b", b"1", scheme="https", ssl=trusting)
    (tmp_path / "broken").write_text("no certificate")
    with pytest.raises(ConfigurationError, match="broken"):
        await CONNECTOR.run(
            request_for(CONNECTOR, {**ours, "certificate": str(tmp_path / "broken")}, signals_at("b")), RecordingSink()
        )


async def test_an_expired_certificate_is_told_while_it_serves(tmp_path: Path) -> None:
    identity = Authority(tmp_path, "works").sign("gateway", "127.0.0.1", days=-1)
    async with listening(certificate=str(identity.certificate), private_key=str(identity.private_key)) as to:
        await eventually(lambda: bool(to.sink.notes), "told")
    code, text = to.sink.notes[0]
    assert code is ConditionCode.CERTIFICATE_EXPIRED
    assert "restart" in text


async def test_a_taken_port_is_unreachable_and_names_it() -> None:
    async with listening() as to:
        request = request_for(CONNECTOR, {"port": to.port}, signals_at("b"))
        with pytest.raises(SourceUnreachable, match=str(to.port)):
            await CONNECTOR.run(request, RecordingSink())


async def test_a_token_that_is_not_there_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    request = request_for(CONNECTOR, {"token_env": "NO_SUCH_VARIABLE"}, signals_at("b"))
    with pytest.raises(ConfigurationError, match="NO_SUCH_VARIABLE"):
        await CONNECTOR.run(request, RecordingSink())
    monkeypatch.setenv("NO_SUCH_VARIABLE", "")
    with pytest.raises(ConfigurationError, match="empty"):
        await CONNECTOR.run(request, RecordingSink())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"host": "0.0.0.0"}, "name a token"),
        ({"host": "192.0.2.1", "token_env": "T"}, "plain_http"),
        ({"certificate": "/a.pem"}, "go together"),
        ({"client_ca": "/a.pem"}, "client_ca"),
        ({"token_env": "A", "token_file": "/b"}, "both"),
        ({"hook": [{"path": "/x", "values": {"a..b": "c"}}]}, "a..b"),
        ({"hook": [{"path": "/x", "values": {"a": "{b"}}]}, "each {"),
        ({"hook": [{"path": "/x", "values": {"a": "b"}}, {"path": "/x", "values": {"a": "b"}}]}, "two settings"),
        ({"hook": [{"path": "/push/x", "values": {"a": "b"}}]}, "two settings"),
    ],
)
def test_wrong_settings_are_explained(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError) as error:
        CONNECTOR.settings.model_validate(settings)
    assert said in str(error.value)
    CONNECTOR.settings.model_validate({"host": "0.0.0.0", "token_env": "T", "plain_http": True})
