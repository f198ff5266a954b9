"""What is particular to the SQLite spool: its bounds, its damage, its disk and its lock."""

import itertools
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from forewarn.contracts.batch_log import Appended
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import BatchLogFull, ConfigurationError, InvalidInput, StorageFailed
from forewarn.plugins.batch_logs.sqlite_spool import FrameDamaged, SqliteSpool, begin_anew
from forewarn.plugins.batch_logs.sqlite_spool.ring import Ring
from tests.plugins.batch_logs.batches import batch, same

ROOT = Path(__file__).parents[3]


def fill(log: SqliteSpool, count: int, readings: int = 3) -> None:
    for future in [log.append(batch(s, readings=readings)) for s in range(count)]:
        future.result(10)


def repeat(step: Callable[[], None]) -> None:
    for _ in range(1_000):
        step()


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def test_a_full_log_refuses_at_once_and_takes_again_after_commit(tmp_path: Path) -> None:
    log = SqliteSpool(tmp_path, capacity_bytes=200_000)
    log.commit("line", 0)
    taken = 0

    def one_more() -> None:
        nonlocal taken
        log.append(batch(taken, readings=500)).result(10)
        taken += 1

    with pytest.raises(BatchLogFull) as full:
        repeat(one_more)
    assert full.value.retry_after_s > 0
    assert taken > 3
    log.commit("line", taken)
    until(lambda: log.depth().bytes == 0)
    assert log.append(batch(taken, readings=500)).result(10).offset == taken + 1
    log.close()


def test_file_space_is_used_again(tmp_path: Path) -> None:
    log = SqliteSpool(tmp_path, ring_bytes=0)
    log.commit("line", 0)
    stored = 0
    for cycle in range(6):
        for s in range(cycle * 200, cycle * 200 + 200):
            last = log.append(batch(s, readings=1_000))
        last.result(10)
        stored += log.depth().bytes
        log.commit("line", last.result().offset)
        until(lambda: log.depth().bytes == 0)
    log.close()
    assert (tmp_path / "spool.db").stat().st_size < stored / 3


def test_many_small_batches_do_not_grow_the_write_ahead_log(tmp_path: Path) -> None:
    """A gateway writes some of them a second for years; each costs pages, however few readings it holds."""
    log = SqliteSpool(tmp_path)
    try:
        for sequence in range(400):
            log.append(batch(sequence, readings=1)).result()
        assert (tmp_path / "spool.db-wal").stat().st_size < 24 * 2**20
    finally:
        log.close()


def test_memory_waiting_for_the_disk_is_bounded(tmp_path: Path) -> None:
    log = SqliteSpool(tmp_path, queue_bytes=100_000)
    holder = sqlite3.connect(tmp_path / "spool.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")  # the writer waits for this lock
    futures: list[Future[Appended]] = []
    with pytest.raises(BatchLogFull, match="wait for the disk") as full:
        repeat(lambda: futures.append(log.append(batch(len(futures), readings=500))))
    assert full.value.retry_after_s > 0
    holder.execute("ROLLBACK")
    assert futures
    assert [f.result(10).offset for f in futures] == list(range(1, len(futures) + 1))
    assert log.append(batch(len(futures))).result(10).offset == len(futures) + 1
    holder.close()
    log.close()


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    log = SqliteSpool(tmp_path)
    code = f"""
        from pathlib import Path
        from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
        SqliteSpool(Path({str(tmp_path)!r}))
    """
    second = python(code)
    assert second.returncode == 1
    assert "ConfigurationError" in second.stderr
    assert "is being written by process" in second.stderr
    with pytest.raises(ConfigurationError, match="is being written"):
        SqliteSpool(tmp_path)
    log.close()
    SqliteSpool(tmp_path).close()


def test_one_directory_survives_many_openings(tmp_path: Path) -> None:
    for turn in range(5):
        log = SqliteSpool(tmp_path)
        assert log.append(batch(turn)).result(10).offset == turn + 1
        log.close()
        log.close()


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE frame SET body = zeroblob(length(body)) WHERE offset = 3",
        "UPDATE frame SET body = substr(body, 1, 100) WHERE offset = 3",
        "UPDATE frame SET sequence = sequence + 1 WHERE offset = 3",
        "UPDATE frame SET readings = 2 WHERE offset = 3",
        "UPDATE frame SET crc = 'x' WHERE offset = 3",
        "UPDATE frame SET body = 7 WHERE offset = 3",
        "UPDATE frame SET gateway = 99 WHERE offset = 3",
        "DELETE FROM frame WHERE offset = 3",
    ],
)
def test_a_damaged_frame_is_named_and_can_be_given_up(tmp_path: Path, harm: str) -> None:
    log = SqliteSpool(tmp_path)
    fill(log, 5)
    log.close()
    other = sqlite3.connect(tmp_path / "spool.db")
    other.execute(harm)
    other.commit()
    other.close()

    log = SqliteSpool(tmp_path)
    assert [offset for offset, _ in log.read(0, 1_000)] == [1, 2]
    with pytest.raises(FrameDamaged, match="frame 3 is damaged") as damage:
        log.read(2, 1_000)
    assert damage.value.offset == 3
    assert [offset for offset, _ in log.read(3, 1_000)] == [4, 5]
    log.discard(3)
    assert [len(b) for _, b in log.read(0, 1_000)] == [3, 3, 0, 3, 3]
    log.close()


