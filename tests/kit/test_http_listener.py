"""The small HTTP server's own rules; its bounds are tried through the webhook connector."""

import asyncio
import json

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from forewarn.kit.http_listener import Listening, Refusal, check_host, is_loopback, same_secret, serving


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "gateway", "127.0.0.1.evil.example", ""])
def test_all_else_can_be_reached_from_elsewhere(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost:8090", True),
        ("LOCALHOST", True),
        ("[::1]:8090", True),
        ("127.0.0.1", True),
        ("Gateway.Local:1", True),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("[::1].evil.example", True),  # no browser can send that: it is no host name
        ("evil.example:127.0.0.1", False),
        ("", False),
    ],
)
def test_the_host_header_must_name_this_machine(host: str, allowed: bool) -> None:
    request = make_mocked_request("GET", "/", headers={"Host": host})
    if allowed:
        check_host(request, ["gateway.local"])
    else:
        with pytest.raises(Refusal) as refusal:
            check_host(request, ["gateway.local"])
        assert refusal.value.status == 421


def test_secrets_of_any_text_are_compared() -> None:
    assert same_secret("geheim-ü\udcff", "geheim-ü\udcff")
    assert not same_secret("geheim", "geheim-ü")


def test_a_refusal_is_a_problem_that_names_the_field() -> None:
    answer = Refusal(429, "too much", field="readings", retry_after_s=3).response()
    assert answer.content_type == "application/problem+json"
    assert answer.headers["Retry-After"] == "3"
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body) == {"type": "about:blank", "status": 429, "detail": "too much", "field": "readings"}


async def test_nothing_is_left_open_even_while_a_request_is_under_way() -> None:
    started = asyncio.Event()

    async def never(_request: web.BaseRequest) -> web.StreamResponse:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(Listening("127.0.0.1", 0), never) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await started.wait()
    assert await asyncio.wait_for(reader.read(), 60) == b""
    writer.close()
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", port)
