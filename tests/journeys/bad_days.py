"""The stories that `test_bad_days.py` asks about: each breaks something of one gateway, sees it named, mends it, and
sees it end. They share a plant and run beside each other."""

import json
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.journeys.bad_plant import (
    NAMED_S,
    OVER_S,
    EdgeGateway,
    asset,
    findings_of,
    source,
)
from tests.peers.processes import Peer, find_program, free_port, mosquitto, node_peer, python_peer
from tests.plugins.connectors.opcua.identities import Made, make
from tests.site_process import SiteProcess

FAST = {"publishing_interval_ms": 100, "keepalive_s": 0.5}
FINDINGS = True
State = tuple[str, str]
DEVICES: Mapping[str, State] = {
    "a node that is not there": ("server", "unknown_address"),
    "a text and an array": ("server", "wrong_type"),
    "NaN": ("server", "not_a_number"),
    "a device's clock an hour ahead": ("ahead", "clock_wrong"),
    "an expired certificate": ("expired", "certificate_expired"),
    "a swapped certificate": ("swapped", "certificate_changed"),
    "a certificate that nobody vouches for": ("stranger", "certificate_untrusted"),
    "a web server on the OPC UA port": ("hall", "nonsense"),
    "Modbus answers that are none": ("mad", "nonsense"),
    "MQTT messages that are none": ("broker", "nonsense"),
}
# Which machine each of them concerns.
CONCERNED = {"server": "odd", "ahead": "ahead", "hall": "hall", "mad": "mad", "broker": "p1"}


@dataclass
class Told:
    """What was heard of the states of a gateway while it was bad, and after it was mended."""

    page: set[State] = field(default_factory=set)
    site: set[State] = field(default_factory=set)
    found: set[State] = field(default_factory=set)
    seen: str = ""
    over: set[State] = field(default_factory=set)
    over_at_site: set[State] = field(default_factory=set)
    found_over: set[State] = field(default_factory=set)


def gather(into: set[State], states: set[State], limit_s: float, look) -> None:
    """Until all of `states` were seen at least once; what was not seen in time is missing afterwards."""
    began = time.monotonic()
    while not states <= into and time.monotonic() - began < limit_s:
        into |= states & look()
        time.sleep(0.2)