def test_damaged_pages_are_named_never_silent(tmp_path: Path) -> None:
    log = SqliteSpool(tmp_path)
    fill(log, 300, readings=200)
    log.close()
    path = tmp_path / "spool.db"
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40_000] = b"\xa5" * 40_000
    path.write_bytes(data)
    with pytest.raises(StorageFailed, match=r"spool\.db|frame \d+ is damaged"):
        read_all(tmp_path)


def read_all(folder: Path) -> None:
    log, after = SqliteSpool(folder), 0
    try:
        while piece := log.read(after, 1_000):
            assert all(same(b, batch(offset - 1, readings=200)) for offset, b in piece)
            after = piece[-1][0]
    finally:
        log.close()


@pytest.mark.parametrize("content", [b"this is no database" * 1_000, b"SQLite format 3\0" + b"\0" * 5_000])
def test_a_file_that_is_no_log_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "spool.db").write_bytes(content)
    with pytest.raises(StorageFailed, match=r"spool\.db cannot be opened"):
        SqliteSpool(tmp_path)
    (tmp_path / "spool.db").unlink()
    SqliteSpool(tmp_path).close()  # the lock was let go


def test_another_version_is_refused(tmp_path: Path) -> None:
    SqliteSpool(tmp_path).close()
    other = sqlite3.connect(tmp_path / "spool.db")
    other.execute("PRAGMA user_version=7")
    other.close()
    with pytest.raises(ConfigurationError, match="has format 7"):
        SqliteSpool(tmp_path)


def test_the_disk_fills_and_empties_again(tmp_path: Path) -> None:
    code = f"""
        import resource
        from pathlib import Path
        from forewarn.domain.errors import StorageFailed
        from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
        from tests.plugins.batch_logs.batches import batch, same
        log = SqliteSpool(Path({str(tmp_path)!r}))
        kept, refused = [], 0
        for s in range(50):
            kept.append(log.append(batch(s, readings=1_000)).result(10).offset)
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
        futures = [log.append(batch(s, readings=1_000)) for s in range(50, 150)]
        failed = [s for s, f in enumerate(futures, 50) if f.exception(10) is not None]
        assert failed, "the limit did not bite"
        assert all(isinstance(f.exception(), StorageFailed) for f in futures if f.exception())
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        again = [log.append(batch(s, readings=1_000)).result(10) for s in failed]
        assert not any(a.repeated for a in again)
        found, after = [], 0
        while piece := log.read(after, 10_000):
            found += piece
            after = piece[-1][0]
        assert [o for o, _ in found] == list(range(1, 151)), len(found)
        assert sorted(b.sequence for _, b in found) == list(range(150))
        log.close()
        print("recovered")
    """
    result = python(code)
    assert "recovered" in result.stdout, result.stderr


def test_the_ledger_outlives_frames_and_is_bounded(tmp_path: Path) -> None:
    log = SqliteSpool(tmp_path, ledger_rows=100)
    log.commit("line", 0)
    fill(log, 300)
    log.commit("line", 300)
    until(lambda: ledger_rows(tmp_path) <= 101)
    assert log.append(batch(299)).result(10).repeated
    assert not log.append(batch(5)).result(10).repeated
    assert log.last_sequence("gw") == 299
    log.close()


def ledger_rows(folder: Path) -> int:
    with sqlite3.connect(folder / "spool.db") as other:
        return int(other.execute("SELECT count(*) FROM ledger").fetchone()[0])


