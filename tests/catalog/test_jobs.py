"""Jobs are held by one process at a time, go on when it dies, and show what is left; on SQLite and PostgreSQL."""

from collections.abc import Iterator

import pytest

from forewarn.catalog import Catalog, Seal, open_catalog
from forewarn.contracts.audit_log import AuditQuery
from forewarn.contracts.job_store import JobStore
from forewarn.domain.access import Scope
from forewarn.domain.audit import OWN, AuditAction, Deed
from forewarn.domain.errors import Conflict, InvalidInput, NotFound
from forewarn.domain.jobs import Attempts, ItemState, Job, JobItem, JobState
from tests.catalog.plants import plant

DEED = Deed(AuditAction.MODEL_CHANGED, "anna", "job")
ELSEWHERE = Scope(("acme/berlin",))


class Clock:
    def __init__(self) -> None:
        self.now = 1_000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sealed(url: str, clock: Clock) -> Iterator[Catalog]:
    with open_catalog(url, lambda: clock.now, Seal(b"0" * 32)) as catalog:
        catalog.plant.apply(plant("p1", "p2"), ())
        yield catalog


@pytest.fixture
def store(sealed: Catalog) -> JobStore:
    return sealed.jobs


def job(job_id: str = "j1", *assets: str) -> Job:
    return Job(job_id, "train", "anna", 900, tuple(JobItem(a) for a in assets or ("p1", "p2")), {"days": 14.0})


def test_a_job_comes_back_as_it_was_kept_with_its_deed(sealed: Catalog, store: JobStore) -> None:
    assert store.add(job(), DEED) == job() == store.get("j1")
    assert [j.id for j in store.find("train")] == ["j1"]
    assert store.find("predict") == []
    assert len(sealed.audit.find(AuditQuery())) == 1
    with pytest.raises(NotFound, match="'p9'"):
        store.add(job("j2", "p9"))
    with pytest.raises(InvalidInput):
        store.add(Job("j3", "train", "anna", 900, ()))
    with pytest.raises(NotFound):
        store.get("j2")


def test_one_holds_it_and_another_goes_on_when_the_lease_ran_out(store: JobStore, clock: Clock) -> None:
    store.add(job())
    first = store.claim("train", "a", 2_000)
    assert first is not None
    assert first.state is JobState.RUNNING
    assert store.claim("train", "b", 3_000) is None
    done = JobItem("p1", ItemState.DONE, "champion", "ab", 1.5)
    assert store.told("j1", "a", done)
    assert store.renew("j1", "a", 2_500)
    clock.now = 2_600
    second = store.claim("train", "b", 4_000, "j1")
    assert second is not None
    assert second.items == (done, JobItem("p2"))
    assert not store.renew("j1", "a", 9_000)
    assert not store.told("j1", "a", JobItem("p2", ItemState.DONE))
    assert store.finish("j1", "a").state is JobState.RUNNING
    assert store.told("j1", "b", JobItem("p1", ItemState.FAILED)), "the first word stays"
    ended = store.finish("j1", "b")
    assert (ended.state, ended.ended_at, ended.items[0]) == (JobState.DONE, 2_600, done)
    assert store.claim("train", "c", 9_000) is None


def test_the_oldest_is_taken_first(store: JobStore) -> None:
    store.add(job("j2"))
    store.add(Job("j1", "train", "anna", 800, (JobItem("p1"),)))
    taken = [store.claim("train", "a", 2_000) for _ in range(3)]
    assert [j.id if j else None for j in taken] == ["j1", "j2", None]


def test_a_cancelled_job_is_let_go_of(store: JobStore) -> None:
    store.add(job())
    store.claim("train", "a", 2_000)
    assert store.cancel("j1", DEED).state is JobState.CANCELLED
    assert not store.renew("j1", "a", 3_000)
    assert not store.told("j1", "a", JobItem("p1", ItemState.DONE))
    assert store.finish("j1", "a").state is JobState.CANCELLED
    with pytest.raises(Conflict, match="cancelled"):
        store.cancel("j1", DEED)


def test_who_sees_a_part_sees_no_job_of_another(store: JobStore) -> None:
    store.add(job())
    there = store.within(ELSEWHERE)
    assert there.find() == []
    for ask in (lambda: there.get("j1"), lambda: there.cancel("j1", DEED), lambda: there.add(job("j2"))):
        with pytest.raises(NotFound):
            ask()
    here = store.within(Scope(("acme/pune",)))
    assert here.get("j1") == job()
    assert here.add(job("j3")).id == "j3"


def own(job_id: str, *assets: str, at: int = 900) -> Job:
    """Of the site itself."""
    return Job(job_id, "train", OWN, at, tuple(JobItem(a) for a in assets or ("p1", "p2")))


def test_what_a_person_asks_for_comes_first(store: JobStore) -> None:
    store.add(own("j1", "p1", at=1))
    held = store.claim("train", "a", 2_000)
    assert held is not None
    assert held.id == "j1"
    assert not store.gives_way("a")
    store.add(job("j2", "p2"))
    assert store.gives_way("a")
    assert not store.gives_way("b")
    store.renew("j1", "a", 1_000)  # let go of
    first = store.claim("train", "a", 2_000)
    assert first is not None
    assert first.id == "j2"
    assert not store.gives_way("a")  # what waits is the site's own


def test_no_machine_is_in_two_open_jobs_of_which_one_is_the_sites_own(store: JobStore) -> None:
    store.add(own("j1"))
    with pytest.raises(Conflict, match="another"):
        store.add(own("j2", "p2"))
    store.add(job("j3", "p2"))
    assert [item.asset_id for item in store.get("j1").items] == ["p1"]
    assert [item.asset_id for item in store.get("j3").items] == ["p2"]
    store.claim("train", "a", 2_000, "j1")
    store.told("j1", "a", JobItem("p1", ItemState.DONE))
    assert [item.asset_id for item in store.add(own("j4")).items] == ["p1"]


def test_what_was_tried_of_a_machine_is_told(store: JobStore, clock: Clock) -> None:
    assert store.attempts("train", 0) == {}
    for at, state in ((1, ItemState.DONE), (2, ItemState.NOT_ENOUGH), (3, ItemState.FAILED)):
        store.add(own(f"j{at}", "p1", at=at))
        store.claim("train", "a", 2_000, f"j{at}")
        store.told(f"j{at}", "a", JobItem("p1", state))
        store.finish(f"j{at}", "a")
    assert store.attempts("train", 0) == {"p1": Attempts(last_at=3, done_at=1, in_vain=2)}
    assert store.attempts("train", 3) == {"p1": Attempts(last_at=3, in_vain=1)}
    assert store.attempts("predict", 0) == {}
    store.add(own("j4", "p1", "p2", at=4))
    assert store.attempts("train", 4)["p2"] == Attempts(last_at=4, is_open=True)
    store.cancel("j4", DEED)
    assert store.attempts("train", 0)["p1"] == Attempts(4, 1, 4, 2)
    assert store.within(ELSEWHERE).attempts("train", 0) == {}
