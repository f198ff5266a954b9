"""Trained models, who is champion, and rollouts."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, and_, exists, func, insert, select, update

from forewarn.catalog.engine import Database, upsert
from forewarn.catalog.model_candidates import free_candidates
from forewarn.catalog.model_champions import (
    champion_of,
    check_free,
    crown,
    depose,
    follow,
    hold_involved,
    hold_machines,
    hold_rollouts,
    hold_versions,
    is_version,
    restart_others,
)
from forewarn.catalog.model_files import ModelFiles
from forewarn.catalog.model_pruning import check_bytes, forget_bytes, prune
from forewarn.catalog.model_rows import member_rows, members_of, rollout_of, rollout_row, version_of, version_row
from forewarn.catalog.model_tables import model_champions, model_rollout_members, model_rollouts, model_versions
from forewarn.catalog.narrowing import sees_asset
from forewarn.catalog.recording import Recorder, record
from forewarn.catalog.revisions import MODELS, changed
from forewarn.catalog.tables import assets
from forewarn.contracts.model_registry import Judged
from forewarn.domain.access import Scope
from forewarn.domain.audit import Deed
from forewarn.domain.errors import Conflict, NotAllowed, NotFound
from forewarn.domain.model_versions import ModelState, ModelVersion
from forewarn.domain.rollouts import Candidate, Reign, Rollout
from forewarn.policies.model_signature import read_envelope
from forewarn.policies.rollout import check_step


class CatalogModels:
    """ModelRegistry in the catalog; artifacts are files beside it."""

    def __init__(
        self, database: Database, files: ModelFiles, now: Callable[[], int], audit: Recorder | None = None
    ) -> None:
        self._database, self._files, self._now, self._audit = database, files, now, audit

    def within(self, scope: Scope) -> "CatalogModels":
        return CatalogModels(self._database.within(scope), self._files, self._now, self._audit)

    def add(self, version: ModelVersion, artifact: bytes, deed: Deed | None = None) -> ModelVersion:
        envelope = read_envelope(artifact)
        with self._database.read() as connection:
            _check_asset(connection, version.asset_id, self._database.scope)
        self._files.put(version.id, artifact)  # first: a row without its file would be a model that cannot be had
        told = {"signed_by": envelope.public_key, "size": len(artifact)}
        with self._database.write() as connection:
            row = connection.execute(select(model_versions).where(is_version(version.id)).with_for_update()).first()
            if row is not None and row.asset_id != version.asset_id:
                raise Conflict(f"model {version.id[:16]}… is one of {row.asset_id}, not of {version.asset_id}")
            if row is not None and row.bytes_deleted_at is not None:
                self._files.put(version.id, artifact)  # again: they may have been deleted since
            upsert(connection, model_versions, [version_row(version) | told], keep=_KEPT)
            changed(connection, MODELS)
            if row is None and deed is not None:
                record(self._audit, connection, deed)
            return _get(connection, version.id, self._database.scope)

    def get(self, version_id: str) -> ModelVersion:
        with self._database.read() as connection:
            return _get(connection, version_id, self._database.scope)

    def artifact(self, version_id: str) -> bytes:
        deleted_at = self.get(version_id).bytes_deleted_at
        if deleted_at is not None:
            check_bytes({version_id: deleted_at})
        return self._files.get(version_id)

    def find(
        self, asset_id: str | None = None, states: Collection[ModelState] | None = None, limit: int = 100
    ) -> Sequence[ModelVersion]:
        c = model_versions.c
        query = select(model_versions).where(sees_asset(self._database.scope, c.asset_id))
        if asset_id is not None:
            query = query.where(c.asset_id == asset_id)
        if states is not None:
            query = query.where(c.state.in_(sorted(states)))
        query = query.order_by(c.created_at.desc(), c.version_id).limit(limit)
        with self._database.read() as connection:
            return [version_of(row) for row in connection.execute(query)]

    def champions(self) -> Mapping[str, ModelVersion]:
        join = model_versions.c.version_id == model_champions.c.version_id
        query = select(model_versions).join(model_champions, join)
        query = query.where(sees_asset(self._database.scope, model_versions.c.asset_id))
        with self._database.read() as connection:
            return {row.asset_id: version_of(row) for row in connection.execute(query)}

    def newest(self) -> Mapping[str, ModelVersion]:
        c = model_versions.c
        last = select(c.asset_id, func.max(c.created_at).label("at")).group_by(c.asset_id).subquery()
        newest = and_(c.asset_id == last.c.asset_id, c.created_at == last.c.at)
        query = select(model_versions).join(last, newest).where(sees_asset(self._database.scope, c.asset_id))
        with self._database.read() as connection:
            return {row.asset_id: version_of(row) for row in connection.execute(query.order_by(c.version_id.desc()))}

    def reigns(self) -> Mapping[str, Reign]:
        c = model_champions.c
        query = select(c.asset_id, c.version_id, c.since, c.former_id).where(
            sees_asset(self._database.scope, c.asset_id)
        )
        with self._database.read() as connection:
            return {row.asset_id: Reign(row.version_id, row.since, row.former_id) for row in connection.execute(query)}

    def candidates(self) -> Sequence[Candidate]:
        with self._database.read() as connection:
            found = [Candidate(*row) for row in connection.execute(free_candidates(self._database.scope))]
        return sorted(found, key=lambda candidate: candidate.asset_id)

    def formers(self) -> Mapping[str, str]:
        c = model_champions.c
        query = select(c.version_id, c.former_id).where(c.former_id.is_not(None))
        query = query.where(sees_asset(self._database.scope, c.asset_id))
        with self._database.read() as connection:
            return {row.version_id: row.former_id for row in connection.execute(query)}

    def promote(self, version_id: str, deed: Judged) -> ModelVersion:
        with self._database.write() as connection:
            version = self._alone(connection, version_id)
            before = champion_of(connection, version.asset_id)
            if before is not None and before.version_id == version_id:
                raise Conflict(f"{version_id[:16]}… is the champion of {version.asset_id} already")
            of = hold_versions(connection, [version_id] if before is None else [version_id, before.version_id])
            version = of[version_id]
            former = None if before is None else of[before.version_id]
            if version.bytes_deleted_at is not None:
                check_bytes({version_id: version.bytes_deleted_at})
            crown(connection, version.asset_id, version_id, self._now())
            after = _version_now(connection, version_id)
            changed(connection, MODELS)
            record(self._audit, connection, deed(former, after))
            return after

    def demote(self, version_id: str, reason: str, deed: Judged) -> ModelVersion | None:
        with self._database.write() as connection:
            version = self._alone(connection, version_id)
            champion = champion_of(connection, version.asset_id)
            if champion is None or champion.version_id != version_id:
                raise Conflict(f"{version_id[:16]}… is not the champion of {version.asset_id}")
            hold_involved(connection, {version.asset_id: version_id})
            depose(connection, version.asset_id, version_id, reason, self._now())
            reinstated = None if champion.former_id is None else _version_now(connection, champion.former_id)
            changed(connection, MODELS)
            record(self._audit, connection, deed(version, reinstated))
            return reinstated

    def _alone(self, connection: Connection, version_id: str) -> ModelVersion:
        """A version whose machine is in no rollout under way, held until the transaction ends."""
        version = _get(connection, version_id, self._database.scope)
        hold_machines(connection, [version.asset_id])
        check_free(connection, [version.asset_id])
        return _version_now(connection, version_id)

    def start(self, rollout: Rollout, deed: Deed) -> None:
        self._check_whole()
        with self._database.write() as connection:
            hold_machines(connection, rollout.versions)
            of = hold_versions(connection, rollout.versions.values())
            for asset_id, version_id in rollout.versions.items():
                if version_id not in of or of[version_id].asset_id != asset_id:
                    raise NotFound(f"there is no model {version_id[:16]}… of {asset_id}")
            check_bytes({v: row.bytes_deleted_at for v, row in of.items() if row.bytes_deleted_at is not None})
            if connection.execute(select(model_rollouts).where(model_rollouts.c.rollout_id == rollout.id)).first():
                raise Conflict(f"there is a rollout {rollout.id!r} already")
            check_free(connection, rollout.versions)
            connection.execute(insert(model_rollouts).values(rollout_row(rollout)))
            connection.execute(insert(model_rollout_members), member_rows(rollout))
            changed(connection, MODELS)
            record(self._audit, connection, deed)

    def set_aside(self, version_id: str, reason: str, deed: Deed) -> ModelVersion:
        with self._database.write() as connection:
            version = self._alone(connection, version_id)
            if version.state is not ModelState.CANDIDATE:
                raise Conflict(f"{version_id[:16]}… is no candidate: it is {version.state.value}")
            if version.reason != reason:
                connection.execute(update(model_versions).where(is_version(version_id)).values(reason=reason))
                changed(connection, MODELS)
                record(self._audit, connection, deed)
            return _version_now(connection, version_id)

    def prune(self, kept: int, named: Collection[str], deed: Callable[[Sequence[str]], Deed]) -> Sequence[str]:
        self._check_whole()
        with self._database.write() as connection:
            gone = prune(connection, kept, named, self._now())
            if gone:
                changed(connection, MODELS)
                record(self._audit, connection, deed(gone))
        with self._database.write() as connection:
            forget_bytes(connection, self._files, self._now())
        return gone

    def rollout(self, rollout_id: str) -> Rollout:
        with self._database.read() as connection:
            return self._rollout(connection, rollout_id)

    def rollouts(self, states: Collection[ModelState] | None = None, limit: int = 100) -> Sequence[Rollout]:
        c = model_rollouts.c
        query = select(model_rollouts).order_by(c.started_at.desc(), c.rollout_id).limit(limit)
        if states is not None:
            query = query.where(c.state.in_(sorted(states)))
        if not self._database.scope.everywhere:
            m = model_rollout_members.c
            query = query.where(
                exists().where(m.rollout_id == c.rollout_id, sees_asset(self._database.scope, m.asset_id))
            )
        with self._database.snapshot() as connection:
            rows = connection.execute(query).all()
            members = members_of(connection, [row.rollout_id for row in rows], self._database.scope)
        return [rollout_of(row, members[row.rollout_id]) for row in rows]

    def change_rollout(
        self, rollout_id: str, change: Callable[[Rollout], Rollout], deed: Callable[[Rollout, Rollout], Deed]
    ) -> Rollout:
        self._check_whole()
        with self._database.write() as connection:
            hold_machines(connection, self._rollout(connection, rollout_id).versions)
            before = self._rollout(connection, rollout_id)
            after = change(before)
            if after == before:
                return before
            check_step(before.state, after.state)
            hold_rollouts(connection, after)
            hold_involved(connection, after.versions)
            moved, done = follow(connection, after, self._now()), deed(before, after)
            changed(connection, MODELS)
            record(self._audit, connection, done)
            for other in restart_others(connection, after, moved, self._now(), done):
                record(self._audit, connection, other)
            return after

    def _rollout(self, connection: Connection, rollout_id: str) -> Rollout:
        row = connection.execute(select(model_rollouts).where(model_rollouts.c.rollout_id == rollout_id)).first()
        versions = members_of(connection, [rollout_id], self._database.scope)[rollout_id]
        if row is None or not versions:
            raise NotFound(f"there is no rollout {rollout_id!r}")
        return rollout_of(row, versions)

    def _check_whole(self) -> None:
        if not self._database.scope.everywhere:
            raise NotAllowed("a rollout may concern the whole site: ask somebody whose role is not for a part of it")


_KEPT: Final = ("asset_id", "template", "detectors", "created_at", "state", "state_since", "reason", "card")


def _check_asset(connection: Connection, asset_id: str, scope: Scope) -> None:
    seen = select(assets.c.asset_id).where(assets.c.asset_id == asset_id, sees_asset(scope, assets.c.asset_id))
    if connection.execute(seen).first() is None:
        raise NotFound(f"there is no asset {asset_id!r}")


def _get(connection: Connection, version_id: str, scope: Scope) -> ModelVersion:
    query = select(model_versions).where(is_version(version_id), sees_asset(scope, model_versions.c.asset_id))
    row = connection.execute(query).first()
    if row is None:
        raise NotFound(f"there is no model {version_id[:80]!r}")
    return version_of(row)


def _version_now(connection: Connection, version_id: str) -> ModelVersion:
    return version_of(connection.execute(select(model_versions).where(is_version(version_id))).one())
