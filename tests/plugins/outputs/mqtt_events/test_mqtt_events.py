"""Alarm events and findings at a real Mosquitto: once each, whatever happens to the broker, the site and us."""

import asyncio
import json
import threading
import tomllib
from dataclasses import replace
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import ValidationError

from forewarn.contracts.alarm_store import Alarm
from forewarn.contracts.output import OutputRequest
from forewarn.contracts.status_board import Happening
from forewarn.domain.alarms import AlarmEvent, AlarmRule, AlarmState, AlarmStatus, Condition, Priority
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import SourceUnreachable
from forewarn.domain.findings import Finding, Severity
from forewarn.domain.gateways import BufferStatus, GatewayRole, GatewayStatus, LedgerSums, SiteState, UplinkStatus
from forewarn.gateway.outputs import OutputRunner, PlannedOutput
from forewarn.kit.clock import SECOND, now_us
from forewarn.kit.retry import Backoff
from forewarn.plugins.outputs.mqtt_events import OUTPUT
from forewarn.plugins.outputs.mqtt_events.settings import MqttEventsSettings
from tests.peers.processes import Peer, free_port, mosquitto
from tests.plugins.connectors.recording import eventually

AT = 1_769_846_400_000_000
RULE = AlarmRule("p1", "vibration.high", 1, "p1.vibration", Condition.ABOVE, 7.1, Priority.HIGH, "Vibration high")
RAISED = Alarm("p1/vibration.high", RULE, AlarmStatus(AlarmState.UNACKNOWLEDGED, active=True))
STATE = "forewarn/gateway/line-1/state"


class FilledBoard:
    """A board of which the test says what happens; `most` happenings are kept."""

    def __init__(self, most: int = 1_000) -> None:
        uplink = UplinkStatus(SiteState.AWAY, AT)
        parts = (uplink, BufferStatus(1, 0, 0, 1), LedgerSums())
        self._status = GatewayStatus("line-1", "1.0", AT, AT, GatewayRole.ALONE, *parts)
        self._all: list[Happening] = []
        self._most = most
        self.standing: list[Alarm] = []

    def site(self, state: SiteState, acknowledged: int | None = None) -> None:
        uplink = replace(self._status.uplink, state=state, last_acknowledged_at=acknowledged)
        self._status = replace(self._status, uplink=uplink)

    def happen(self, count: int = 1, asset: str = "p1") -> None:
        for _ in range(count):
            number = len(self._all) + 1
            event = AlarmEvent(asset, "vibration.high", AT + number, "raised", AlarmState.UNACKNOWLEDGED, value=number)
            self._all.append(Happening(number, event=event))

    def find(self) -> None:
        found = Finding(1, "p1.vibration", "p1", "robust_z", "spike", Severity.HIGH, 0.9, 7.3, 2.1, "far off", AT, AT)
        self._all.append(Happening(len(self._all) + 1, finding=found))

    @property
    def site_away(self) -> bool:
        return self._status.uplink.state is SiteState.AWAY

    async def changed(self, after: int, timeout_s: float) -> int:
        for _ in range(int(timeout_s / 0.01)):
            if len(self._all) > after:
                break
            await asyncio.sleep(0.01)
        return len(self._all)

    def happenings(self, after: int) -> list[Happening]:
        return [each for each in self._all[-self._most :] if each.number > after]

    def alarms(self) -> list[Alarm]:
        return self.standing

    def status(self) -> GatewayStatus:
        return self._status


