"""What a site keeps of its gateways: what is called off or retired is gone as a whole; on SQLite and PostgreSQL."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, event

from forewarn.catalog import Catalog, Seal, open_catalog
from forewarn.contracts.audit_log import AuditQuery
from forewarn.contracts.gateway_records import RawRequest
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.conditions import ConditionCode, GatewayCondition
from forewarn.domain.errors import Conflict, NotFound
from forewarn.domain.gateways import (
    BufferStatus,
    GatewayRole,
    GatewayStatus,
    LedgerSums,
    Reduction,
    SiteState,
    UplinkStatus,
)

DEED = Deed(AuditAction.COMMAND_GIVEN, "anna", "a gateway")


@pytest.fixture
def sealed(url: str) -> Iterator[Catalog]:
    with open_catalog(url, now=lambda: 9_000, seal=Seal(b"0" * 32)) as catalog:
        yield catalog


def status(name: str, *conditions: GatewayCondition) -> GatewayStatus:
    uplink, buffer = UplinkStatus(SiteState.CONNECTED, 1), BufferStatus(1, 0, 0, 1)
    return GatewayStatus(name, "1", 2, 1, GatewayRole.ALONE, uplink, buffer, LedgerSums(), conditions=conditions)


def request(number: str, gateway: str = "gw") -> RawRequest:
    return RawRequest(number, gateway, ("p1.a",), 1, 2, "anna", int(number))


def deeds(catalog: Catalog) -> int:
    return len(catalog.audit.find(AuditQuery()))


def test_a_retired_gateway_takes_with_it_all_that_was_kept_of_it_and_nothing_else(sealed: Catalog) -> None:
    store = sealed.gateways
    for name in ("gw", "other"):
        store.beat(status(name, GatewayCondition(ConditionCode.DISK_FULL, "", 1, 2, "make room")), ())
        store.ask(request("1" if name == "gw" else "2", name), DEED)
    before = deeds(sealed)
    store.retire("gw", DEED)
    assert [g.name for g in store.gateways()] == ["other"]
    assert (list(store.conditions("gw", 9)), list(store.requests("gw", 9))) == ([], [])
    assert (len(store.conditions("other", 9)), len(store.requests("other", 9))) == (1, 1)
    assert deeds(sealed) == before + 1
    with pytest.raises(NotFound, match="no gateway 'gw'"):
        store.retire("gw", DEED)
    assert deeds(sealed) == before + 1
    assert list(store.beat(status("gw"), ())) == []
    assert store.gateway("gw").signals == ()


def test_heartbeats_meanwhile_find_it_or_make_it_anew(sealed: Catalog) -> None:
    store, held = sealed.gateways, GatewayCondition(ConditionCode.DISK_FULL, "", 1, 2, "make room")

    def beat(_: int) -> None:
        store.beat(status("gw", held), ())

    def retire(_: int) -> None:
        try:
            store.retire("gw", DEED)
        except NotFound:
            return

    beat(0)
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(beat if n % 3 else retire, n) for n in range(60)]
    for each in done:
        each.result()
    beat(0)
    assert [c.condition for c in store.conditions("gw", 9)] == [held]


def test_what_is_not_done_is_called_off(sealed: Catalog) -> None:
    store = sealed.gateways
    store.beat(status("gw"), ())
    for number in ("1", "2", "3"):
        store.ask(request(number), DEED)
    store.beat(status("gw"), ("3",))
    before = deeds(sealed)
    store.cancel("gw", "1", DEED)
    assert [r.id for r in store.beat(status("gw"), ())] == ["2"]
    for gateway, number, refusal in (("gw", "1", NotFound), ("other", "2", NotFound), ("gw", "3", Conflict)):
        with pytest.raises(refusal):
            store.cancel(gateway, number, DEED)
    assert deeds(sealed) == before + 1
    assert sorted(r.id for r in store.requests("gw", 9)) == ["2", "3"]


def test_a_heartbeat_does_not_read_the_signals(url: str) -> None:
    """Thousands, in every gateway's row, within the one transaction that may write."""
    with open_catalog(url, now=lambda: 9_000) as catalog:
        store = catalog.gateways
        store.keep_signals("gw", "t", ["p1.a"], ["p1.a"])
        asked: list[str] = []

        def note(*told: Any) -> None:
            asked.append(told[2])

        event.listen(Engine, "before_cursor_execute", note)
        try:
            store.beat(status("gw"), ())
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        reads = [each for each in asked if each.startswith("SELECT") and "FROM gateways" in each.replace("\n", " ")]
        assert len(reads) == 1
        assert "gateways.signals" not in reads[0]
        assert store.gateway("gw").scored == ("p1.a",)


def test_what_a_gateway_left_out_while_nothing_was_heard_of_it_is_not_known(new_url: Callable[[], str]) -> None:
    url = new_url()
    all_, thinned = Reduction(0, (("*", False),), 90), Reduction(0, (("*", True),), 90)
    for at, told in ((100, all_), (200, all_), (900, thinned)):  # at 900 it has begun anew
        with open_catalog(url, now=lambda at=at: at) as catalog:
            catalog.gateways.beat(replace(status("gw"), reductions=(told,)), ())
            kept = catalog.gateways.gateway("gw").status
    assert kept is not None
    lost = Reduction(200, (("*", True),), 0, 3_600)
    assert kept.reductions == (all_, lost, replace(thinned, since=900))
