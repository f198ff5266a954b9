"""The audit log: numbers without a gap, a chain that holds, a deed together with what it tells of."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from forewarn.catalog.audit import CatalogAudit, open_audit
from forewarn.catalog.engine import Database
from forewarn.catalog.inspection import has_audit_entries
from forewarn.catalog.offsets import read_offset, write_offset
from forewarn.contracts.audit_log import AuditLog, AuditQuery
from forewarn.domain.access import Scope
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import InvalidInput, StorageFailed
from tests.catalog.audit_logs import KEY, deed, disarm, empty, log_in, move_head, opened

ROOT = Path(__file__).parents[2]
SHARED = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_WRITER = """
import sys
from pathlib import Path
from tests.catalog.audit_logs import deed, log_in, opened
log = log_in(opened(sys.argv[1]), Path(sys.argv[2]))
for _ in range(int(sys.argv[3])):
    print(log.record(deed(after={"by": "writer"})).number, flush=True)
"""


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opening = opened(url)
    yield opening
    opening.close()


@pytest.fixture
def anchor(tmp_path: Path) -> Path:
    return tmp_path / "site" / "audit-anchor.json"


@pytest.fixture
def log(database: Database, anchor: Path) -> CatalogAudit:
    return log_in(database, anchor)


def writer(url: str, anchor: Path, count: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _WRITER, url, str(anchor), str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def numbers(log: AuditLog) -> list[int]:
    return [entry.number for piece in log.pieces(AuditQuery()) for entry in piece]


any_json = st.none() | st.dictionaries(
    st.text(max_size=5),
    st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    max_size=3,
)
deeds = st.builds(
    Deed,
    st.sampled_from(AuditAction),
    st.text(max_size=20),
    st.text(max_size=20),
    any_json,
    any_json,
    st.text(max_size=20),
    st.text(max_size=20),
    st.text(max_size=20),
)


def test_the_log_is_what_its_contract_says(log: AuditLog) -> None:
    assert log.verify() == replace(log.verify(), entries=0, last=0, faults=())
    assert list(log.find(AuditQuery())) == []
    assert numbers(log) == []


@SHARED
@given(done=st.lists(deeds, max_size=8))
def test_any_deeds_are_found_again_and_verify(done: list[Deed], log: CatalogAudit) -> None:
    before = log.verify().last
    recorded = [log.record(one) for one in done]
    assert [entry.number for entry in recorded] == list(range(before + 1, before + 1 + len(done)))
    assert [entry.deed.action for entry in recorded] == [one.action for one in done]
    assert [entry.deed.before for entry in recorded] == [one.before for one in done]
    if recorded:
        assert list(log.find(AuditQuery(limit=len(done)))) == recorded[::-1]
        assert [entry for piece in log.pieces(AuditQuery()) for entry in piece][before:] == recorded
    assert log.verify().faults == ()


def test_whether_something_was_recorded_is_told_without_making_anything(
    new_url: Callable[[], str], url: str, log: CatalogAudit
) -> None:
    assert not has_audit_entries(new_url())
    assert not has_audit_entries(url)
    log.record(deed())
    assert has_audit_entries(url)


def test_texts_that_anybody_chooses_are_taken_as_they_can_be(log: CatalogAudit) -> None:
    entry = log.record(deed(actor="a\ud800\0" + "b" * 9_999, target="'; --", why="c" * 5_000))
    assert entry.deed.actor.startswith("a?\ufffdbb")
    assert (len(entry.deed.actor), entry.deed.actor[-1]) == (500, "\u2026")
    assert len(entry.deed.why) == 4_000
    assert list(log.find(AuditQuery())) == [entry]
    assert log.verify().faults == ()


def test_it_is_found_by_every_filter_and_page_by_page(database: Database, anchor: Path) -> None:
    times = iter(range(100, 200))
    log = CatalogAudit(database, lambda: next(times), KEY, anchor)
    log.record(Deed(AuditAction.SIGNED_IN, "asha", "session 1", address="10.0.0.7"))
    log.record(deed("p1/vib_high", "Ravi", why="50% worn"))
    log.record(deed("p2/temp", "asha", before={"state": "active"}, after={"state": "acknowledged"}))

    def found(**query: Any) -> list[int]:
        return [entry.number for entry in log.find(AuditQuery(**query))]

    assert found() == [3, 2, 1]
    assert found(actions=(AuditAction.SIGNED_IN,)) == [1]
    assert found(actor="asha") == [3, 1]
    assert (found(text="RAVI"), found(text="p1/VIB_"), found(text="50%"), found(text="p_/")) == ([2], [2], [2], [])
    assert (found(start=101), found(end=101), found(start=101, end=102)) == ([3, 2], [1], [2])
    assert (found(limit=2), found(before=2), found(before=1)) == ([3, 2], [1], [])
    assert [e.number for piece in log.pieces(AuditQuery(actor="asha", before=3)) for e in piece] == [1]
    with pytest.raises(InvalidInput, match="limit must be at least 1"):
        found(limit=0)


def test_more_entries_than_a_piece_holds(
    log: CatalogAudit, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forewarn.catalog.audit._PIECE", 100)
    with database.write() as connection:
        for _ in range(205):
            log.append(connection, deed())
    assert [len(piece) for piece in log.pieces(AuditQuery())] == [100, 100, 5]
    told: list[tuple[int, int]] = []
    assert log.verify(lambda done, total: told.append((done, total))).faults == ()
    assert told == [(100, 205), (200, 205), (205, 205)]


def test_a_deed_and_its_change_are_one(log: CatalogAudit, database: Database, anchor: Path) -> None:
    def change(told: Deed, thought_better: bool = False) -> None:
        with database.write() as connection:
            write_offset(connection, "judge", 7)
            log.append(connection, told)
            if thought_better:
                raise RuntimeError

    with pytest.raises(RuntimeError):
        change(deed(), thought_better=True)
    with pytest.raises(InvalidInput, match="as JSON"):
        change(deed(after={"value": float("nan")}))
    with database.read() as connection:
        assert read_offset(connection, "judge") == 0
    assert log.verify().last == 0
    assert '"number": 0' in anchor.read_text()
    with database.write() as connection:
        write_offset(connection, "judge", 7)
        log.append(connection, deed())
        log.append(connection, deed())
    with database.read() as connection:
        assert read_offset(connection, "judge") == 7
    assert (log.verify().last, log.verify().faults) == (2, ())
    assert '"number": 2' in anchor.read_text()


def test_who_sees_a_part_of_the_plant_adds_to_the_log(log: CatalogAudit, database: Database) -> None:
    part = Scope(("acme/pune",))
    with database.within(part).write() as connection:
        log.append(connection, deed())
        if connection.dialect.name == "postgresql":
            assert connection.execute(text("SELECT current_setting('forewarn.scope')")).scalar() == "\nacme/pune"
            assert connection.execute(text("SELECT count(*) FROM audit")).scalar() == 0
    assert (log.verify().last, log.verify().faults) == (1, ())


@pytest.mark.parametrize("change", ["UPDATE audit SET why = 'x'", "DELETE FROM audit", "TRUNCATE audit", "REPLACE"])
def test_the_database_refuses_to_rewrite(log: CatalogAudit, database: Database, change: str) -> None:
    log.record(deed())
    sqlite = database.engine.dialect.name == "sqlite"
    if change == "TRUNCATE audit" and sqlite:
        change = "DELETE FROM audit WHERE 1"
    if change == "REPLACE":
        copied = "INTO audit SELECT * FROM audit"
        taken = "ON CONFLICT (number) DO UPDATE SET why = 'x'"
        change = f"INSERT OR REPLACE {copied}" if sqlite else f"INSERT {copied} {taken}"
    with pytest.raises((DBAPIError, StorageFailed), match="append-only"), database.write() as connection:
        connection.execute(text(change))
    assert log.verify().faults == ()


def test_a_moved_head_stops_the_recording(log: CatalogAudit, database: Database) -> None:
    for _ in range(3):
        log.record(deed())
    with database.write() as connection:
        move_head(connection, number=1)
    with pytest.raises(StorageFailed, match="entry 2 exists: run `forewarn audit verify`"):
        log.record(deed())
    with database.write() as connection:
        connection.execute(text("DELETE FROM audit_head"))
    with pytest.raises(StorageFailed, match="no head"):
        log.record(deed())
    assert numbers(log) == [1, 2, 3]


def test_writers_in_threads_leave_no_gap(log: CatalogAudit, anchor: Path) -> None:
    def write() -> None:
        for _ in range(10):
            log.record(deed(actor=threading.current_thread().name))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(log) == list(range(1, 41))
    assert log.verify().faults == ()
    assert '"number": 40' in anchor.read_text()


def test_it_verifies_while_others_write(url: str, log: CatalogAudit, anchor: Path) -> None:
    process = writer(url, anchor, 150)
    seen = [log.verify()]
    while seen[-1].last < 150:
        assert process.poll() in (None, 0)
        seen.append(log.verify())
    process.communicate(timeout=60)
    assert [report.faults for report in seen] == [()] * len(seen)
    assert any(0 < report.last < 150 for report in seen)
    assert all(report.entries == report.last for report in seen)


def test_writers_in_processes_leave_no_gap(url: str, log: CatalogAudit, anchor: Path) -> None:
    writers = [writer(url, anchor, 25) for _ in range(2)]
    said = [int(line) for one in writers for line in one.communicate(timeout=60)[0].split()]
    assert sorted(said) == numbers(log) == list(range(1, 51))
    assert log.verify().faults == ()
    assert '"number": 50' in anchor.read_text()


def test_a_killed_writer_leaves_a_whole_chain(url: str, anchor: Path, log: CatalogAudit) -> None:
    answered = 0
    for more in (1, 4, 13, 29):
        process = writer(url, anchor, 1_000_000)
        assert process.stdout is not None
        for _, line in zip(range(more), process.stdout, strict=False):
            answered = int(line)
        process.send_signal(signal.SIGKILL)
        answered = max([answered, *(int(line) for line in process.stdout if line.strip())])
        process.wait()
        while log.verify() != (report := log.verify()):
            pass  # a server finishes what the killed client had sent
        assert report.faults == ()
        assert report.entries == report.last >= answered
        assert numbers(log) == list(range(1, report.last + 1))
    assert log.record(deed()).number == report.last + 1
    assert log.verify().faults == ()


_ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from forewarn.catalog.offsets import read_offset, write_offset
from forewarn.domain.errors import StorageFailed
from tests.catalog.audit_logs import deed, log_in, opened
database = opened(sys.argv[1])
log = log_in(database, Path(sys.argv[2]))
def change(n):
    with database.write() as connection:
        write_offset(connection, "judge", n)
        log.append(connection, deed(after={"is": "x" * 3000}))
change(1)
wal = Path(sys.argv[1].removeprefix("sqlite:///") + "-wal").stat().st_size
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (wal + 100_000, most))
done = 1
try:
    while done < 1000:
        change(done + 1)
        done += 1
except StorageFailed as error:
    print("refused:", error, file=sys.stderr)
else:
    sys.exit("the disk took it all")
def found():
    with database.read() as connection:
        return log.verify().faults, log.verify().last, read_offset(connection, "judge")
assert found() == ((), done, done), (found(), done)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
change(done + 1)
assert found() == ((), done + 1, done + 1), found()
"""