def test_many_threads_append_and_one_reads(tmp_path: Path) -> None:
    log = SqliteSpool(tmp_path, ring_bytes=20_000)

    def send(gateway: str) -> None:
        for s in range(100):
            log.append(batch(s, gateway)).result(10)

    threads = [threading.Thread(target=send, args=(f"g{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    found, after = [], 0
    while len(found) < 800:
        assert log.wait(after, 10)
        piece = log.read(after, 30)
        found += [(b.gateway, b.sequence) for _, b in piece]
        after = piece[-1][0]
        log.commit("line", after)
    for thread in threads:
        thread.join()
    assert len(set(found)) == 800
    for i in range(8):
        assert [s for g, s in found if g == f"g{i}"] == list(range(100))
    log.close()


def test_a_closed_log_answers_with_an_error(tmp_path: Path) -> None:
    log = SqliteSpool(tmp_path)
    log.close()
    with pytest.raises(StorageFailed, match="closed"):
        log.append(batch(1)).result(1)
    with pytest.raises(StorageFailed, match="closed"):
        log.commit("new", 0)


def test_wrong_numbers_are_named(tmp_path: Path) -> None:
    log = SqliteSpool(tmp_path)
    with pytest.raises(InvalidInput, match="sequence"):
        log.append(batch(-1))
    with pytest.raises(InvalidInput, match="the log ends at 0"):
        log.commit("line", 1)
    log.close()


def test_odd_values_survive_bit_for_bit(tmp_path: Path) -> None:
    log = SqliteSpool(tmp_path, ring_bytes=0)
    odd = batch(1, "Büro/ß", 6)
    value = np.array([np.nan, -0.0, 5e-324, 1.7e308, -np.inf, 2**53 + 1.0])
    quality = np.array([0, 1, 2**31, 2**32 - 1, 0x80310000, 7], np.uint32)
    odd = type(odd)(odd.signal, odd.time, value, quality, odd.gateway, 2**63 - 1)
    log.append(odd).result(10)
    assert same(log.read(0, 1)[0][1], odd)
    log.close()


def test_the_ring_keeps_only_the_newest() -> None:
    ring = Ring(5_000)
    for offset in range(1, 11):
        ring.put([(offset, batch(offset))])
    assert ring.read(0, 100) == []
    assert [offset for offset, _ in ring.read(8, 100)] == [9, 10]
    ring.drop_up_to(9)
    assert ring.read(8, 100) == []
    ring.put([(20, batch(20))])
    assert ring.read(9, 100) == []
    assert [offset for offset, _ in ring.read(19, 100)] == [20]


def python(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": "/usr/bin:/bin"},
        check=False,
    )


def test_offsets_are_found_by_when_they_came(tmp_path: Path) -> None:
    log = SqliteSpool(tmp_path)
    for n in range(20):
        log.append(batch(n)).result(10)
        time.sleep(0.002)
    came = [log.appended_at(offset) for offset in range(1, 21)]
    assert all(a is not None and b is not None and a < b for a, b in itertools.pairwise(came))
    for offset, at in enumerate(came, 1):
        assert at is not None
        assert log.offset_before(at) == offset - 1
        assert log.offset_before(at + 1) == offset
    assert log.offset_before(0) == 0
    assert log.offset_before(2**62) == 20
    assert log.appended_at(21) is None
    log.close()


def test_how_much_must_go_for_so_many_bytes(tmp_path: Path) -> None:
    log = SqliteSpool(tmp_path)
    for n in range(10):
        log.append(batch(n, readings=1_000)).result(10)
    size = log.depth().bytes
    assert log.offset_freeing(1) == 1
    assert 4 <= log.offset_freeing(size // 2) <= 6
    assert log.offset_freeing(10 * size) == 10
    assert (log.readings_in(3), log.readings_in(11)) == (1_000, None)
    log.resize(size)
    with pytest.raises(BatchLogFull):
        log.append(batch(10, readings=1_000))
    log.resize(100 * size)
    log.append(batch(10, readings=1_000)).result(10)
    log.close()


@pytest.mark.parametrize("harm", ["noise", "empty pages", "cut"])
def test_a_log_begun_anew_goes_on_above_what_was_handled(tmp_path: Path, harm: str) -> None:
    log = SqliteSpool(tmp_path)
    for n in range(30):
        log.append(batch(n, readings=2_000)).result(10)
    log.close()
    content = (tmp_path / "spool.db").read_bytes()
    harmed = {
        "noise": bytes(np.random.default_rng(1).integers(0, 256, len(content), np.uint8)),
        "empty pages": bytes(len(content)),
        "cut": content[: len(content) // 3],
    }
    (tmp_path / "spool.db").write_bytes(harmed[harm])
    with pytest.raises(StorageFailed) as caught:
        SqliteSpool(tmp_path).close()
    assert caught.value.condition is ConditionCode.BUFFER_DAMAGED
    assert "after batch 28" in begin_anew(tmp_path, 28)
    again = SqliteSpool(tmp_path)
    assert again.depth().last_offset == 28
    assert again.depth().batches == 0
    again.commit("line", 0)
    assert again.append(batch(0)).result(10).offset == 29
    assert [offset for offset, _ in again.read(0, 10)] == [29]
    again.close()
    assert (next(tmp_path.glob("damaged-*-spool.db"))).read_bytes() == harmed[harm]
