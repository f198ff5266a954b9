"""From the status board to the server's nodes."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel

from forewarn.contracts.alarm_store import AlarmKey
from forewarn.contracts.output import OutputRequest
from forewarn.contracts.status_board import StatusBoard
from forewarn.domain.alarms import AlarmState
from forewarn.domain.errors import SourceUnreachable
from forewarn.plugins.outputs.opcua_alarms.picture import gateway_values, shown_alarms
from forewarn.plugins.outputs.opcua_alarms.settings import OpcUaAlarmsSettings

if TYPE_CHECKING:
    from forewarn.plugins.outputs.opcua_alarms.server import AlarmServer


class OpcUaAlarms:
    """See README.md."""

    name: ClassVar[str] = "opcua_alarms"
    settings: ClassVar[type[BaseModel]] = OpcUaAlarmsSettings

    async def run(self, request: OutputRequest, board: StatusBoard) -> None:
        # The server's library takes half a second and 50 MB: only who asks for this output pays for it.
        from forewarn.plugins.outputs.opcua_alarms.server import AlarmServer

        settings = request.settings
        assert isinstance(settings, OpcUaAlarmsSettings)
        server = AlarmServer(settings)
        try:
            await server.start()
        except OSError as error:
            await server.stop()
            raise SourceUnreachable(
                f"output {request.name!r} cannot listen on {settings.host}:{settings.port}: {error}; "
                "choose another port"
            ) from error
        try:
            await _Show(server, settings, ("Forewarn", request.gateway), board).run()
        finally:
            await server.stop()


class _Show:
    """Keeps the nodes as the board tells."""

    def __init__(
        self, server: "AlarmServer", settings: OpcUaAlarmsSettings, root: tuple[str, ...], board: StatusBoard
    ) -> None:
        self._server, self._settings, self._root, self._board = server, settings, root, board
        self._alarms: set[tuple[str, ...]] = set()
        self._raised: set[AlarmKey] = set()

    async def run(self) -> None:
        seen = 0
        while True:
            await self._update()
            seen = await self._board.changed(seen, self._settings.update_s)

    async def _update(self) -> None:
        board, root = self._board, self._root
        for path, value in gateway_values(board.status(), board.site_away).items():
            await self._server.write((*root, *path), value)
        alarms = board.alarms()
        self._raised |= {(a.rule.asset_id, a.rule.rule_id) for a in alarms if a.status.state is not AlarmState.NORMAL}
        if len(alarms) > self._settings.all_up_to:
            alarms = [alarm for alarm in alarms if (alarm.rule.asset_id, alarm.rule.rule_id) in self._raised]
        shown = shown_alarms(alarms, {asset.id: asset for asset in board.assets()})
        for gone in self._alarms - shown.keys():
            await self._server.forget((*root, *gone))
        for path, values in shown.items():
            await self._server.show((*root, *path), values)
        self._alarms = set(shown)
