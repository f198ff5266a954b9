"""An edge gateway as the site's API sees one."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import httpx
import msgspec
import numpy as np

from forewarn.api.gateway_tables import table_name
from forewarn.domain.findings import Finding, Severity
from forewarn.domain.gateways import BufferStatus, GatewayRole, GatewayStatus, LedgerSums, SiteState, UplinkStatus
from forewarn.domain.series import Series
from forewarn.gateway import wire
from forewarn.kit.clock import now_us
from tests.api.site import Site

SIGNALS = ("p1.vibration", "p1.temperature", "p1.speed")


@dataclass
class Gateway:
    """Speaks the uplink's protocol with its own key."""

    site: Site
    name: str
    signals: Sequence[str] = SIGNALS
    number: int = 0
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.site.url, timeout=30, auth=self.site.opened.gateway(self.name))

    @property
    def base(self) -> str:
        return f"/api/v1/gateways/{self.name}"

    @property
    def table(self) -> str:
        return table_name(self.signals)

    def put_signals(self) -> httpx.Response:
        signals = {str(key): name for key, name in enumerate(self.signals, 1)}
        return self.client.put(f"{self.base}/signals", json={"table": self.table, "signals": signals})

    def send(self, body: bytes, kind: str = "readings", number: int | None = None, **headers: str) -> httpx.Response:
        """As the next parcel, unless a number is given."""
        if number is None:
            self.number += 1
            number = self.number
        told = {"Forewarn-Parcel": kind, "Forewarn-Signals": self.table, "Content-Encoding": "zstd"}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(f"{self.base}/parcels/{number}", content=body, headers=told)

    def beat(self, *done: str, **status: object) -> httpx.Response:
        body = msgspec.json.encode({"status": replace(self.status(), **status), "done": done})
        return self.client.post(f"{self.base}/heartbeat", content=body)

    def status(self) -> GatewayStatus:
        now = now_us()
        return GatewayStatus(
            name=self.name,
            version="1.0",
            at=now,
            started_at=now - 1_000_000,
            role=GatewayRole.ALONE,
            uplink=UplinkStatus(SiteState.CONNECTED, now),
            buffer=BufferStatus(1 << 30, 1 << 20, 1 << 10, 1 << 33),
            ledger=LedgerSums(),
            signals=len(self.signals),
        )


def series(*rows: tuple[int, int, float], quality: Sequence[int] = ()) -> Series:
    """Of (gateway's key, microseconds, value)."""
    signal, time, value = zip(*rows, strict=True) if rows else ((), (), ())
    codes = np.array(quality or [0] * len(rows), np.uint32)
    return Series(np.array(signal, np.int32), np.array(time, np.int64), np.array(value, np.float64), codes)


def parcel(*rows: tuple[int, int, float], quality: Sequence[int] = ()) -> bytes:
    return wire.encode_readings(series(*rows, quality=quality))


def found(started_at: int, ended_at: int | None = None, *, signal: str = "p1.vibration", score: float = 0.8) -> Finding:
    """By the site's own detector, at the edge. signal_key: the gateway's, which the site must not believe."""
    return Finding(
        signal_key=77,
        signal_id=signal,
        asset_id="somewhere else",
        detector="robust_z",
        anomaly_type="statistical",
        severity=Severity.HIGH,
        score=score,
        value=7.5,
        expected=None,
        reason="far from usual",
        started_at=started_at,
        last_at=started_at + 5_000_000 if ended_at is None else ended_at,
        ended_at=ended_at,
        count=5,
    )
