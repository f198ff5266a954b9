"""The HTTP side: who may send, which dialect a path speaks, and what is answered."""

from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

import msgspec
from aiohttp import web

from forewarn.contracts.connector import ReadingSink, SourceRequest
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import InvalidInput
from forewarn.kit.clock import now_us
from forewarn.kit.http_listener import Refusal, check_host, is_loopback, read_body, same_secret
from forewarn.plugins.connectors.webhook.columns import Gathered
from forewarn.plugins.connectors.webhook.intake import Intake
from forewarn.plugins.connectors.webhook.payload import Hook, Signals, batch_of, pushed_at
from forewarn.plugins.connectors.webhook.settings import WebhookSettings

Translate = Callable[[bytes, Signals, int], Gathered]
_MOST_LISTED: Final = 1_000
_NEXT_SYNC_MS: Final = 60_000


class HookServer:
    """Answers 200 only when what was sent is durable."""

    def __init__(self, request: SourceRequest, sink: ReadingSink, intake: Intake, token: str | None) -> None:
        assert isinstance(request.settings, WebhookSettings)
        self._settings = settings = request.settings
        self._signals = Signals(request.signals)
        self._sink = sink
        self._intake = intake
        self._token = token
        self._routes: dict[str, Translate] = {hook.path: Hook(hook).readings_of for hook in settings.hook}
        self._routes[settings.batch_path] = batch_of

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        settings = self._settings
        if is_loopback(settings.host):
            check_host(request, settings.host_names)
        self._admit(request)
        translate = self._route(request)
        if request.method not in ("POST", "PUT"):
            raise Refusal(405, f"{request.method} is not understood here: POST the readings")
        # A browser sends this type across sites only after asking, and we never allow it.
        if not request.content_type.endswith(("/json", "+json")):
            raise Refusal(415, f"Content-Type is {request.content_type!r}: send application/json", field="Content-Type")
        body = await read_body(request, settings.max_body_bytes, settings.timeout_s)
        gathered = self._translated(translate, body, request)
        await self._intake.store(gathered.columns())
        self._intake.heard()
        return web.Response(body=_answer(gathered), content_type="application/json")

    def _admit(self, request: web.BaseRequest) -> None:
        """Raises Refusal 401."""
        if self._token is None:
            return
        name = self._settings.token_header
        given = request.headers.get(name, "")
        if name.lower() == "authorization":
            scheme, _, given = given.partition(" ")
            given = given.strip() if scheme.lower() == "bearer" else ""
        if not given or not same_secret(given, self._token):
            self._sink.note(
                ConditionCode.CREDENTIALS_REFUSED,
                f"a sender at {request.remote} did not show the token in the header {name}: give it the token of this "
                "source",
            )
            raise Refusal(401, f"the header {name} does not carry the token of this source", field=name)

    def _route(self, request: web.BaseRequest) -> Translate:
        """Raises Refusal 404."""
        if found := self._routes.get(request.path):
            return found
        prefix = f"{self._settings.push_path}/"
        raw = request.raw_path.partition("?")[0]
        if not raw.startswith(prefix):
            raise Refusal(404, f"nothing is taken at {request.path}", field="path")
        address = unquote(raw[len(prefix) :])
        if self._signals.key(address) is None:
            text = f"{address[:200]!r} is no address of a signal of this source"
            self._sink.rejected(1, text, ConditionCode.UNKNOWN_ADDRESS)
            raise Refusal(404, f"{address!r} is no address of a signal of this source", field="path")
        return lambda body, signals, received_us: pushed_at(address, body, signals, received_us)

    def _translated(self, translate: Translate, body: bytes, request: web.BaseRequest) -> Gathered:
        """Raises Refusal 400 when nothing of it can be used."""
        try:
            gathered = translate(body, self._signals, now_us())
        except InvalidInput as error:
            self._sink.rejected(1, f"{request.path}: {error}", ConditionCode.NONSENSE)
            raise Refusal(400, str(error), field=error.field) from None
        if gathered.refused:
            first = gathered.refused[0]
            for condition in dict.fromkeys(refused.condition for refused in gathered.refused):
                reasons = [refused.reason for refused in gathered.refused if refused.condition is condition]
                self._sink.rejected(len(reasons), f"{request.path}: {reasons[0]}", condition)
            if not gathered.key:
                raise Refusal(400, first.reason, field=first.field)
        if missing := gathered.missing:
            text = f"{request.path}: {missing} readings are null or NaN: they are kept, as bad (BadNoData)"
            self._sink.note(ConditionCode.NOT_A_NUMBER, text)
        return gathered


def _answer(gathered: Gathered) -> bytes:
    anomalies = any(refused.index < 0 for refused in gathered.refused)
    rejected = [refused for refused in gathered.refused if refused.index >= 0]
    verdicts = [
        {"index": r.index, "sensor_id": r.sensor_id, "verdict": "rejected", "reason": r.reason, "field": r.field}
        for r in rejected[:_MOST_LISTED]
    ]
    return msgspec.json.encode(
        {
            "status": "partial" if rejected or anomalies else "accepted",
            "readings_accepted": len(gathered.key),
            "anomalies_accepted": 0,
            "next_sync": now_us() // 1_000 + _NEXT_SYNC_MS,
            "rejected": len(rejected),
            "verdicts": verdicts,
            "verdicts_omitted": len(rejected) - len(verdicts),
        }
    )
