"""The outbox: one transaction for parcels, ledger, state and offset; damage costs no more than what is damaged."""

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from forewarn.contracts.outbox import Delivery, Packed, ParcelKind, Tally, Urgency
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError, InvalidInput, StorageFailed
from forewarn.gateway.ledger_book import read_book
from forewarn.gateway.outbox import SqliteOutbox
from forewarn.gateway.wire import decode_readings
from tests.gateway.parcels import NOW, packed, tally

ALL = 2**62
MINUTES = Packed(ParcelKind.MINUTES, Urgency.NORMAL, 7, NOW, NOW + 1, b"minutes")


@pytest.fixture
def outbox(tmp_path: Path) -> SqliteOutbox:
    return SqliteOutbox(tmp_path)


def numbers(outbox: SqliteOutbox) -> list[int]:
    return [p.number for p in outbox.pending(0, ALL, ALL)]


def test_what_was_packed_is_there_after_a_restart(tmp_path: Path, outbox: SqliteOutbox) -> None:
    outbox.pack([packed(10), MINUTES, packed(5, first=10)], tally(40, 15, in_hand=3), b"state", 9)
    outbox.close()
    again = SqliteOutbox(tmp_path)
    assert (again.offset, again.state, again.last_number) == (9, b"state", 3)
    found = again.pending(0, ALL, ALL)
    assert [p.number for p in found] == [1, 2, 3]
    assert decode_readings(found[2].packed.body).value.tolist() == [10, 11, 12, 13, 14]
    assert found[1].packed == MINUTES or found[1].packed.body == b"minutes"
    waiting = again.waiting()
    assert (waiting.parcels, waiting.readings, waiting.oldest_time) == (3, 15, NOW)
    sums = again.sums()
    assert (sums.read, sums.kept, sums.thinned, sums.in_hand, sums.pending) == (40, 15, 22, 3, 15)
    assert sums.adds_up


def test_an_offset_that_was_packed_changes_nothing(outbox: SqliteOutbox) -> None:
    outbox.pack([packed(10)], tally(10, 10), b"a", 5)
    outbox.pack([packed(10)], tally(10, 10), b"b", 5)
    outbox.pack([packed(10)], tally(0, 10), b"b", 4)
    assert (outbox.last_number, outbox.state, outbox.sums().read) == (1, b"a", 10)


def test_a_timer_may_pack_without_reading_on(outbox: SqliteOutbox) -> None:
    outbox.pack([], tally(10, 0, in_hand=10), b"a", 5)
    outbox.pack([MINUTES], Tally(0, 0, 10, 0), b"b", 5)
    outbox.pack([MINUTES], Tally(0, 0, 10, 0), b"b", 5)  # tried again, because the first seemed to have failed
    assert (outbox.state, numbers(outbox)) == (b"b", [1])
    assert outbox.sums().adds_up


def test_pending_goes_by_number_and_size(outbox: SqliteOutbox) -> None:
    parcels = [packed(10, first=10 * i) for i in range(6)]
    outbox.pack(parcels, tally(60, 60), b"", 1)
    assert [p.number for p in outbox.pending(2, 5, ALL)] == [3, 4, 5]
    assert [p.number for p in outbox.pending(0, ALL, 1)] == [1]
    assert [p.number for p in outbox.pending(0, ALL, len(parcels[0].body) + len(parcels[1].body))] == [1, 2]
    outbox.acknowledge(4, Delivery(accepted=10))
    assert [p.number for p in outbox.pending(2, 5, ALL)] == [3, 5]
    assert outbox.waiting(up_to=4).parcels == 3


def test_the_sites_verdicts_are_booked_once(tmp_path: Path, outbox: SqliteOutbox) -> None:
    outbox.pack([packed(10), packed(10, first=10)], tally(20, 20), b"", 1)
    for _ in range(2):
        outbox.acknowledge(1, Delivery(accepted=6, duplicate=1, rejected=3, reasons={"unknown_signal": 3}))
    outbox.acknowledge(77, Delivery(accepted=1))
    sums = outbox.sums()
    assert (sums.acknowledged, sums.refused, sums.pending) == (7, 3, 10)
    assert sums.adds_up
    outbox.close()
    again = SqliteOutbox(tmp_path)
    assert again.sums() == sums
    assert numbers(again) == [2]