class Listener:
    """Hears everything, through kills of the broker."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, dict[str, object], int, bool]] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False)
        self._client.on_message = lambda _c, _d, m: self.heard.append((m.topic, json.loads(m.payload), m.qos, m.retain))
        self._client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self._hears = threading.Event()
        self._client.on_subscribe = lambda *_: self._hears.set()
        self._client.reconnect_delay_set(0.05, 0.1)
        self._client.connect("127.0.0.1", port, keepalive=2)
        self._client.loop_start()

    def events(self) -> list[dict[str, object]]:
        return [told for topic, told, *_ in self.heard if topic.endswith("/events")]

    def numbers(self) -> list[int]:
        return [int(str(told["id"]).rsplit(":", 1)[1]) for told in self.events()]

    def states(self) -> list[dict[str, object]]:
        return [told for topic, told, *_ in self.heard if topic == STATE]

    def __enter__(self) -> "Listener":
        """What is published before the broker knows of the subscription is heard by nobody."""
        assert self._hears.wait(90), "the broker did not answer the subscription"
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def broker(tmp_path: Path):
    with mosquitto(tmp_path / "broker", free_port()) as peer:
        yield peer


class Telling:
    """The output, kept alive by the gateway's own runner."""

    def __init__(self, broker: Peer, board: FilledBoard, **more: object) -> None:
        given = {"host": "127.0.0.1", "port": broker.port, "keepalive_s": 1, "update_s": 0.05, **more}
        planned = PlannedOutput("events", OUTPUT, MqttEventsSettings.model_validate(given))
        self.runner = OutputRunner("line-1", [planned], board, Backoff(first_s=0.05, cap_s=0.2))  # type: ignore[arg-type]

    async def __aenter__(self) -> "Telling":
        self._task = asyncio.create_task(self.runner.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def test_events_and_findings_while_the_site_is_away(broker):
    board = FilledBoard()
    board.standing = [RAISED]
    board.happen()
    board.find()
    board.happen(asset="p/2#")
    with Listener(broker.port) as listener:
        async with Telling(broker, board):
            await eventually(lambda: len(listener.events()) == 3, "all")
    topics = [topic for topic, *_ in listener.heard if topic.endswith("/events")]
    assert topics == ["digital_twin/p1/events", "digital_twin/p1/events", "digital_twin/p_2_/events"]
    alarm, finding, _ = listener.events()
    assert alarm == {
        "id": "line-1:2026-01-31T08:00:00Z:1",
        "gateway": "line-1",
        "type": "alarm",
        "asset_id": "p1",
        "rule_id": "vibration.high",
        "event": "raised",
        "state": "unacknowledged",
        "timestamp": "2026-01-31T08:00:00.000001Z",
        "value": 1,
        "by": "",
        "comment": "",
        "sensor_id": "p1.vibration",
        "title": "Vibration high",
        "priority": "high",
        "threshold": 7.1,
        "action": "",
    }
    assert (finding["type"], finding["sensor_id"], finding["anomaly_score"]) == ("anomaly", "p1.vibration", 0.9)
    assert {qos for _, _, qos, _ in listener.heard} == {1}


async def test_alarm_events_alone_if_findings_are_not_wanted(broker):
    board = FilledBoard()
    board.find()
    board.happen()
    with Listener(broker.port) as listener:
        async with Telling(broker, board, findings=False):
            await eventually(lambda: listener.numbers() == [2], "the alarm")


async def test_nothing_is_told_while_the_site_has_it_and_what_it_may_lack_is(broker):
    board = FilledBoard()
    board.site(SiteState.CONNECTED, now_us() + 60 * SECOND)
    with Listener(broker.port) as listener:
        async with Telling(broker, board):
            await eventually(lambda: listener.states() != [], "the state")
            board.happen(3)
            await asyncio.sleep(0.3)
            acknowledged = now_us() - 30 * SECOND
            board.site(SiteState.CONNECTED, acknowledged)
            board.happen(2)
            await asyncio.sleep(0.3)
            assert listener.events() == []
            board.site(SiteState.AWAY, acknowledged)
            board.happen()
            await eventually(lambda: listener.numbers() == [4, 5, 6], "what the site may not have")


async def test_always_is_always(broker):
    board = FilledBoard()
    board.site(SiteState.CONNECTED, now_us() + 60 * SECOND)
    board.happen(2)
    with Listener(broker.port) as listener:
        async with Telling(broker, board, when="always"):
            await eventually(lambda: listener.numbers() == [1, 2], "both")


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_a_broker_that_comes_back_hears_the_rest_once(broker, how):
    board = FilledBoard()
    board.happen(5)
    with Listener(broker.port) as listener:
        async with Telling(broker, board) as telling:
            await eventually(lambda: listener.numbers() == [1, 2, 3, 4, 5], "the first five")
            await asyncio.sleep(3.0)  # Mosquitto writes what it knows of sessions each second
            broker.kill() if how == "killed" else broker.freeze()
            await eventually(lambda: bool(telling.runner.conditions()), "the loss")
            assert telling.runner.conditions()[0].code is ConditionCode.UNREACHABLE
            board.happen(5)
            if how == "killed":
                await asyncio.to_thread(broker.start)
            else:
                broker.thaw()
            await eventually(lambda: set(listener.numbers()) == set(range(1, 11)), "the rest")
            await asyncio.sleep(0.3)
    # What was on its way to a frozen broker may be told again, under the same number.
    assert sorted(listener.numbers()) == list(range(1, 11)) or how == "frozen"
    assert len(listener.numbers()) <= 11


async def test_what_the_board_forgot_is_counted(broker):
    board = FilledBoard(most=10)
    board.happen(25)
    with Listener(broker.port) as listener:
        async with Telling(broker, board):
            await eventually(lambda: bool(listener.states()) and listener.states()[-1].get("missed") == 15, "the count")
            assert listener.numbers() == list(range(16, 26))


async def test_the_state_is_retained_and_says_when_we_are_gone(broker):
    board = FilledBoard()
    with Listener(broker.port) as listener:
        async with Telling(broker, board):
            await eventually(lambda: bool(listener.states()), "the state")
            board.standing = [RAISED]
            await eventually(lambda: listener.states()[-1]["alarms"] == 1, "the alarm")
            assert listener.states()[-1]["standing"] == [
                {
                    "asset_id": "p1",
                    "rule_id": "vibration.high",
                    "state": "unacknowledged",
                    "priority": "high",
                    "title": "Vibration high",
                }
            ]
            told = len(listener.states())
            await asyncio.sleep(0.3)
            assert len(listener.states()) == told
        await eventually(lambda: listener.states()[-1] == {"online": False, "gateway": "line-1"}, "that we left")
    late = paho.Client(CallbackAPIVersion.VERSION2)
    kept: list[bytes] = []
    late.on_message = lambda _c, _d, message: kept.append(bytes(message.payload))
    late.on_connect = lambda client, *_: client.subscribe(STATE)
    late.connect("127.0.0.1", broker.port)
    late.loop_start()
    await eventually(
        lambda: [json.loads(raw) for raw in kept] == [{"online": False, "gateway": "line-1"}], "it is kept"
    )
    late.disconnect()
    late.loop_stop()


async def test_nobody_there_is_unreachable():
    request = OutputRequest("events", "line-1", MqttEventsSettings(host="127.0.0.1", port=free_port()))
    with pytest.raises(SourceUnreachable):
        await OUTPUT.run(request, FilledBoard())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given", [{"events_topic": "a/{b}"}, {"state_topic": "{asset}"}, {"events_topic": "a/+"}, {"state_topic": "{"}]
)
def test_topics_that_make_no_sense_are_refused(given):
    with pytest.raises(ValidationError, match=next(iter(given))):
        MqttEventsSettings.model_validate({"host": "h", **given})


def test_every_setting_is_documented_and_the_sample_is_valid():
    assert not [name for name, field in MqttEventsSettings.model_fields.items() if not field.description]
    folder = Path(__file__).parents[4] / "src/forewarn/plugins/outputs/mqtt_events"
    [output] = tomllib.loads((folder / "sample.toml").read_text())["gateway"]["output"]
    assert output["output"] == OUTPUT.name
    MqttEventsSettings.model_validate(output["settings"])
