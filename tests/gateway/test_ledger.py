"""The ledger adds up whatever happens in whatever order, and shows where somebody changed it."""

import io
import sqlite3
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from rich.console import Console

from forewarn.contracts.outbox import Delivery
from forewarn.domain.errors import NotFound
from forewarn.gateway.ledger import Line, bound, genesis
from forewarn.gateway.ledger_book import read_book, show
from forewarn.gateway.outbox import SqliteOutbox
from forewarn.gateway.signing import open_signer
from forewarn.kit.clock import HOUR
from tests.gateway.parcels import NOW, packed, tally


class Hours:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


class AnyOrder(RuleBasedStateMachine):
    """Packs, answers, partners and crashes in any order."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._clock = Hours()
        self.outbox = SqliteOutbox(Path(self._folder.name), clock=self._clock)
        self._offset = self._in_hand = self._read = 0

    @rule(
        kept=st.lists(st.integers(1, 30), max_size=3), thinned=st.integers(0, 50), in_hand=st.integers(0, 20),
        rejected=st.integers(0, 5),
    )  # fmt: skip
    def pack(self, kept: list[int], thinned: int, in_hand: int, rejected: int) -> None:
        read = max(sum(kept) + thinned + in_hand - self._in_hand, 0)
        told = tally(read, sum(kept), in_hand, self._in_hand)
        self.outbox.count(rejected=rejected)
        self._offset += 1
        self.outbox.pack([packed(n) for n in kept], told, b"", self._offset)
        self._read, self._in_hand = self._read + read, in_hand

    @rule(which=st.integers(0, 20), rejected=st.integers(0, 40))
    def answer(self, which: int, rejected: int) -> None:
        parcels = self.outbox.pending(0, 2**62, 2**62)
        number = parcels[which % len(parcels)].number if parcels else which
        self.outbox.acknowledge(number, Delivery(rejected=rejected, reasons={"unknown_signal": rejected}))

    @rule(which=st.integers(0, 20), share=st.floats(0, 1))
    def leave(self, which: int, share: float) -> None:
        parcels = self.outbox.pending(0, 2**62, 2**62)
        if parcels:
            parcel = parcels[which % len(parcels)]
            rest = int(share * parcel.packed.rows)
            left = parcel.packed.rows - rest
            self.outbox.leave_to_partner(parcel.number, left, packed(rest) if rest else None)

    @rule(rows=st.integers(1, 10))
    def ask(self, rows: int) -> None:
        self.outbox.add([packed(rows)])
        self._read += rows

    @rule(most=st.integers(2, 5))
    def thin(self, most: int) -> None:
        numbers = self.outbox.normal(0, most)
        if len(numbers) >= 2:
            self.outbox.merge_early(numbers, packed(1))

    @rule(hours=st.integers(-2, 3))
    def wait(self, hours: int) -> None:
        self._clock.now += hours * HOUR

    @rule()
    def crash(self) -> None:
        """Without a word: only what was committed is found again."""
        self.outbox._connection.close()
        self.outbox._lock.release()
        self.outbox = SqliteOutbox(Path(self._folder.name), clock=self._clock)

    @invariant()
    def adds_up(self) -> None:
        sums = self.outbox.sums()
        assert sums.adds_up, sums
        assert sums.read == self._read
        waiting = self.outbox.pending(0, 2**62, 2**62)
        assert sums.pending == sum(p.packed.rows for p in waiting) == self.outbox.waiting().readings

    def teardown(self) -> None:
        book = read_book(Path(self._folder.name))
        assert book.fault == ""
        assert book.sums.adds_up
        self.outbox.close()
        self._folder.cleanup()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Five closed hours and an open one."""
    clock = Hours()
    outbox = SqliteOutbox(tmp_path, clock=clock)
    for i in range(6):
        outbox.pack([packed(10)], tally(100 + i, 10), b"", i + 1)
        clock.now += HOUR
        outbox.acknowledge(i + 1, Delivery(accepted=10))
    outbox.close()
    return tmp_path


def test_lines_hold_and_say_which_offsets_they_count(ledger: Path) -> None:
    book = read_book(ledger)
    assert book.fault == ""
    assert [line.number for line in book.lines] == [1, 2, 3, 4, 5, 6, 7]
    assert book.lines[0].first_offset == 0
    spans = [(line.first_offset, line.last_offset) for line in book.lines]
    assert all(a[1] == b[0] for a, b in pairwise(spans))
    assert book.sums.read == 615


def change(folder: Path, sql: str, *values: object) -> None:
    with sqlite3.connect(folder / "outbox.db") as connection:
        connection.execute(sql, values)
    connection.close()


