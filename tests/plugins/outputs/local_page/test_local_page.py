"""The local page over real HTTP."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from forewarn.contracts.output import OutputRequest
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.domain.gateways import GatewayRole, GatewayStatus, LedgerSums, SiteState
from forewarn.domain.model_delivery import HeldModels
from forewarn.domain.sources import SourceState
from forewarn.plugins.outputs.local_page import OUTPUT
from forewarn.plugins.outputs.local_page.rates import Rates
from forewarn.plugins.outputs.local_page.words import CONDITION, ROLE, SITE, SOURCE, octets, span
from tests.peers.processes import free_port, listens
from tests.plugins.outputs.local_page.board import ALARMS, ASSETS, NOW, HandBoard, away_status, quiet_status


@contextlib.asynccontextmanager
async def page(board: HandBoard, **settings: object) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    port = free_port()
    parsed = OUTPUT.settings.model_validate({"port": port, "refresh_s": 0.2, **settings})
    task = asyncio.create_task(OUTPUT.run(OutputRequest("page", "gateway-line-1", parsed), board))
    try:
        while not listens(port):
            await asyncio.sleep(0.02)
            assert not task.done(), task.result()
        async with aiohttp.ClientSession() as session:
            yield f"http://127.0.0.1:{port}", session
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not listens(port)


async def text_of(session: aiohttp.ClientSession, url: str) -> str:
    async with session.get(url) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_the_page_tells_everything_without_any_script() -> None:
    async with page(HandBoard(away_status(), ALARMS, ASSETS)) as (url, session):
        text = await text_of(session, url)
    for said in (
        "gateway-line-1", "Site not reachable", "Bearing vibration high-high", "Stop the mill.", "Raw mill 3",
        "Not reachable", "10.0.4.17:502 does not answer", "Is the meter switched on",
        "Adds up: every reading is accounted for",
        "86\u202f400\u202f000", "8 h 20 min", "7\u202f200\u202f000 readings", "2 h ago", "75 % of the budget",
        "1 shelved, suppressed", "pump-9.flow", "−42 ms ± 9 ms", '<meta http-equiv="refresh"',
    ):  # fmt: skip
        assert said in text, said
    assert "Normal one" not in text
    titles = re.findall(r"</strong> ([^<]+)<", text)
    assert titles[:5] == [
        "Bearing vibration high-high", "Motor current high", "Seal temperature", "Vibration trend", "Flow low"
    ]  # fmt: skip


async def test_what_came_from_outside_is_escaped_and_nothing_comes_from_elsewhere() -> None:
    status = replace(away_status(), name="<script>alert(1)</script>")
    async with page(HandBoard(status, ALARMS, ASSETS)) as (url, session), session.get(url) as answer:
        text, policy = await answer.text(), answer.headers["Content-Security-Policy"]
    assert "<script>alert" not in text
    assert "Circulation pump &lt;9&gt;" in text
    assert "&lt;b&gt;head" in text
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"(src|href)=", text)
    assert "https://" not in text.replace("https://site.example", "")


async def test_changes_come_as_events_of_the_changed_sections_only() -> None:
    board = HandBoard(quiet_status())
    async with page(board) as (url, session), session.get(f"{url}/events") as stream:
        assert stream.content_type == "text/event-stream"
        first = await event(stream)
        assert set(first) == {"head", "alarms", "conditions", "sources", "site", "models", "buffer", "ledger", "about"}
        assert "No active alarms" in first["alarms"]
        board.show(alarms=ALARMS[2:3])
        second = await event(stream)
        assert set(second) == {"head", "alarms"}
        assert "Bearing vibration" in second["alarms"]
        faster = replace(board.status().sources[0], readings=80_010_000)
        board.show(at=NOW + 1_000_000, sources=(faster,))
        while "1e+04 /s" not in (news := await event(stream)).get("sources", ""):
            assert news


async def event(stream: aiohttp.ClientResponse) -> dict[str, str]:
    async with asyncio.timeout(10):
        while not (line := await stream.content.readline()).startswith(b'data: {"'):
            assert line
    return json.loads(line[6:])


async def test_models_that_act_and_those_that_are_refused_are_named() -> None:
    board = HandBoard(quiet_status(), (), ASSETS)
    board.held = HeldModels(
        "n",
        "r",
        acting={"mill-3": "5a32ea" + "0" * 58, "<x>": "77b0aa" + "1" * 58},
        refused={"<x>": "damaged", "pump-9": "unknown_key"},
        thresholds="9f",
        keys=("ea4a6c0011223344",),
    )
    async with page(board) as (url, session):
        text = await text_of(session, url)
        told = msgspec.json.decode((await text_of(session, f"{url}/models.json")).encode(), type=HeldModels)
    assert told == board.held
    for said in (
        '<th>Raw mill 3</th><td><span class="badge good">In use</span> <span class="key">5a32ea000000</span>',
        '<th>&lt;x&gt;</th><td><span class="badge watch">The new one is damaged</span> <span class="key">77b0aa',
        'Circulation pump &lt;9&gt;</th><td><span class="badge wrong">The new one is signed by a stranger</span></td>',
        "people's words at the site moved them",
        "signed by ea4a6c0011223344",
    ):
        assert said in text, said


async def test_status_metrics_and_health() -> None:
    status = away_status()
    async with page(HandBoard(status)) as (url, session):
        told = msgspec.json.decode((await text_of(session, f"{url}/status.json")).encode(), type=GatewayStatus)
        assert told == status
        assert await text_of(session, f"{url}/healthz") == "ok\n"
        families = {f.name: f for f in text_string_to_metric_families(await text_of(session, f"{url}/metrics"))}
        for path, status_code in (("/nothing", 404), ("/favicon.ico", 204)):
            async with session.get(url + path) as answer:
                assert answer.status == status_code
        async with session.post(url) as answer:
            assert answer.status == 405
    assert families["forewarn_gateway_live_lag_seconds"].samples[0].value == 7_200
    read = {s.labels["fate"]: s.value for s in families["forewarn_gateway_readings"].samples}
    assert read["read"] == 86_400_000
    states = {s.labels["source"]: s.labels["state"] for s in families["forewarn_gateway_source_state"].samples}
    assert states == {"plc-1": "connected", "meters": "reconnecting"}
    assert len(families["forewarn_gateway_condition"].samples) == 2


async def test_a_token_is_asked_for_and_a_cookie_remembers_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a long secret, long enough\n")
    async with page(HandBoard(quiet_status()), token_file=str(tmp_path / "token")) as (url, session):
        for path in ("/", "/events", "/status.json", "/metrics"):
            async with session.get(url + path) as answer:
                assert answer.status == 401
                assert "86" + "\u202f" not in await answer.text()
        assert await text_of(session, f"{url}/healthz") == "ok\n"
        headers = {"Authorization": "Bearer a long secret, long enough"}
        async with session.get(f"{url}/status.json", headers=headers) as answer:
            assert answer.status == 200
        async with session.post(f"{url}/sign-in", data={"token": "a wrong secret, as long as that"}) as answer:
            assert answer.status == 401
            assert "not the token" in await answer.text()
        form = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=form) as browser:
            async with browser.post(f"{url}/sign-in", data={"token": "a long secret, long enough"}) as answer:
                assert answer.status == 200
                assert "gateway-line-1" in await answer.text()
            (cookie,) = list(form)
            assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict")
            assert "secret" not in cookie.value


async def test_other_names_of_this_machine_are_not_served() -> None:
    async with page(HandBoard(quiet_status()), host_names=["gw.local"]) as (url, session):
        for host, status in (("evil.example", 421), ("gw.local:8090", 200), ("localhost", 200), ("", 421)):
            async with session.get(f"{url}/status.json", headers={"Host": host}) as answer:
                assert answer.status == status


async def test_only_so_many_watch_at_once() -> None:
    async with page(HandBoard(quiet_status()), most_viewers=1) as (url, session):
        async with session.get(f"{url}/events") as stream:
            await event(stream)
            async with session.get(f"{url}/events") as answer:
                assert answer.status == 503
        async with asyncio.timeout(10):
            while True:
                async with session.get(f"{url}/events") as answer:
                    if answer.status == 200:
                        break


async def test_a_taken_port_and_a_missing_token_are_named() -> None:
    async with page(HandBoard(quiet_status())) as (url, _):
        port = int(url.rpartition(":")[2])
        parsed = OUTPUT.settings.model_validate({"port": port})
        with pytest.raises(SourceUnreachable, match=str(port)):
            await OUTPUT.run(OutputRequest("page", "g", parsed), HandBoard(quiet_status()))
    parsed = OUTPUT.settings.model_validate({"token_env": "NO_SUCH_VARIABLE"})
    with pytest.raises(ConfigurationError, match="NO_SUCH_VARIABLE"):
        await OUTPUT.run(OutputRequest("page", "g", parsed), HandBoard(quiet_status()))


@pytest.mark.parametrize(("token", "said"), [("", "is empty"), ("x", "has 1 char"), ("fifteen letters", "has 15 char")])
async def test_a_token_that_is_soon_guessed_is_refused(monkeypatch: pytest.MonkeyPatch, token: str, said: str) -> None:
    monkeypatch.setenv("PAGE_TOKEN", token)
    parsed = OUTPUT.settings.model_validate({"token_env": "PAGE_TOKEN", "port": free_port()})
    with pytest.raises(ConfigurationError, match=f"the token {said}.*at least 16"):
        async with asyncio.timeout(10):
            await OUTPUT.run(OutputRequest("page", "g", parsed), HandBoard(quiet_status()))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"host": "0.0.0.0"}, "name a token"),
        ({"host": "0.0.0.0", "token_env": "T"}, "plain_http"),
        ({"certificate": "/a"}, "go together"),
        ({"token_env": "T", "token_file": "/t"}, "both"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_wrong_settings_are_explained(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError) as error:
        OUTPUT.settings.model_validate(settings)
    assert said in str(error.value)
    assert all(field.description for field in OUTPUT.settings.model_fields.values())


def test_every_state_has_words() -> None:
    assert set(CONDITION) == set(ConditionCode)
    assert (set(SITE), set(ROLE), set(SOURCE)) == (set(SiteState), set(GatewayRole), set(SourceState))


def test_a_ledger_that_does_not_add_up_is_said() -> None:
    from forewarn.plugins.outputs.local_page.sections import sections

    status = replace(quiet_status(), ledger=LedgerSums(read=5, kept=4))
    assert "Does not add up" in sections(HandBoard(status), Rates())["ledger"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (9.96, "10 s"),
        (-0.5, "−500 ms"),
        (119.6, "2 min"),
        (7_199, "2 h"),
        (90_000, "25 h"),
        (180_000, "2 d 2 h"),
    ],
)
def test_spans_are_said_shortly(seconds: float, said: str) -> None:
    assert span(seconds) == said


def test_sizes_are_said_in_powers_of_ten() -> None:
    assert [octets(n) for n in (0, 999, 1_000, 9_960, 999_600, 5 * 10**12)] == [
        "0 B", "999 B", "1.0 kB", "10 kB", "1.0 MB", "5.0 TB"
    ]  # fmt: skip


def test_a_rate_begins_anew_when_a_count_does() -> None:
    rates, source = Rates(), quiet_status().sources[0]
    for second, readings in ((0, 1_000), (5, 2_000), (10, 3_000)):
        rates.update(NOW + second * 1_000_000, [replace(source, readings=readings)])
    assert rates.of("plc-1") == 200.0
    rates.update(NOW + 11_000_000, [replace(source, readings=5)])
    assert rates.of("plc-1") is None
    assert rates.of("nobody") is None