class Plant:
    """Machines, site and gateways, all of them processes."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        self.folder, self.running = folder, running
        self.opcua, self.modbus, self.mqtt = free_port(), free_port(), free_port()
        self.moods, self.pki = folder / "moods.json", folder / "pki"
        self.tell(well=False, ahead_s=3600)
        words = ("history", f"moods={self.moods}")
        self._peer(node_peer("opcua_server.js", str(self.pki), *words, port=self.opcua))
        self._peer(python_peer("libmodbus_server.py", port=self.modbus))
        self._peer(mosquitto(folder / "mosquitto", self.mqtt, "max_queued_messages 0"))
        self.site = SiteProcess(folder / "site", FOREWARN_FLUSH_INTERVAL_S="2")

    def _peer(self, peer: Peer) -> Peer:
        return self.running.enter_context(peer)

    def tell(self, **mood: object) -> None:
        self.moods.with_suffix(".new").write_text(json.dumps(mood))
        self.moods.with_suffix(".new").replace(self.moods)

    def url(self, port: int) -> str:
        return f"opc.tcp://127.0.0.1:{port}/forewarn"

    def machine(self, name: str, *more: str) -> None:
        """It counts, and tells the broker."""
        self._peer(python_peer("mqtt_publisher.py", f"of-{name}/{name}/telemetry", *more, port=self.mqtt))

    def counting(self, name: str) -> str:
        """Three sources of one asset: history on the server, a register, a counter at the broker."""
        server = source("server", "opcua", url=self.url(self.opcua), sampling_interval_ms=0, queue_size=500, **FAST)
        plc = source("plc", "modbus", host="127.0.0.1", port=self.modbus, poll_interval_s=0.5, timeout_s=1)
        topics = [f"of-{name}/+/telemetry"]
        broker = source("broker", "mqtt", host="127.0.0.1", port=self.mqtt, topics=topics, client_id=f"to-{name}")
        signals = {
            "recorded": ("server", "ns=1;s=pump.recorded"),
            "register": ("plc", "holding:7:uint16"),
            "published": ("broker", f"{name}:count"),
        }
        return server + plc + broker + asset(name, signals)


class Devices:
    """Every device has something of its own wrong with it, from the start."""

    def __init__(self, plant: Plant) -> None:
        self._plant, folder = plant, plant.folder
        self._secure = {name: free_port() for name in ("expired", "swapped")}
        self._hall, self._mad = free_port(), free_port()
        self._pin, self._trusted = folder / "pin.pem", {n: folder / f"trusted-{n}" for n in ("expired", "stranger")}
        self._made = {name: make(folder / "made", name, days=-1 if name == "old" else 2) for name in _CERTIFICATES}
        for place in self._trusted.values():
            place.mkdir()
        for name in ("old", "renewed"):
            shutil.copy(self._made[name].certificate, self._trusted["expired"])
        shutil.copy(self._made["pinned"].certificate, self._pin)
        self._bad: dict[str, Peer] = {}
        self.gateway = EdgeGateway(folder, "gw-devices", plant.site, self._text())
        self.told = Told()

    def _text(self) -> str:
        plant, at = self._plant, "ns=1;s=pump.speed"
        own = {"security": "Basic256Sha256", "certificate_folder": str(plant.folder / "own"), **FAST}
        urls = {name: plant.url(port) for name, port in self._secure.items()}
        odd = {name: ("server", f"ns=1;s=odd.{name}") for name in ("late", "text", "list", "nan")}
        return (
            plant.counting("p1")
            + asset("odd", odd)
            + source("ahead", "opcua", url=plant.url(plant.opcua), **FAST)
            + asset("ahead", {"clock": ("ahead", "ns=1;s=odd.clock")})
            + source("expired", "opcua", url=urls["expired"], trusted_certificates=str(self._trusted["expired"]), **own)
            + asset("expired", {"speed": ("expired", at)})
            + source("swapped", "opcua", url=urls["swapped"], server_certificate=str(self._pin), **own)
            + asset("swapped", {"speed": ("swapped", at)})
            + source(
                "stranger", "opcua", url=urls["swapped"], trusted_certificates=str(self._trusted["stranger"]), **own
            )
            + asset("stranger", {"speed": ("stranger", at)})
            + source("hall", "opcua", url=plant.url(self._hall), timeout_s=2, **FAST)
            + asset("hall", {"speed": ("hall", at)})
            + source("mad", "modbus", host="127.0.0.1", port=self._mad, poll_interval_s=0.2, timeout_s=1)
            + asset("mad", {"register": ("mad", "holding:7:uint16")})
        )

    def break_them(self) -> None:
        plant = self._plant
        plant.machine("p1")
        self._bad = {
            "expired": self._server("expired", self._made["old"]),
            "swapped": self._server("swapped", self._made["other"]),
            "hall": _web_server(self._hall),
            "mad": python_peer("modbus_nonsense.py", port=self._mad),
            "vandal": python_peer("mqtt_vandal.py", "of-p1/x9/telemetry", port=plant.mqtt),
        }
        for peer in self._bad.values():
            plant.running.enter_context(peer)

    def _server(self, name: str, made: Made) -> Peer:
        files = (f"certificate={made.certificate}", f"key={made.key}")
        return node_peer("opcua_server.js", str(self._plant.pki), *files, port=self._secure[name])

    def mend_them(self) -> None:
        plant = self._plant
        for name in ("expired", "hall", "mad", "vandal"):
            self._bad[name].kill()
        plant.tell(well=True)
        # The swapped one was right: the plant's people say so, and touch nothing else.
        shutil.copy(self._made["other"].certificate, self._pin)
        shutil.copy(self._made["other"].certificate, self._trusted["stranger"])
        plant.running.enter_context(self._server("expired", self._made["renewed"]))
        plant.running.enter_context(node_peer("opcua_server.js", str(plant.pki), port=self._hall))
        plant.running.enter_context(python_peer("libmodbus_server.py", port=self._mad))

    def story(self) -> Told:
        told, gateway, wanted = self.told, self.gateway.start(), set(DEVICES.values())
        gather(told.page, wanted, NAMED_S, gateway.codes)
        gather(told.site, wanted, 15, gateway.codes_at_site)
        gateway.goes_on("server")
        told.seen = what_the_page_shows(gateway)
        if FINDINGS:
            gather(told.found, wanted, 20, lambda: self._found(ended=False))
        self.mend_them()
        for name in ("server", "broker", "plc", "ahead", "expired", "swapped", "stranger", "hall", "mad"):
            gateway.goes_on(name)
        gather(told.over, wanted, OVER_S, lambda: wanted - gateway.codes())
        gather(told.over_at_site, wanted, 15, gateway.over_at_site)
        if FINDINGS:
            gather(told.found_over, wanted, 15, lambda: self._found(ended=True))
        return told

    def _found(self, *, ended: bool) -> set[State]:
        found: set[State] = set()
        for state in DEVICES.values():
            found |= found_on(self.gateway, CONCERNED.get(state[0], state[0]), {state}, ended=ended)
        return found


def found_on(gateway: EdgeGateway, asset_id: str, states: set[State], *, ended: bool = False) -> set[State]:
    """Those of which the site has a finding on this machine."""
    return {
        (subject, code)
        for subject, code in states
        for f in findings_of(gateway.site, code, asset_id)
        if (f["ended_at"] is not None) == ended and f" {subject}: " in f["reason"]
    }


_CERTIFICATES = ("old", "renewed", "pinned", "other")


def _web_server(port: int) -> Peer:
    node = find_program("node") or "node"
    script = f"require('http').createServer((q, r) => r.end('hello')).listen({port}, '127.0.0.1')"
    return Peer([node, "-e", script], port)


def what_the_page_shows(gateway: EdgeGateway) -> str:
    """The text of the gateway's page, to somebody who signs in with a browser."""
    site, password = gateway.site, "gravel moon ladder teapot"
    made = site.http.post("/api/v1/people", json={"name": "looker", "grants": [{"role": "admin", "path": ""}]})
    assert made.status_code == 201, made.text
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(base_url=site.url)
        once, bearer = made.json()["one_time_password"], {"Origin": site.url}
        for address, body in (
            ("/api/v1/session", {"name": "looker", "password": once}),
            ("/api/v1/session/password", {"old": once, "new": password}),
        ):
            answer = context.request.post(address, data=body, headers=bearer)
            assert answer.ok, answer.text()
            bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        page = context.new_page()
        page.goto(f"/admin/gateways/{gateway.name}")
        page.get_by_role("heading", name=gateway.name).wait_for()
        with suppress(TimeoutError):
            page.get_by_text("Certificate expired").first.wait_for(timeout=15_000)
        shown = page.locator("body").inner_text()
        browser.close()
    return shown


def named_and_over(told: Told, state: tuple[str, str]) -> None:
    assert state in told.page, "on the gateway's own page"
    assert state in told.site, "at the site"
    assert state in told.over, "it ends alone"
    assert state in told.over_at_site, "the journal has its end"
