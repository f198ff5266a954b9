"""The status as Prometheus reads it (text exposition format 0.0.4)."""

from collections.abc import Iterator, Sequence

from forewarn.domain.gateways import GatewayStatus
from forewarn.kit.clock import SECOND

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(status: GatewayStatus) -> str:
    return "".join(f"{line}\n" for line in _lines(status))


def _lines(status: GatewayStatus) -> Iterator[str]:
    uplink, buffer, ledger = status.uplink, status.buffer, status.ledger
    yield from _metric("info", "gauge", [({"name": status.name, "version": status.version}, 1)])
    yield from _metric("role", "gauge", [({"role": status.role.value}, 1)])
    yield from _metric("site_state", "gauge", [({"state": uplink.state.value}, 1)])
    yield from _metric("live_lag_seconds", "gauge", [({}, uplink.live_lag_s)])
    if uplink.clock_offset_s is not None:
        yield from _metric("clock_offset_seconds", "gauge", [({}, uplink.clock_offset_s)])
    yield from _metric("backlog_readings", "gauge", [({}, uplink.backlog_readings)])
    yield from _metric("backlog_bytes", "gauge", [({}, uplink.backlog_bytes)])
    yield from _metric("sent_bytes_total", "counter", [({}, uplink.sent_bytes)])
    kinds = {"raw": buffer.raw_bytes, "outbox": buffer.outbox_bytes}
    yield from _metric("buffer_bytes", "gauge", [({"part": part}, size) for part, size in kinds.items()])
    yield from _metric("buffer_budget_bytes", "gauge", [({}, buffer.budget_bytes)])
    yield from _metric("disk_free_bytes", "gauge", [({}, buffer.free_disk_bytes)])
    names = ("read", "kept", "thinned", "acknowledged", "refused", "left_to_partner", "thinned_early", "rejected")
    sums = [({"fate": name}, getattr(ledger, name)) for name in (*names, "duplicate")]
    yield from _metric("readings_total", "counter", sums)
    yield from _metric("readings_waiting", "gauge", [({}, ledger.pending + ledger.in_hand)])
    yield from _metric("ledger_adds_up", "gauge", [({}, int(ledger.adds_up))])
    yield from _metric(
        "source_state", "gauge", [({"source": s.name, "state": s.state.value}, 1) for s in status.sources]
    )
    yield from _metric("source_readings_total", "counter", [({"source": s.name}, s.readings) for s in status.sources])
    yield from _metric("source_rejected_total", "counter", [({"source": s.name}, s.rejected) for s in status.sources])
    yield from _metric(
        "source_reconnects_total", "counter", [({"source": s.name}, s.reconnects) for s in status.sources]
    )
    delays = [({"source": s.name}, s.delay_s) for s in status.sources if s.delay_s is not None]
    yield from _metric("source_delay_seconds", "gauge", delays)
    held = [({"code": c.code.value, "subject": c.subject}, 1) for c in status.conditions]
    yield from _metric("condition", "gauge", held)
    yield from _metric("alarms_active", "gauge", [({}, status.alarms)])
    yield from _metric("signals", "gauge", [({}, status.signals)])
    yield from _metric("signals_silent", "gauge", [({}, len(status.silent))])
    yield from _metric("resident_bytes", "gauge", [({}, status.resident_bytes)])
    yield from _metric("started_seconds", "gauge", [({}, status.started_at / SECOND)])


def _metric(name: str, kind: str, samples: Sequence[tuple[dict[str, str], float]]) -> Iterator[str]:
    if not samples:
        return
    full = f"forewarn_gateway_{name}"
    yield f"# TYPE {full} {kind}"
    for labels, value in samples:
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{full}{{{inside}}} {value}" if inside else f"{full} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
