"""One MQTT session on the asyncio loop: paho does the protocol, nothing here runs in a thread after connecting."""

import asyncio
import secrets
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError, ForewarnError, SourceUnreachable
from forewarn.kit.named_secret import named_secret
from forewarn.plugins.mqtt_link.client import BufferedClient, BufferedSocket
from forewarn.plugins.mqtt_link.settings import BrokerSettings
from forewarn.plugins.mqtt_link.tls import refusal, tls_context

# Above this many unstored messages we stop reading: TCP then holds a QoS 0 sender back.
_MOST_WAITING: Final = 5_000
_MOST_BYTES: Final = 16 * 2**20
_WRONG_CREDENTIALS: Final = ("Not authorized", "Bad user name or password", "Banned", "Bad authentication method")
_WRONG_SETTINGS: Final = ("Unsupported protocol version", "Client identifier not valid", "Topic name invalid")


@dataclass(frozen=True, slots=True)
class Subscription:
    """retained: whether the broker shall send what it holds of the topic (MQTT 5; before, it always does)."""

    topic: str
    qos: int = 1
    retained: bool = True


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes when we are gone without a word."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True


def one_off(client_id: str) -> str:
    """For a session beside the real one, which would be thrown out by another of its name."""
    return f"{client_id}-{secrets.token_hex(4)}"