def test_numbers_are_not_used_again_after_a_restart(tmp_path: Path, outbox: SqliteOutbox) -> None:
    outbox.pack([packed(1)], tally(1, 1), b"", 1)
    outbox.acknowledge(1, Delivery(accepted=1))
    outbox.close()
    again = SqliteOutbox(tmp_path)
    again.add([packed(3)])
    assert numbers(again) == [2]
    sums = again.sums()
    assert (sums.read, sums.kept, sums.pending) == (4, 4, 3)
    assert sums.adds_up


def test_what_the_partner_covers_is_left_to_it(outbox: SqliteOutbox) -> None:
    outbox.pack([packed(10), packed(10)], tally(20, 20), b"", 1)
    outbox.leave_to_partner(1, 4, packed(6, first=4))
    outbox.leave_to_partner(2, 10, None)
    (parcel,) = outbox.pending(0, ALL, ALL)
    assert (parcel.number, parcel.packed.rows) == (1, 6)
    assert (outbox.sums().left_to_partner, outbox.sums().pending) == (14, 6)
    assert outbox.sums().adds_up
    with pytest.raises(InvalidInput, match="parcel 1 holds 6"):
        outbox.leave_to_partner(1, 3, packed(2))


def test_parcels_merged_early_wait_as_the_first(outbox: SqliteOutbox) -> None:
    outbox.pack([packed(10, first=10 * i) for i in range(4)], tally(40, 40), b"", 1)
    outbox.merge_early([1, 2, 3], packed(5))
    assert numbers(outbox) == [1, 4]
    assert (outbox.sums().thinned_early, outbox.sums().pending) == (25, 15)
    assert outbox.sums().adds_up


def test_the_doors_verdicts_come_with_the_next_pack(tmp_path: Path, outbox: SqliteOutbox) -> None:
    outbox.count(rejected=3)
    outbox.count(duplicate=2)
    assert (outbox.sums().rejected, outbox.sums().duplicate) == (3, 2)
    outbox.pack([], tally(0, 0), b"", 1)
    outbox.close()
    sums = SqliteOutbox(tmp_path).sums()
    assert (sums.rejected, sums.duplicate) == (3, 2)


def test_only_one_process_writes(tmp_path: Path, outbox: SqliteOutbox) -> None:
    with pytest.raises(ConfigurationError, match="another gateway"):
        SqliteOutbox(tmp_path)
    outbox.close()
    outbox.close()
    with pytest.raises(StorageFailed, match="closed"):
        outbox.pending(0, ALL, ALL)


def test_a_damaged_parcel_is_set_aside_and_told(tmp_path: Path, outbox: SqliteOutbox) -> None:
    outbox.pack([packed(10), packed(5, first=10), packed(5, first=15)], tally(20, 20), b"", 1)
    outbox.close()
    with sqlite3.connect(tmp_path / "outbox.db") as connection:
        connection.execute("UPDATE parcel SET body = zeroblob(size) WHERE number = 2")
    connection.close()
    told: list[tuple[ConditionCode, str]] = []
    again = SqliteOutbox(tmp_path, note=lambda code, text: told.append((code, text)))
    assert numbers(again) == [1, 3]
    assert [code for code, _ in told] == [ConditionCode.BUFFER_DAMAGED]
    assert "parcel 2 with 5 readings" in told[0][1]
    assert (again.sums().refused, again.sums().pending) == (5, 15)
    assert again.sums().adds_up


