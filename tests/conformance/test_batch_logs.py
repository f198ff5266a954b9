"""Laws every embedded batch log keeps: a model of lists against the real thing on a real disk."""

import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from forewarn.contracts.batch_log import Appended, BatchLog
from forewarn.domain.readings import ReadingBatch
from forewarn.plugins.batch_logs.sqlite_spool import BATCH_LOG
from tests.plugins.batch_logs.batches import batch, same, same_rows

LOGS = {"sqlite_spool": BATCH_LOG}
GATEWAYS = st.sampled_from(["a", "b"])


class LogMachine(RuleBasedStateMachine):
    """The model: every batch ever appended in order, and where each consumer stands."""

    make = BATCH_LOG

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.log: BatchLog = self.make(self.folder)
        self.written: list[ReadingBatch] = []
        self.names: dict[tuple[str, int, int], int] = {}
        self.renamed: set[int] = set()
        # A consumer that came later would find what the others had done with already gone.
        self.consumers = {"line": 0, "mirror": 0}
        for consumer in self.consumers:
            self.log.commit(consumer, 0)

    def teardown(self) -> None:
        self.log.close()
        shutil.rmtree(self.folder)

    @rule(
        names=st.lists(st.tuples(GATEWAYS, st.integers(0, 30), st.integers(0, 2)), min_size=1, max_size=8),
        readings=st.integers(0, 4),
    )
    def append(self, names: list[tuple[str, int, int]], readings: int) -> None:
        given = [(batch(sequence, gateway, readings), content) for gateway, sequence, content in names]
        futures = [self.log.append(b, content) for b, content in given]
        for (b, content), future in zip(given, futures, strict=True):
            assert future.result(10) == self.expected(b, content)

    def expected(self, b: ReadingBatch, content: int) -> Appended:
        """A name and content that were told are a repeat; a name with another content is a batch of its own."""
        name = (b.gateway, b.sequence, content)
        if name in self.names:
            return Appended(self.names[name], repeated=True)
        renamed = any((gateway, sequence) == name[:2] for gateway, sequence, _ in self.names)
        self.written.append(b)
        self.names[name] = len(self.written)
        if renamed:
            self.renamed.add(len(self.written))
        return Appended(len(self.written), repeated=False, renamed=renamed)

    @rule(consumer=st.sampled_from(["line", "mirror"]), share=st.floats(0, 1))
    def commit(self, consumer: str, share: float) -> None:
        offset = int(share * len(self.written))
        self.log.commit(consumer, offset)
        self.consumers[consumer] = max(offset, self.consumers[consumer])

    @rule()
    def reopen(self) -> None:
        self.log.close()
        self.log = self.make(self.folder)

    @rule(most=st.integers(1, 20))
    def read_in_pieces(self, most: int) -> None:
        after = min(self.consumers.values())
        found: list[tuple[int, ReadingBatch]] = []
        while piece := self.log.read(after, most):
            assert len(piece) == 1 or sum(len(b) for _, b in piece) <= most
            found += piece
            after = piece[-1][0]
        assert [offset for offset, _ in found] == list(range(min(self.consumers.values()) + 1, len(self.written) + 1))
        for offset, b in found:
            assert (same_rows if offset in self.renamed else same)(b, self.written[offset - 1])

    @invariant()
    def figures_agree(self) -> None:
        depth = self.log.depth()
        last = len(self.written)
        assert depth.last_offset == last
        assert depth.behind == {name: last - at for name, at in self.consumers.items()}
        assert depth.batches >= last - min(self.consumers.values())
        assert all(self.log.committed(name) == at for name, at in self.consumers.items())
        for gateway in ("a", "b", "nobody"):
            highest = max((b.sequence for b in self.written if b.gateway == gateway), default=-1)
            assert self.log.last_sequence(gateway) == highest
        assert last == 0 or self.log.wait(last - 1, 0)
        assert not self.log.wait(last, 0)


class TestSqliteSpoolLaws(LogMachine.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


@pytest.mark.parametrize("make", LOGS.values(), ids=LOGS)
def test_offsets_are_never_reused_though_everything_was_trimmed(make: type[BATCH_LOG], tmp_path: Path) -> None:
    log = make(tmp_path)
    log.commit("line", 0)
    assert [log.append(batch(s)).result(10).offset for s in range(200)] == list(range(1, 201))
    log.commit("line", 200)
    log.close()
    log = make(tmp_path)
    assert log.depth().batches == 0
    assert log.append(batch(3)).result(10) == Appended(4, repeated=True)
    assert log.append(batch(500)).result(10) == Appended(201, repeated=False)
    assert same(log.read(0, 10)[0][1], batch(500))
    log.close()


@pytest.mark.parametrize("make", LOGS.values(), ids=LOGS)
def test_futures_resolve_in_the_order_of_offsets(make: type[BATCH_LOG], tmp_path: Path) -> None:
    log = make(tmp_path)
    order: list[int] = []
    futures = [log.append(batch(s)) for s in range(300)]
    for future in futures:
        future.add_done_callback(lambda done: order.append(done.result().offset))
    log.close()
    assert sorted(order) == list(range(1, 301))
    assert [f.result().offset for f in futures] == list(range(1, 301))


@pytest.mark.parametrize("make", LOGS.values(), ids=LOGS)
def test_what_was_appended_cannot_be_cancelled(make: type[BATCH_LOG], tmp_path: Path) -> None:
    log = make(tmp_path)
    future = log.append(batch(1))
    assert not future.cancel()
    assert future.result(10).offset == 1
    log.close()