def test_a_full_disk_refuses_the_change_and_leaves_the_chain_whole(tmp_path: Path, anchor: Path) -> None:
    url = f"sqlite:///{tmp_path}/catalog.db"
    command = [sys.executable, "-c", _ON_A_FULL_DISK, url, str(anchor)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "refused: the catalog's database refused" in done.stderr) == (0, True), done.stderr
    with open_audit(url, KEY, anchor) as log:
        assert log.verify().faults == ()


def test_an_anchor_that_cannot_be_made_lets_nothing_begin(database: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    log = log_in(database, tmp_path / "file" / "audit-anchor.json")
    with pytest.raises(StorageFailed, match=r"audit-anchor\.json cannot be written"):
        log.record(deed())
    assert numbers(log) == []


def test_an_anchor_that_cannot_be_moved_follows_later(log: CatalogAudit, anchor: Path) -> None:
    log.record(deed())
    hindrance = anchor.with_name(anchor.name + ".new")
    hindrance.mkdir()
    assert log.record(deed()).number == 2
    assert '"number": 1' in anchor.read_text()
    assert log.verify().faults == ()
    os.rmdir(hindrance)
    log.record(deed())
    assert '"number": 3' in anchor.read_text()
    assert log.verify().faults == ()


def test_an_emptied_log_is_seen(log: CatalogAudit, database: Database, anchor: Path) -> None:
    log.record(deed())
    kept = anchor.read_bytes()
    disarm(database)
    empty(database, anchor)
    anchor.write_bytes(kept)
    assert log.verify().faults == ("entries 1 to 1 were cut off: the anchor names entry 1",)