@pytest.mark.parametrize("how", ["header", "middle", "truncated", "noise"])
def test_a_malformed_database_is_set_aside_and_numbers_go_on_above(
    tmp_path: Path, outbox: SqliteOutbox, how: str
) -> None:
    for i in range(40):
        outbox.pack([packed(200, first=200 * i)], tally(200, 200), b"state", i + 1)
    outbox.close()
    path = tmp_path / "outbox.db"
    content = bytearray(path.read_bytes())
    match how:
        case "header":
            content[:100] = os.urandom(100)
        case "middle":
            content[8192 : len(content) // 2] = bytes(len(content) // 2 - 8192)
        case "truncated":
            content = content[: len(content) // 3]
        case "noise":
            content = bytearray(os.urandom(len(content)))
    path.write_bytes(content)
    told: list[ConditionCode] = []
    again = SqliteOutbox(tmp_path, note=lambda code, text: told.append(code))
    for _ in range(2):  # the damage may show only now; then the next call begins anew, and says so
        with contextlib.suppress(StorageFailed):
            again.pending(0, ALL, ALL)
    again.pack([packed(10)], tally(10, 10), b"", 60)
    assert ConditionCode.BUFFER_DAMAGED in told
    assert again.last_number > 40
    assert list(tmp_path.glob("damaged-*-outbox.db"))
    assert [p.packed.rows for p in again.pending(40, ALL, ALL)] == [10]
    assert again.sums().adds_up
    assert again.sums().pending == 10 + 200 * len(again.pending(0, 40, ALL)), "what could be read waits again"
    again.close()
    assert read_book(tmp_path).fault == ""


def test_a_read_only_disk_is_named_and_nothing_changes(outbox: SqliteOutbox) -> None:
    outbox.pack([packed(10)], tally(10, 10), b"a", 1)
    outbox._connection.execute("PRAGMA query_only=ON")
    with pytest.raises(StorageFailed) as caught:
        outbox.pack([packed(10)], tally(10, 10), b"b", 2)
    assert caught.value.condition is ConditionCode.DISK_READ_ONLY
    assert (outbox.offset, outbox.state, outbox.sums().read) == (1, b"a", 10)
    outbox.pack([packed(10)], tally(10, 10), b"b", 2)  # the next try starts from the disk and may write again
    assert (outbox.offset, numbers(outbox)) == (2, [1, 2])


def test_a_full_disk_is_named_and_nothing_changes(outbox: SqliteOutbox) -> None:
    outbox.pack([packed(10)], tally(10, 10), b"a", 1)
    (pages,) = outbox._connection.execute("PRAGMA page_count").fetchone()
    outbox._connection.execute(f"PRAGMA max_page_count={pages}")
    big = Packed(ParcelKind.READINGS, Urgency.NORMAL, 10, NOW, NOW, os.urandom(100_000))
    with pytest.raises(StorageFailed) as caught:
        outbox.pack([big], tally(10, 10), b"b", 2)
    assert caught.value.condition is ConditionCode.DISK_FULL
    assert (outbox.offset, outbox.last_number, outbox.sums().adds_up) == (1, 1, True)
    outbox.pack([big], tally(10, 10), b"b", 2)
    assert numbers(outbox) == [1, 2]


def test_acknowledged_parcels_free_the_disk(outbox: SqliteOutbox) -> None:
    big = Packed(ParcelKind.READINGS, Urgency.NORMAL, 10, NOW, NOW, os.urandom(100_000))
    for i in range(100):
        outbox.pack([big], tally(10, 10), b"", i + 1)
    full = outbox.size()
    for i in range(100):
        outbox.acknowledge(i + 1, Delivery(accepted=10))
    for i in range(12):
        outbox.pack([], tally(0, 0), b"", 101 + i)
    outbox.close()
    assert outbox.size() < full / 2


def test_an_answer_to_what_a_parcel_was_does_not_count_for_what_it_is(outbox: SqliteOutbox) -> None:
    outbox.pack([packed(10, first=10 * i) for i in range(3)], tally(30, 30), b"", 1)
    under_way = outbox.pending(0, 2, ALL)
    outbox.merge_early([1, 2, 3], packed(5))
    for parcel in under_way:
        outbox.acknowledge(parcel.number, Delivery(accepted=parcel.packed.rows))
    assert numbers(outbox) == [1], "handed out anew"
    outbox.acknowledge(1, Delivery(accepted=5))
    assert (outbox.sums().acknowledged, outbox.sums().thinned_early) == (5, 25)
    assert outbox.sums().adds_up


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("NOT RUN: only root may mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_emptied_by_delivering(small_disk: Path) -> None:
    outbox = SqliteOutbox(small_disk)
    big = Packed(ParcelKind.READINGS, Urgency.NORMAL, 10, NOW, NOW, os.urandom(100_000))
    for offset in range(1, 41):
        outbox.pack([big], tally(10, 10), b"", offset)
    ballast = small_disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:  # somebody else takes all that is left
            file.write(bytes(4_096))

    def fill() -> None:
        for _ in range(200):
            outbox.pack([big], tally(10, 10), bytes(30_000), outbox.offset + 1)

    with pytest.raises(StorageFailed) as caught:
        fill()
    assert caught.value.condition is ConditionCode.DISK_FULL
    outbox.close()
    again = SqliteOutbox(small_disk)
    packed_up_to = again.offset
    for number in range(1, packed_up_to - 9):
        again.acknowledge(number, Delivery(accepted=10))
    again.pack([big], tally(10, 10), b"", packed_up_to + 1)
    sums = again.sums()
    assert sums.adds_up
    assert (sums.acknowledged, sums.pending) == (10 * (packed_up_to - 10), 110)
    again.close()


def test_a_disk_that_is_full_to_the_last_byte_is_waited_out(small_disk: Path) -> None:
    outbox = SqliteOutbox(small_disk)
    big = Packed(ParcelKind.READINGS, Urgency.NORMAL, 10, NOW, NOW, os.urandom(100_000))
    outbox.pack([big], tally(10, 10), b"", 1)
    (small_disk / "outbox.reserve").unlink()
    outbox._reserve.held = False
    ballast = small_disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4_096))
    for _ in range(3):
        with pytest.raises(StorageFailed) as caught:
            outbox.pack([big] * 40, tally(400, 400), b"", 2)
        assert caught.value.condition is ConditionCode.DISK_FULL
    ballast.unlink()
    outbox.pack([big] * 40, tally(400, 400), b"", 2)
    assert outbox.sums().adds_up
    assert outbox.waiting().parcels == 41
    outbox.close()


def test_one_bad_page_costs_the_parcels_on_it(tmp_path: Path, outbox: SqliteOutbox) -> None:
    body = os.urandom(20_000)
    for i in range(60):
        parcel = Packed(ParcelKind.READINGS, Urgency.NORMAL, 10, NOW, NOW, body)
        outbox.pack([parcel], tally(10, 10), b"state", i + 1)
    outbox.close()
    path = tmp_path / "outbox.db"
    content = bytearray(path.read_bytes())
    (root,) = sqlite3.connect(path).execute("SELECT rootpage FROM sqlite_master WHERE name = 'parcel'").fetchone()
    leaf = int.from_bytes(content[8192 * (root - 1) + 12 : 8192 * (root - 1) + 14], "big")  # first cell: a child page
    child = int.from_bytes(content[8192 * (root - 1) + leaf : 8192 * (root - 1) + leaf + 4], "big")
    content[8192 * (child - 1) : 8192 * child] = os.urandom(8192)
    path.write_bytes(content)
    told: list[str] = []
    again = SqliteOutbox(tmp_path, note=lambda code, text: told.append(text))
    assert len(told) == 1
    kept = [p.number for p in again.pending(0, ALL, ALL)]
    assert 30 < len(kept) < 60
    assert again.offset == 0, "what is missing is thinned again from the raw log"
    assert again.sums().pending == 10 * len(kept)
    assert again.sums().adds_up
    again.close()
    assert read_book(tmp_path).fault == ""


def test_a_bad_page_that_nothing_waits_on_costs_nothing(tmp_path: Path, outbox: SqliteOutbox) -> None:
    for i in range(30):
        outbox.pack([packed(200, first=200 * i)], tally(300, 200), b"state", i + 1)
    outbox.acknowledge(1, Delivery(accepted=200))
    sums = outbox.sums()
    outbox.close()
    path = tmp_path / "outbox.db"
    content = bytearray(path.read_bytes())
    (root,) = sqlite3.connect(path).execute("SELECT rootpage FROM sqlite_master WHERE name = 'aside'").fetchone()
    content[8192 * (root - 1) : 8192 * root] = os.urandom(8192)
    path.write_bytes(content)
    again = SqliteOutbox(tmp_path)
    again._damage, again._broken = sqlite3.DatabaseError("malformed"), True  # as if it had shown in a write
    with pytest.raises(StorageFailed):
        again.pending(0, ALL, ALL)
    assert (again.offset, again.state) == (30, b"state")
    assert again.sums() == sums
    assert numbers(again) == list(range(2, 31))
    again.pack([packed(1)], tally(1, 1), b"", 31)
    assert again.last_number > 30
    again.close()
    assert read_book(tmp_path).fault == ""
