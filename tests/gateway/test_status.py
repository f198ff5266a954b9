"""What a gateway tells of itself."""

from pathlib import Path

from forewarn.app.gateway.file_plant import FilePlantView
from forewarn.domain.assets import Asset, Plant, Signal
from forewarn.gateway.local.database import Memory
from forewarn.gateway.local.keys import SignalKeys
from forewarn.gateway.outbox import SqliteOutbox
from forewarn.gateway.status import RawBuffer, StatusReport
from forewarn.kit.clock import now_us


class NoAlarms:
    def rules(self) -> list[object]:
        return []


def plant(*names: str) -> Plant:
    return Plant((Asset("p1", "Pump", ("acme",)),), tuple(Signal(f"p1.{n}", "p1", n, "flow", "m3/h") for n in names))


def test_signals_that_left_its_file_are_told_as_former(tmp_path: Path) -> None:
    """Their numbers stay theirs, but nobody may take the gateway's heartbeat for a sign of their life."""
    keys, outbox = SignalKeys(tmp_path, Memory(tmp_path)), SqliteOutbox(tmp_path / "outbox")
    before, after = plant("flow", "level"), plant("level")
    view = FilePlantView(before, keys.take(before))
    report = StatusReport(
        *("gw", "1", now_us, view, NoAlarms(), outbox),
        budget_bytes=1,
        directory=tmp_path,
        raw=lambda: RawBuffer(0, None),
        sources=lambda: (),
        ids=keys.id_of,
    )
    assert report().former == ()
    view.take(after, keys.take(after))
    assert report().former == ("p1.flow",)
    outbox.close()
