"""Whatever somebody does to the audit log without its key, `verify` names the entry."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from forewarn.catalog.audit import CatalogAudit
from forewarn.catalog.audit_chain import COLUMNS, digest_of, seal
from forewarn.catalog.engine import Database
from tests.catalog.audit_logs import KEY, deed, disarm, empty, log_in, move_head, opened, set_head

SHARED = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXTS = ("action", "actor", "target", "before", "after", "address", "why", "trace_id", "digest")


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opening = opened(url)
    disarm(opening)
    yield opening
    opening.close()


@pytest.fixture
def anchor(tmp_path: Path) -> Path:
    return tmp_path / "audit-anchor.json"


def five(database: Database, anchor: Path, count: int = 5) -> CatalogAudit:
    """A log with that many entries, of which some tell before and after, and some do not."""
    empty(database, anchor)
    log = log_in(database, anchor)
    for n in range(1, count + 1):
        log.record(deed(f"p{n}", before={"n": n} if n % 2 else None, after={"n": n + 1}, why="" if n % 3 else "asked"))
    assert log.verify().faults == ()
    return log


def rewrite(connection: Connection, number: int, column: str, value: object) -> None:
    connection.execute(text(f'UPDATE audit SET "{column}" = :value WHERE number = :n'), {"value": value, "n": number})


def read(connection: Connection, number: int) -> dict[str, Any]:
    found = connection.execute(text("SELECT * FROM audit WHERE number = :n"), {"n": number})
    return dict(found.mappings().one())


def faults_after(database: Database, log: CatalogAudit, tamper: Callable[[Connection], object]) -> tuple[str, ...]:
    with database.write() as connection:
        tamper(connection)
    return log.verify().faults


@SHARED
@given(
    n=st.integers(1, 5),
    column=st.sampled_from(TEXTS),
    value=st.text(st.characters(codec="utf-8", exclude_characters="\0")),
)
def test_any_changed_text_is_found(n: int, column: str, value: str, database: Database, anchor: Path) -> None:
    log = five(database, anchor)
    with database.read() as connection:
        was = read(connection, n)[column]
    faults = faults_after(database, log, lambda connection: rewrite(connection, n, column, value))
    assert (f"entry {n} was changed or put there, or the entry before it was" in faults) == (value != was)


@SHARED
@given(n=st.integers(1, 5), column=st.sampled_from(["before", "after"]))
def test_a_part_blanked_out_is_found(n: int, column: str, database: Database, anchor: Path) -> None:
    log = five(database, anchor)
    with database.read() as connection:
        had = read(connection, n)[column] is not None
    faults = faults_after(database, log, lambda connection: rewrite(connection, n, column, None))
    assert bool(faults) == had


@SHARED
@given(n=st.integers(1, 5), at=st.integers(-(2**63), 2**63 - 1))
def test_a_changed_time_is_found(n: int, at: int, database: Database, anchor: Path) -> None:
    log = five(database, anchor)
    faults = faults_after(database, log, lambda connection: rewrite(connection, n, "at", at))
    assert faults == (f"entry {n} was changed or put there, or the entry before it was",)


@SHARED
@given(n=st.integers(1, 5), other=st.integers(-3, 12).filter(lambda n: not 1 <= n <= 5))
def test_a_changed_number_is_found(n: int, other: int, database: Database, anchor: Path) -> None:
    log = five(database, anchor)
    assert faults_after(database, log, lambda connection: rewrite(connection, n, "number", other))


@SHARED
@given(gone=st.sets(st.integers(1, 5), min_size=1), hidden=st.booleans())
def test_removed_rows_are_found(gone: set[int], hidden: bool, database: Database, anchor: Path) -> None:
    """hidden: the head is moved to the last row that is left, so that only the anchor knows of a cut end."""
    log = five(database, anchor)

    def remove(connection: Connection) -> None:
        for n in gone:
            connection.execute(text("DELETE FROM audit WHERE number = :n"), {"n": n})
        left = max({1, 2, 3, 4, 5} - gone, default=0)
        if hidden:
            set_head(connection, left, read(connection, left)["digest"] if left else "")

    said = " ".join(faults_after(database, log, remove))
    for n in gone:
        named = [f"entry {n} is missing", f"entries {n} to", f"to {n} were cut off", f"to {n} are missing"]
        inside = any(f"entries {a} to {b}" in said for a in range(1, n + 1) for b in range(n, 6))
        assert inside or any(name in said for name in named), (n, said)
    if not hidden and 5 in gone:
        assert "audit_head names entry 5, but the last entry is" in said


@SHARED
@given(order=st.permutations(range(1, 6)), with_digests=st.booleans())
def test_swapped_rows_are_found(order: list[int], with_digests: bool, database: Database, anchor: Path) -> None:
    log = five(database, anchor)
    columns = [c for c in (*COLUMNS, "digest") if c != "number" and (with_digests or c != "digest")]

    def swap(connection: Connection) -> None:
        rows = {n: read(connection, n) for n in order}
        for n, other in enumerate(order, start=1):
            for column in columns:
                rewrite(connection, n, column, rows[other][column])

    faults = faults_after(database, log, swap)
    assert bool(faults) == (order != sorted(order))


@pytest.mark.parametrize("with_head", [False, True])
def test_an_entry_put_at_the_end_is_found(database: Database, anchor: Path, with_head: bool) -> None:
    log = five(database, anchor)

    def put(connection: Connection) -> None:
        forged = {**read(connection, 5), "number": 6}
        forged["digest"] = digest_of(b"guess", [forged[c] for c in COLUMNS], forged["digest"])
        names = ", ".join(f'"{name}"' for name in forged)
        connection.execute(text(f"INSERT INTO audit ({names}) VALUES ({', '.join(f':{c}' for c in forged)})"), forged)
        if with_head:
            move_head(connection, number=6, digest=forged["digest"])

    faults = faults_after(database, log, put)
    assert "entry 6 was changed or put there, or the entry before it was" in faults
    assert ("audit_head names entry 5, but the last entry is 6" in faults) == (not with_head)


def test_a_wrong_head_is_found(database: Database, anchor: Path) -> None:
    log = five(database, anchor)
    faults = faults_after(database, log, lambda connection: move_head(connection, digest="0" * 64))
    assert faults == ("audit_head names entry 5 with another digest than that entry has",)
    faults = faults_after(database, log, lambda connection: move_head(connection, number=9))
    assert faults == ("audit_head names entry 9, but the last entry is 5",)
    faults = faults_after(database, log, lambda c: c.execute(text("DELETE FROM audit_head")))
    assert faults == ("audit_head has no row; the last entry is 5",)


def test_another_key_fits_nothing(database: Database, anchor: Path) -> None:
    five(database, anchor)
    faults = log_in(database, anchor, b"another key").verify().faults
    assert "was changed, or the key is another one" in faults[0]
    assert [f"entry {n} was" in fault for n, fault in enumerate(faults[1:], start=1)] == [True] * 5


def test_a_chain_made_anew_with_another_key_is_found(database: Database, anchor: Path) -> None:
    log = five(database, anchor)
    kept = anchor.read_bytes()
    empty(database, anchor)
    forger = log_in(database, anchor, b"forged")
    for _ in range(5):
        forger.record(deed())
    anchor.write_bytes(kept)
    assert len(log.verify().faults) == 6


def test_what_is_written_over_a_cut_end_does_not_hide_it(database: Database, anchor: Path) -> None:
    log = five(database, anchor)
    with database.write() as connection:
        connection.execute(text("DELETE FROM audit WHERE number > 3"))
        set_head(connection, 3, read(connection, 3)["digest"])
    for _ in range(4):
        log.record(deed("something else"))
    assert log.verify().last == 7
    assert log.verify().faults == ("entry 5 is not the one that the anchor names: the end was written anew",)
    assert '"number": 5' in anchor.read_text()


def test_a_missing_or_changed_anchor_is_found(database: Database, anchor: Path) -> None:
    log = five(database, anchor)
    whole = json.loads(anchor.read_text())
    for changed in ({**whole, "number": 3}, {**whole, "digest": "0" * 64}, {**whole, "seal": "0" * 64}):
        anchor.write_text(json.dumps(changed))
        assert "was changed, or the key is another one" in log.verify().faults[0]
    for content in ("", "[]", "{}", '{"number": "x"}', "\ud7ff\0"):
        anchor.write_text(content, encoding="utf-8")
        assert "cannot be read" in log.verify().faults[0]
    anchor.unlink()
    log.record(deed())
    assert not anchor.exists()
    (fault,) = log.verify().faults
    assert "is missing, so a cut end would not be seen" in fault


def test_an_anchor_may_lag(database: Database, anchor: Path, tmp_path: Path) -> None:
    log = five(database, anchor, 3)
    shutil.copy(anchor, tmp_path / "older")
    log.record(deed())
    log.record(deed())
    shutil.copy(tmp_path / "older", anchor)
    assert log.verify().faults == ()
    log.record(deed())
    assert '"number": 6' in anchor.read_text()


def test_bytes_that_are_no_text_are_a_fault_with_a_number(tmp_path: Path, anchor: Path) -> None:
    database = opened(f"sqlite:///{tmp_path}/catalog.db")
    disarm(database)
    log = five(database, anchor)
    faults = faults_after(
        database,
        log,
        lambda c: c.execute(text("UPDATE audit SET why = CAST(x'fffe' AS TEXT) WHERE number = 4")),
    )
    assert faults == ("entry 4 was changed or put there, or the entry before it was",)
    faults = faults_after(database, log, lambda c: rewrite(c, 2, "at", b"\xff"))
    assert "entry 2 was changed or put there, or the entry before it was" in faults
    database.close()


def test_digest_and_seal_are_those_of_the_format_page() -> None:
    after = '{"state":"acknowledged"}'
    entry = [
        1,
        1_700_000_000_000_000,
        "alarm_acted",
        "asha",
        "p1/vib-high",
        None,
        after,
        "10.0.0.7",
        "50 \u00b0C",
        "4bf9",
    ]
    digest = digest_of(KEY, entry, "")
    assert digest == "c11dcb39e9002e73e14fa971f51170a1bbdaad689fad5613ce6770bf59ba7af3"
    assert seal(KEY, "forewarn audit anchor 1", 1, digest)[:8] == "7d114865"


def test_no_two_lists_have_the_same_seal() -> None:
    lists: list[tuple[object, ...]] = [
        ("ab", "c"),
        ("a", "bc"),
        ("a", "b", "c"),
        ('a","b', "c"),
        ("1",),
        (1,),
        (None,),
        ("",),
    ]
    assert len({seal(KEY, "kind", *values) for values in lists}) == len(lists)
    assert seal(KEY, "kind", "a") != seal(KEY, "kind2", "a") != seal(b"other", "kind2", "a")


def test_many_faults_are_counted_not_kept(database: Database, anchor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forewarn.catalog.audit_chain._MOST_FAULTS", 100)
    log = five(database, anchor, 1)
    with database.write() as connection:
        for _ in range(200):
            log.append(connection, deed())
    faults = log_in(database, None, b"another").verify().faults
    assert (len(faults), faults[-1]) == (101, "and 101 more faults")
