"""Jobs in the catalog."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, exists, insert, select, update

from forewarn.catalog.engine import Database
from forewarn.catalog.job_tables import job_items, jobs
from forewarn.catalog.narrowing import sees_asset
from forewarn.catalog.recording import Recorder, record
from forewarn.catalog.tables import assets
from forewarn.domain.access import Scope
from forewarn.domain.audit import OWN, Deed
from forewarn.domain.errors import Conflict, InvalidInput, NotFound
from forewarn.domain.jobs import Attempts, ItemState, Job, JobItem, JobState

_OPEN = (JobState.WAITING.value, JobState.RUNNING.value)


class CatalogJobs:
    """JobStore in the catalog."""

    def __init__(self, database: Database, now: Callable[[], int], audit: Recorder | None = None) -> None:
        self._database, self._now, self._audit = database, now, audit

    def within(self, scope: Scope) -> "CatalogJobs":
        return CatalogJobs(self._database.within(scope), self._now, self._audit)

    def add(self, job: Job, deed: Deed | None = None) -> Job:
        if not job.items:
            raise InvalidInput("a job needs a machine at least", field="assets")
        with self._database.write() as connection:
            self._check_assets(connection, [item.asset_id for item in job.items])
            job = _apart(connection, job)
            connection.execute(insert(jobs).values(_job_row(job)))
            connection.execute(insert(job_items), [_item_row(job.id, i, item) for i, item in enumerate(job.items)])
            if deed is not None:
                record(self._audit, connection, deed)
            return self._get(connection, job.id)

    def get(self, job_id: str) -> Job:
        with self._database.snapshot() as connection:
            return self._get(connection, job_id)

    def find(self, kind: str | None = None, limit: int = 100) -> Sequence[Job]:
        query = self._seen().order_by(jobs.c.created_at.desc(), jobs.c.job_id).limit(limit)
        if kind is not None:
            query = query.where(jobs.c.kind == kind)
        with self._database.snapshot() as connection:
            return [self._whole(connection, row) for row in connection.execute(query).all()]

    def attempts(self, kind: str, since: int) -> Mapping[str, Attempts]:
        c, i = jobs.c, job_items.c
        query = select(i.asset_id, i.state, c.created_at, c.state.label("job")).join(jobs, c.job_id == i.job_id)
        query = query.where(c.kind == kind, c.created_at >= since, sees_asset(self._database.scope, i.asset_id))
        found: dict[str, Attempts] = defaultdict(Attempts)
        with self._database.read() as connection:
            for row in connection.execute(query.order_by(c.created_at, c.job_id)):
                found[row.asset_id] = _after(found[row.asset_id], row)
        return dict(found)

    def gives_way(self, owner: str) -> bool:
        c = jobs.c
        ours = select(c.job_id).where(c.owner == owner, c.by_whom == OWN, c.state == JobState.RUNNING.value)
        theirs = select(c.job_id).where(c.by_whom != OWN, c.state.in_(_OPEN), c.lease_until <= self._now())
        with self._database.read() as connection:
            return all(connection.execute(query.limit(1)).first() is not None for query in (ours, theirs))

    def claim(self, kind: str, owner: str, until: int, job_id: str | None = None) -> Job | None:
        c = jobs.c
        free = (c.kind == kind, c.state.in_(_OPEN), c.lease_until <= self._now())
        query = select(c.job_id).where(*free, *(() if job_id is None else (c.job_id == job_id,)))
        query = query.order_by(c.by_whom == OWN, c.created_at, c.job_id).limit(1).with_for_update(skip_locked=True)
        with self._database.write() as connection:
            found = connection.execute(query).scalar()
            if found is None:
                return None
            held = {"owner": owner, "lease_until": until, "state": JobState.RUNNING.value}
            connection.execute(update(jobs).where(c.job_id == found).values(held))
            return self._get(connection, found)

    def renew(self, job_id: str, owner: str, until: int) -> bool:
        with self._database.write() as connection:
            return _held(connection, job_id, owner, until)

    def told(self, job_id: str, owner: str, item: JobItem) -> bool:
        with self._database.write() as connection:
            if not _held(connection, job_id, owner):
                return False
            c = job_items.c
            mine = (c.job_id == job_id, c.asset_id == item.asset_id, c.state == ItemState.WAITING.value)
            told = {"state": item.state.value, "text": item.text, "result": item.result, "seconds": item.seconds}
            connection.execute(update(job_items).where(*mine).values(told))
            return True

    def at(self, job_id: str, owner: str, phase: str) -> bool:
        with self._database.write() as connection:
            if not _held(connection, job_id, owner):
                return False
            connection.execute(update(jobs).where(jobs.c.job_id == job_id).values(phase=phase))
            return True

    def finish(self, job_id: str, owner: str) -> Job:
        with self._database.write() as connection:
            if _held(connection, job_id, owner):
                self._end(connection, job_id, JobState.DONE)
            return self._get(connection, job_id)

    def cancel(self, job_id: str, deed: Deed) -> Job:
        with self._database.write() as connection:
            job = self._get(connection, job_id, lock=True)
            if job.ended_at is not None:
                raise Conflict(f"job {job_id!r} has ended: it is {job.state.value}")
            self._end(connection, job_id, JobState.CANCELLED)
            record(self._audit, connection, deed)
            return self._get(connection, job_id)

    def _end(self, connection: Connection, job_id: str, state: JobState) -> None:
        ended = {"state": state.value, "ended_at": self._now(), "owner": "", "lease_until": 0, "phase": ""}
        connection.execute(update(jobs).where(jobs.c.job_id == job_id).values(ended))

    def _check_assets(self, connection: Connection, asset_ids: Sequence[str]) -> None:
        seen = select(assets.c.asset_id).where(sees_asset(self._database.scope, assets.c.asset_id))
        known = set(connection.execute(seen).scalars())
        for asset_id in asset_ids:
            if asset_id not in known:
                raise NotFound(f"there is no asset {asset_id!r}")

    def _seen(self) -> Select[Any]:
        query = select(jobs)
        if not self._database.scope.everywhere:
            i = job_items.c
            query = query.where(exists().where(i.job_id == jobs.c.job_id, sees_asset(self._database.scope, i.asset_id)))
        return query

    def _get(self, connection: Connection, job_id: str, *, lock: bool = False) -> Job:
        query = self._seen().where(jobs.c.job_id == job_id)
        row = connection.execute(query.with_for_update() if lock else query).first()
        if row is None:
            raise NotFound(f"there is no job {job_id[:80]!r}")
        return self._whole(connection, row)

    def _whole(self, connection: Connection, row: Row[Any]) -> Job:
        i = job_items.c
        query = select(job_items).where(i.job_id == row.job_id, sees_asset(self._database.scope, i.asset_id))
        items = tuple(_item(each) for each in connection.execute(query.order_by(i.place)))
        return replace(_job(row), items=items)


def _apart(connection: Connection, job: Job) -> Job:
    """No machine in two open jobs where one of them is the site's own: the person's one has it."""
    c, i = jobs.c, job_items.c
    assets_ = {item.asset_id for item in job.items}
    open_ = select(c.job_id).where(c.kind == job.kind, c.state.in_(_OPEN))
    if job.by != OWN:
        own = open_.where(c.by_whom == OWN)
        for asset_id in sorted(assets_):
            waits = (i.job_id.in_(own), i.asset_id == asset_id, i.state == ItemState.WAITING.value)
            connection.execute(delete(job_items).where(*waits))
        return job
    waiting = select(i.asset_id).where(i.job_id.in_(open_), i.state == ItemState.WAITING.value)
    taken = set(connection.execute(waiting).scalars())
    left = tuple(item for item in job.items if item.asset_id not in taken)
    if not left:
        raise Conflict("every machine of this job is in another that is under way")
    return replace(job, items=left)


def _after(before: Attempts, item: Any) -> Attempts:
    """In the order in which jobs were asked for."""
    at = int(item.created_at)
    now = replace(before, last_at=at)
    if item.state == ItemState.DONE.value:
        return replace(now, done_at=at, in_vain=0)
    if item.state != ItemState.WAITING.value:
        return replace(now, in_vain=before.in_vain + 1)
    return replace(now, is_open=True) if item.job in _OPEN else replace(now, cancelled_at=at)


def _held(connection: Connection, job_id: str, owner: str, until: int | None = None) -> bool:
    """Whether it is still that owner's; `until`: held for longer."""
    c = jobs.c
    mine = (c.job_id == job_id, c.owner == owner, c.state == JobState.RUNNING.value)
    told = {"owner": owner} if until is None else {"lease_until": until}
    return connection.execute(update(jobs).where(*mine).values(told)).rowcount == 1


def _job_row(job: Job) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "kind": job.kind,
        "by_whom": job.by,
        "created_at": job.created_at,
        "settings": dict(job.settings),
        "state": JobState.WAITING.value,
        "ended_at": None,
        "owner": "",
        "lease_until": 0,
        "phase": "",
    }


def _item_row(job_id: str, place: int, item: JobItem) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "asset_id": item.asset_id,
        "place": place,
        "state": item.state.value,
        "text": item.text,
        "result": item.result,
        "seconds": item.seconds,
    }


def _job(row: Row[Any]) -> Job:
    state = JobState(row.state)
    return Job(row.job_id, row.kind, row.by_whom, row.created_at, (), row.settings, state, row.ended_at, row.phase)


def _item(row: Row[Any]) -> JobItem:
    return JobItem(row.asset_id, ItemState(row.state), row.text, row.result, row.seconds)
