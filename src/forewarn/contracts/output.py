"""A way out of a gateway for alarms and states while the site is away: to the SCADA, to a broker, to a screen."""

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel

from forewarn.contracts.status_board import StatusBoard


@dataclass(frozen=True, slots=True)
class OutputRequest:
    """gateway: its name. settings: parsed. name: the output's own, as in the gateway file."""

    name: str
    gateway: str
    settings: BaseModel


class Output(Protocol):
    """Exported as OUTPUT by `plugins/outputs/<name>`, entry point group `forewarn.outputs`.

    One with `needs_no_disk = True` is run too while the gateway waits for its disk (`GatewayStatus.waits_for_disk`):
    it shows states, and does not show that no alarm is known as if there were none."""

    name: ClassVar[str]
    settings: ClassVar[type[BaseModel]]

    async def run(self, request: OutputRequest, board: StatusBoard) -> None:
        """Show what the board tells until cancelled; all sockets are closed before it returns.

        Raises SourceUnreachable when the other side cannot be reached or is lost or the port is taken (the supervisor
        backs off and calls again), ConfigurationError when trying again cannot help."""
        ...


@runtime_checkable
class Mapped(Protocol):
    """What an output may be besides: one whose other side must be told where everything lies."""

    def map_text(self, board: StatusBoard) -> str:
        """CSV with a head line; depends on the board's assets and alarm rules alone. Raises ConfigurationError."""
        ...