def forged(folder: Path, number: int, read: int) -> None:
    """A line written anew with a hash that fits, but without the key."""
    with sqlite3.connect(folder / "outbox.db") as connection:
        before = genesis(read_book(folder).public_key)
        for n, body in connection.execute("SELECT number, body FROM line ORDER BY number").fetchall():
            if n == number:
                line = Line.of(body)
                body = body.replace(f'"read":{line.read},'.encode(), f'"read":{read},'.encode())
            before = bound(before, body)
            connection.execute("UPDATE line SET body = ?, hash = ? WHERE number = ?", (body, before, n))
    connection.close()


def test_a_changed_line_is_named(ledger: Path) -> None:
    forged(ledger, 3, 1)
    assert read_book(ledger).fault.startswith("line 3 (from 2026-01-01T02:00:00Z) was changed")


def test_a_removed_line_is_named(ledger: Path) -> None:
    change(ledger, "DELETE FROM line WHERE number = 2")
    assert read_book(ledger).fault == "line 2 was removed"


def test_lines_removed_from_the_end_are_named(ledger: Path) -> None:
    change(ledger, "DELETE FROM line WHERE number >= 5")
    assert read_book(ledger).fault == "line 5 was removed"
    change(ledger, "DELETE FROM head")
    assert "running head" in read_book(ledger).fault


def test_an_added_line_is_named(ledger: Path) -> None:
    body = Line(7, NOW, 0, 0, read=5).written()
    change(ledger, "INSERT INTO line VALUES (7, ?, ?, ?)", body, bytes(32), bytes(64))
    assert "line 7" in read_book(ledger).fault


def test_a_changed_head_is_named(ledger: Path) -> None:
    change(ledger, "UPDATE head SET body = ?", Line(7, NOW, 6, 6, read=1).written())
    assert "line 7" in read_book(ledger).fault


def test_another_key_does_not_sign(ledger: Path, tmp_path: Path) -> None:
    other = open_signer(tmp_path / "other")
    assert "line 1" in read_book(ledger, other.public_key).fault


def test_the_key_is_kept_from_others(ledger: Path) -> None:
    key = ledger / "ledger.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert (ledger / "ledger.pub").read_text().strip() == open_signer(ledger).public_key


@pytest.mark.parametrize("loss", ["damaged", "lost"])
def test_a_ledger_whose_key_is_gone_is_begun_anew_and_adds_up(tmp_path: Path, loss: str) -> None:
    outbox = SqliteOutbox(tmp_path)
    outbox.pack([packed(10)], tally(30, 10), b"", 3)
    outbox.close()
    key = tmp_path / "ledger.key"
    key.write_text("") if loss == "damaged" else key.unlink()
    told: list[str] = []
    outbox = SqliteOutbox(tmp_path, note=lambda code, text: told.append(f"{code.value} {text}"))
    assert outbox.offset == 0  # all that the raw log still has is thinned again
    assert outbox.waiting().readings == 10
    outbox.close()
    book = read_book(tmp_path)
    assert not book.fault
    assert book.sums.read == book.sums.kept == book.pending == 10
    assert all(text.startswith("buffer_damaged") for text in told)
    assert len(told) == (2 if loss == "damaged" else 1)
    assert len(list(tmp_path.glob("damaged-*-ledger.key"))) == (loss == "damaged")


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE head SET body = CAST(replace(CAST(body AS TEXT), '\"read\":0', '\"read\":1') AS BLOB)",
        "UPDATE head SET body = CAST(body AS TEXT)",
        "DELETE FROM head",
    ],
)
def test_a_start_does_not_sign_what_somebody_else_wrote(ledger: Path, deed: str) -> None:
    change(ledger, deed)
    SqliteOutbox(ledger).close()
    aside = next(ledger.glob("damaged-*-outbox.db"))
    assert not read_book(ledger).fault
    assert sum(line.kept for line in read_book(ledger).lines) == read_book(ledger).pending
    aside.rename(ledger / "outbox.db")
    assert read_book(ledger).fault


def test_it_is_printed_with_its_sums(ledger: Path) -> None:
    out = io.StringIO()
    assert show(read_book(ledger), Console(file=out, width=160), by_hour=True)
    text = out.getvalue()
    assert "2026-01-01T03:00" in text
    assert "read 615 = kept 60 + thinned 555 + in hand 0" in text
    assert "It adds up" in text
    forged(ledger, 3, 1)
    out = io.StringIO()
    assert not show(read_book(ledger), Console(file=out, width=160))
    assert "NOT ADD UP" in out.getvalue()


def test_a_directory_without_an_outbox_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no outbox"):
        read_book(tmp_path)
