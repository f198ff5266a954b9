"""One MQTT session on the asyncio loop: paho does the protocol, nothing here runs in a thread after connecting."""

import asyncio
import ssl
from collections import deque
from contextlib import suppress
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.kit.named_secret import named_secret
from forewarn.plugins.connectors.mqtt.settings import MqttSettings

# Above this many unstored messages we stop reading: TCP then holds a QoS 0 sender back.
_MOST_WAITING: Final = 5_000
_WRONG_CREDENTIALS: Final = ("Not authorized", "Bad user name or password")


class Link:
    """Messages arrive in `waiting`. `arrived`: there are some; `full`: there are `gather_messages`; both are set
    when the link is lost."""

    def __init__(self, settings: MqttSettings, client_id: str) -> None:
        self._settings = settings
        self._where = f"{settings.host}:{settings.port}"
        self._loop = asyncio.get_running_loop()
        self._socket: Any = None
        self._paused = False
        self._subscribed: asyncio.Future[None] = self._loop.create_future()
        self._connecting: asyncio.Task[None] | None = None
        self._heartbeat: asyncio.Task[None] | None = None
        self.waiting: deque[paho.MQTTMessage] = deque()
        self.arrived = asyncio.Event()
        self.full = asyncio.Event()
        self.lost = ""
        self.heard = False
        self._client = self._new_client(client_id)

    def _new_client(self, client_id: str) -> paho.Client:
        settings = self._settings
        five = settings.protocol == "5"
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            # The broker keeps what we have not acknowledged, also while we are away.
            clean_session=None if five else False,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = settings.timeout_s
        if settings.user is not None:
            client.username_pw_set(settings.user, _password(settings))
        if settings.tls:
            client.tls_set_context(_tls_context(settings))
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    async def open(self) -> None:
        """Connected and subscribed when it returns. Raises SourceUnreachable, ConfigurationError."""
        try:
            # Name look-up and TLS handshake block, so they have a thread of their own, which cannot be cancelled.
            self._connecting = asyncio.create_task(asyncio.to_thread(self._connect))
            await asyncio.shield(self._connecting)
        except OSError as error:
            raise SourceUnreachable(f"{self._where} does not answer: {error}") from error
        self._socket = self._client.socket()
        if self._socket is None:
            raise SourceUnreachable(f"{self._where} closed the connection")
        self._client.on_socket_register_write = self._want_write
        self._client.on_socket_unregister_write = self._wrote_all
        self._loop.add_reader(self._socket, self._read)
        if self._client.want_write():
            self._loop.add_writer(self._socket, self._write)
        self._heartbeat = asyncio.create_task(self._beat())
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                await self._subscribed
        except TimeoutError as error:
            raise SourceUnreachable(f"{self._where} accepts connections but does not speak MQTT") from error

    def _connect(self) -> None:
        properties = None
        clean_start: Any = paho.MQTT_CLEAN_START_FIRST_ONLY
        if self._settings.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = self._settings.session_expiry_s
            clean_start = False
        settings = self._settings
        self._client.connect(
            settings.host, settings.port, settings.keepalive_s, clean_start=clean_start, properties=properties
        )

    def take(self, most: int) -> list[paho.MQTTMessage]:
        """The oldest waiting messages, at most `most`."""
        taken = [self.waiting.popleft() for _ in range(min(most, len(self.waiting)))]
        if not self.lost:
            if not self.waiting:
                self.arrived.clear()
            if len(self.waiting) < self._settings.gather_messages:
                self.full.clear()
        if self._paused and len(self.waiting) < _MOST_WAITING // 2 and not self.lost:
            self._paused = False
            self._loop.add_reader(self._socket, self._read)
        return taken

    def acknowledge(self, message: paho.MQTTMessage) -> None:
        """The broker may forget it. Without effect on a lost link: it will be sent again."""
        if not self.lost:
            self._client.ack(message.mid, message.qos)

    async def close(self) -> None:
        if self._connecting is not None:
            await asyncio.gather(self._connecting, return_exceptions=True)  # within timeout_s
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            await asyncio.gather(self._heartbeat, return_exceptions=True)
        mine = self._socket if self._socket is not None else self._client.socket()
        self._detach(mine)
        self._client.on_socket_register_write = None
        self._client.on_socket_unregister_write = None
        with suppress(OSError, ValueError):
            self._client.disconnect()
        if mine is not None:
            mine.close()

    def _read(self) -> None:
        while not self.lost:
            result = self._client.loop_read()
            if result != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._lose(paho.error_string(result))
                return
            self.heard = True
            # TLS may hold decrypted messages that the selector cannot see.
            if not (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
                return

    def _write(self) -> None:
        result = self._client.loop_write()
        if result != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._lose(paho.error_string(result))

    def _want_write(self, *_: Any) -> None:
        self._loop.add_writer(self._socket, self._write)

    def _wrote_all(self, *_: Any) -> None:
        if not self.lost and self._socket.fileno() >= 0:
            self._loop.remove_writer(self._socket)

    async def _beat(self) -> None:
        while not self.lost:
            await asyncio.sleep(min(1.0, self._settings.keepalive_s / 4))
            if not self._paused and not self.lost:
                result = self._client.loop_misc()
                if result != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    self._lose(paho.error_string(result))

    def _lose(self, why: str) -> None:
        if self.lost:
            return
        self.lost = f"{self._where} is lost: {why}"
        self._fail(SourceUnreachable(self.lost))
        self.arrived.set()
        self.full.set()
        self._detach(self._socket)

    def _detach(self, socket: Any) -> None:
        """Take the socket off the loop. paho may have closed it: uvloop then closes it in truth as its last
        callback is removed, so the file descriptor may be gone between the two calls."""
        for remove in (self._loop.remove_writer, self._loop.remove_reader):
            if socket is not None and socket.fileno() >= 0:
                with suppress(ValueError, OSError):
                    remove(socket)

    def _fail(self, error: Exception) -> None:
        if not self._subscribed.done():
            self._subscribed.set_exception(error)

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        if not code.is_failure:
            self._client.subscribe([(topic, 1) for topic in self._settings.topics])
        elif str(code) in _WRONG_CREDENTIALS:
            self._fail(ConfigurationError(f"{self._where} refuses user {self._settings.user!r}: {code}"))
        else:
            self._fail(SourceUnreachable(f"{self._where} refuses the connection: {code}"))

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, codes: list[ReasonCode], _properties: Any) -> None:
        for topic, code in zip(self._settings.topics, codes, strict=True):
            if code.is_failure:
                self._fail(SourceUnreachable(f"{self._where} refuses the topic {topic!r}: {code}"))
        if not self._subscribed.done():
            self._subscribed.set_result(None)

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        self.waiting.append(message)
        self.arrived.set()
        if len(self.waiting) >= self._settings.gather_messages:
            self.full.set()
        if len(self.waiting) >= _MOST_WAITING and not self._paused:
            self._paused = True
            self._loop.remove_reader(self._socket)

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        if self._socket is not None:
            self._lose(str(code))


def _password(settings: MqttSettings) -> str | None:
    try:
        return named_secret("password", settings.password_env, settings.password_file)
    except LookupError as error:
        raise ConfigurationError(str(error)) from None


def _tls_context(settings: MqttSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(settings.ca) if settings.ca else None)
        if settings.certificate is not None:
            context.load_cert_chain(settings.certificate, settings.private_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"ca, certificate or private_key cannot be read: {error}") from error
    return context