class Link:
    """Messages arrive in `waiting`. `arrived`: there are some; `full`: there are `gather`; both are set when the link
    is lost. `refused`: topics that the broker did not let us have, with its reason.

    keep_session_s: how long the broker keeps our unacknowledged messages while we are away (a time MQTT 5 only, before
    it is the broker's choice); None: not at all, every session begins anew."""

    def __init__(
        self,
        settings: BrokerSettings,
        client_id: str,
        *,
        subscriptions: Sequence[Subscription] = (),
        keep_session_s: int | None = None,
        will: Will | None = None,
        gather: int = 1,
    ) -> None:
        self._settings = settings
        self._subscriptions = subscriptions
        self._keep_session_s = keep_session_s
        self._gather = gather
        self._where = f"{settings.host}:{settings.port}"
        self._loop = asyncio.get_running_loop()
        self._socket: BufferedSocket | None = None
        self._paused = False
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._publishing: dict[int, asyncio.Future[None]] = {}
        self._connecting: asyncio.Task[None] | None = None
        self._heartbeat: asyncio.Task[None] | None = None
        self.waiting: deque[paho.MQTTMessage] = deque()
        self.arrived = asyncio.Event()
        self.full = asyncio.Event()
        self.refused: dict[str, str] = {}
        self.lost: ForewarnError | None = None
        self.heard = False
        self._client = self._new_client(client_id, will)

    def _new_client(self, client_id: str, will: Will | None) -> BufferedClient:
        settings = self._settings
        five = settings.protocol == "5"
        client = BufferedClient(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if five else self._keep_session_s is None,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = settings.timeout_s
        if settings.user is not None:
            client.username_pw_set(settings.user, _password(settings))
        if settings.tls:
            client.tls_set_context(tls_context(settings))
        if will is not None:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        return client

    async def open(self) -> None:
        """Connected and subscribed when it returns. Raises SourceUnreachable, ConfigurationError."""
        try:
            # Name look-up and TLS handshake block, so they have a thread of their own, which cannot be cancelled.
            self._connecting = asyncio.create_task(asyncio.to_thread(self._connect))
            await asyncio.shield(self._connecting)
        except OSError as error:
            raise refusal(self._where, error, self._settings) from error
        connected: Any = self._client.socket()
        if connected is None:
            broken = self._client.buffered.broken if self._client.buffered is not None else None
            raise refusal(self._where, broken or ConnectionResetError("it closed the connection"), self._settings)
        self._socket = connected
        self._client.on_socket_register_write = self._want_write
        self._client.on_socket_unregister_write = self._wrote_all
        self._client.on_socket_close = self._closing
        self._loop.add_reader(connected, self._read)
        if self._client.want_write():
            self._loop.add_writer(connected, self._write)
        connected.gathers = True
        self._heartbeat = asyncio.create_task(self._beat())
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                await self._ready
        except TimeoutError as error:
            raise SourceUnreachable(f"{self._where} accepts connections but does not speak MQTT") from error

    def _connect(self) -> None:
        properties = None
        clean_start: Any = paho.MQTT_CLEAN_START_FIRST_ONLY
        if self._settings.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = self._keep_session_s or 0
            clean_start = self._keep_session_s is None
        settings = self._settings
        self._client.connect(
            settings.host, settings.port, settings.keepalive_s, clean_start=clean_start, properties=properties
        )

    def take(self, most: int) -> list[paho.MQTTMessage]:
        """The oldest waiting messages, at most `most`, and no more than 16 MiB of them if it is more than one."""
        taken: list[paho.MQTTMessage] = []
        left = _MOST_BYTES
        while self.waiting and len(taken) < most and left > 0:
            taken.append(self.waiting.popleft())
            left -= len(taken[-1].payload)
        if not self.lost:
            if not self.waiting:
                self.arrived.clear()
            if len(self.waiting) < self._gather:
                self.full.clear()
        drained = self._paused and len(self.waiting) < _MOST_WAITING // 2 and not self.lost
        if drained and self._socket is not None:
            self._paused = False
            self._loop.add_reader(self._socket, self._read)
            self._loop.call_soon(self._read)  # what lies in our own buffer wakes no selector
        return taken

    def acknowledge(self, message: paho.MQTTMessage) -> None:
        """The broker may forget it. Without effect on a lost link: it will be sent again."""
        if not self.lost:
            self._client.ack(message.mid, message.qos)

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Returns when the broker has it (qos 1) or it is on its way (qos 0). Raises SourceUnreachable when the link is
        lost before: the broker may have it or not."""
        if self.lost:
            raise self.lost
        info = self._client.publish(topic, payload, qos, retain)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise SourceUnreachable(f"{self._where}: {topic} cannot be published: {paho.error_string(info.rc)}")
        if qos:
            done = self._publishing[info.mid] = self._loop.create_future()
            try:
                await done
            finally:
                self._publishing.pop(info.mid, None)

    async def close(self) -> None:
        if self._connecting is not None:
            await asyncio.gather(self._connecting, return_exceptions=True)  # within timeout_s
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            await asyncio.gather(self._heartbeat, return_exceptions=True)
        mine: Any = self._socket if self._socket is not None else self._client.socket()
        self._detach(mine)
        self._client.on_socket_register_write = None
        self._client.on_socket_unregister_write = None
        if mine is not None:
            with suppress(OSError, ValueError):
                mine.flush()
                mine.gathers = False
        with suppress(OSError, ValueError):
            self._client.disconnect()
        if mine is not None:
            mine.close()

    def _read(self) -> None:
        while not self.lost and not self._paused and self._socket is not None:
            try:
                result = self._client.loop_read()
            except Exception as error:  # paho raises what its parser meets: IndexError, struct.error, its own
                self._lose(f"it sent nonsense: {error!r}", ConditionCode.NONSENSE)
                return
            if result == MQTTErrorCode.MQTT_ERR_PROTOCOL:
                self._lose("it sent what is no MQTT", ConditionCode.NONSENSE)
            elif result != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._lose(paho.error_string(result))
            if self.lost:
                return
            self.heard = True
            if not self._socket.holds:
                return

    def _write(self) -> None:
        result = self._client.loop_write()
        try:
            if self._socket is not None:
                self._socket.flush()
        except OSError as error:
            self._lose(str(error))
            return
        if result != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._lose(paho.error_string(result))
            return
        self._wrote_all()

    def _want_write(self, *_: Any) -> None:
        if not self.lost and self._socket is not None:
            self._loop.add_writer(self._socket, self._write)

    def _wrote_all(self, *_: Any) -> None:
        socket = self._socket
        if self.lost or socket is None or socket.fileno() < 0:
            return
        if not socket.unsent and not self._client.want_write():
            self._loop.remove_writer(socket)

    async def _beat(self) -> None:
        while not self.lost:
            await asyncio.sleep(min(1.0, self._settings.keepalive_s / 4))
            if not self._paused and not self.lost:
                result = self._client.loop_misc()
                if result != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    self._lose(paho.error_string(result))

    def _lose(self, why: str, condition: ConditionCode = ConditionCode.UNREACHABLE) -> None:
        if self.lost:
            return
        broken = self._socket.broken if self._socket is not None else None
        if not self._ready.done() and broken is not None:
            self.lost = refusal(self._where, broken, self._settings)
        else:
            self.lost = SourceUnreachable(f"{self._where} is lost: {broken or why}", condition=condition)
        self._fail(self.lost)
        self.arrived.set()
        self.full.set()
        self._detach(self._socket)

    def _closing(self, _client: Any, _data: Any, socket: Any) -> None:
        self._detach(socket)

    def _detach(self, socket: Any) -> None:
        """Take the socket off the loop, before paho closes it: a closed one has no number to be known by."""
        for remove in (self._loop.remove_writer, self._loop.remove_reader):
            if socket is not None and socket.fileno() >= 0:
                with suppress(ValueError, OSError):
                    remove(socket)

    def _fail(self, error: ForewarnError) -> None:
        for waiting in (self._ready, *self._publishing.values()):
            if not waiting.done():
                waiting.set_exception(error)
        # Nobody may wait for it, and an exception never fetched is a line in the log.
        if not self._ready.cancelled():
            self._ready.exception()

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        if str(code) in _WRONG_CREDENTIALS:
            text = f"{self._where} refuses user {self._settings.user!r}: {code}"
            self._fail(SourceUnreachable(text, condition=ConditionCode.CREDENTIALS_REFUSED))
        elif str(code) in _WRONG_SETTINGS:
            self._fail(ConfigurationError(f"{self._where} refuses the connection: {code}"))
        elif code.is_failure:
            self._fail(SourceUnreachable(f"{self._where} refuses the connection: {code}"))
        elif self._subscriptions:
            self._subscribe()
        elif not self._ready.done():
            self._ready.set_result(None)

    def _subscribe(self) -> None:
        if self._settings.protocol == "5":
            self._client.subscribe([(each.topic, _options(each)) for each in self._subscriptions])
        else:
            self._client.subscribe([(each.topic, each.qos) for each in self._subscriptions])

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, codes: list[ReasonCode], _properties: Any) -> None:
        for wanted, code in zip(self._subscriptions, codes, strict=False):
            if code.is_failure:
                self.refused[wanted.topic] = str(code)
        if len(self.refused) == len(self._subscriptions):
            texts = "; ".join(f"{topic!r}: {reason}" for topic, reason in self.refused.items())
            text = f"{self._where} refuses every topic asked for: {texts}"
            self._fail(SourceUnreachable(text, condition=ConditionCode.CREDENTIALS_REFUSED))
        if not self._ready.done():
            self._ready.set_result(None)

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        self.waiting.append(message)
        self.arrived.set()
        if len(self.waiting) >= self._gather:
            self.full.set()
        if len(self.waiting) >= _MOST_WAITING and not self._paused and self._socket is not None:
            self._paused = True
            self._loop.remove_reader(self._socket)

    def _on_publish(self, _client: Any, _data: Any, mid: int, code: ReasonCode, _properties: Any) -> None:
        done = self._publishing.get(mid)
        if done is None or done.done():
            return
        if code.is_failure:
            text = f"{self._where} refuses what we publish: {code}"
            done.set_exception(SourceUnreachable(text, condition=ConditionCode.CREDENTIALS_REFUSED))
        else:
            done.set_result(None)

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        if self._socket is not None:
            self._lose(str(code))


def _options(wanted: Subscription) -> SubscribeOptions:
    handling = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE if wanted.retained else SubscribeOptions.RETAIN_DO_NOT_SEND
    return SubscribeOptions(wanted.qos, retainHandling=handling)


def _password(settings: BrokerSettings) -> str | None:
    try:
        return named_secret("password", settings.password_env, settings.password_file)
    except LookupError as error:
        raise ConfigurationError(str(error)) from None
