"""Trained models, who is champion, and rollouts."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, and_, delete, exists, func, insert, select, update

from forewarn.catalog.engine import Database, upsert
from forewarn.catalog.model_files import ModelFiles
from forewarn.catalog.model_pruning import check_bytes, forget_bytes, in_order, prune
from forewarn.catalog.model_tables import model_champions, model_rollout_members, model_rollouts, model_versions
from forewarn.catalog.narrowing import sees_asset
from forewarn.catalog.recording import Recorder, record
from forewarn.catalog.revisions import MODELS, changed
from forewarn.catalog.tables import assets
from forewarn.contracts.model_registry import Judged
from forewarn.domain.access import Scope
from forewarn.domain.audit import Deed
from forewarn.domain.errors import Conflict, NotAllowed, NotFound
from forewarn.domain.model_versions import ModelCard, ModelState, ModelVersion
from forewarn.domain.rollouts import RollbackReason, Rollout
from forewarn.policies.model_signature import read_envelope
from forewarn.policies.rollout import OPEN, check_step


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
            row = connection.execute(select(model_versions).where(_is(version.id)).with_for_update()).first()
            if row is not None and row.asset_id != version.asset_id:
                raise Conflict(f"model {version.id[:16]}… is one of {row.asset_id}, not of {version.asset_id}")
            if row is not None and row.bytes_deleted_at is not None:
                self._files.put(version.id, artifact)  # again: they may have been deleted since
            upsert(connection, model_versions, [_version_row(version) | told], keep=_KEPT)
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
            return [_version(row) for row in connection.execute(query)]

    def champions(self) -> Mapping[str, ModelVersion]:
        join = model_versions.c.version_id == model_champions.c.version_id
        query = select(model_versions).join(model_champions, join)
        query = query.where(sees_asset(self._database.scope, model_versions.c.asset_id))
        with self._database.read() as connection:
            return {row.asset_id: _version(row) for row in connection.execute(query)}

    def newest(self) -> Mapping[str, ModelVersion]:
        c = model_versions.c
        last = select(c.asset_id, func.max(c.created_at).label("at")).group_by(c.asset_id).subquery()
        newest = and_(c.asset_id == last.c.asset_id, c.created_at == last.c.at)
        query = select(model_versions).join(last, newest).where(sees_asset(self._database.scope, c.asset_id))
        with self._database.read() as connection:
            return {row.asset_id: _version(row) for row in connection.execute(query.order_by(c.version_id.desc()))}

    def formers(self) -> Mapping[str, str]:
        c = model_champions.c
        query = select(c.version_id, c.former_id).where(c.former_id.is_not(None))
        query = query.where(sees_asset(self._database.scope, c.asset_id))
        with self._database.read() as connection:
            return {row.version_id: row.former_id for row in connection.execute(query)}

    def promote(self, version_id: str, deed: Judged) -> ModelVersion:
        with self._database.write() as connection:
            version = self._alone(connection, version_id)
            before = _champion(connection, version.asset_id)
            if before is not None and before.version_id == version_id:
                raise Conflict(f"{version_id[:16]}… is the champion of {version.asset_id} already")
            of = _hold_versions(connection, [version_id] if before is None else [version_id, before.version_id])
            version = of[version_id]
            former = None if before is None else of[before.version_id]
            if version.bytes_deleted_at is not None:
                check_bytes({version_id: version.bytes_deleted_at})
            _crown(connection, version.asset_id, version_id, self._now())
            after = _version_of(connection, version_id)
            changed(connection, MODELS)
            record(self._audit, connection, deed(former, after))
            return after

    def demote(self, version_id: str, reason: str, deed: Judged) -> ModelVersion | None:
        with self._database.write() as connection:
            version = self._alone(connection, version_id)
            champion = _champion(connection, version.asset_id)
            if champion is None or champion.version_id != version_id:
                raise Conflict(f"{version_id[:16]}… is not the champion of {version.asset_id}")
            _hold_involved(connection, {version.asset_id: version_id})
            _depose(connection, version.asset_id, version_id, reason, self._now())
            reinstated = None if champion.former_id is None else _version_of(connection, champion.former_id)
            changed(connection, MODELS)
            record(self._audit, connection, deed(version, reinstated))
            return reinstated

    def _alone(self, connection: Connection, version_id: str) -> ModelVersion:
        """A version whose machine is in no rollout under way, held until the transaction ends."""
        version = _get(connection, version_id, self._database.scope)
        _hold(connection, [version.asset_id])
        _check_free(connection, [version.asset_id])
        return _version_of(connection, version_id)

    def start(self, rollout: Rollout, deed: Deed) -> None:
        self._check_whole()
        with self._database.write() as connection:
            _hold(connection, rollout.versions)
            of = _hold_versions(connection, rollout.versions.values())
            for asset_id, version_id in rollout.versions.items():
                if version_id not in of or of[version_id].asset_id != asset_id:
                    raise NotFound(f"there is no model {version_id[:16]}… of {asset_id}")
            check_bytes({v: row.bytes_deleted_at for v, row in of.items() if row.bytes_deleted_at is not None})
            if connection.execute(select(model_rollouts).where(model_rollouts.c.rollout_id == rollout.id)).first():
                raise Conflict(f"there is a rollout {rollout.id!r} already")
            _check_free(connection, rollout.versions)
            connection.execute(insert(model_rollouts).values(_rollout_row(rollout)))
            connection.execute(insert(model_rollout_members), _member_rows(rollout))
            changed(connection, MODELS)
            record(self._audit, connection, deed)

    def set_aside(self, version_id: str, reason: str, deed: Deed) -> ModelVersion:
        with self._database.write() as connection:
            version = self._alone(connection, version_id)
            if version.state is not ModelState.CANDIDATE:
                raise Conflict(f"{version_id[:16]}… is no candidate: it is {version.state.value}")
            if version.reason != reason:
                connection.execute(update(model_versions).where(_is(version_id)).values(reason=reason))
                changed(connection, MODELS)
                record(self._audit, connection, deed)
            return _version_of(connection, version_id)

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
            members = _members(connection, [row.rollout_id for row in rows], self._database.scope)
        return [_rollout(row, members[row.rollout_id]) for row in rows]

    def change_rollout(
        self, rollout_id: str, change: Callable[[Rollout], Rollout], deed: Callable[[Rollout, Rollout], Deed]
    ) -> Rollout:
        self._check_whole()
        with self._database.write() as connection:
            _hold(connection, self._rollout(connection, rollout_id).versions)
            before = self._rollout(connection, rollout_id)
            after = change(before)
            if after == before:
                return before
            check_step(before.state, after.state)
            _hold_involved(connection, after.versions)
            _follow(connection, after, self._now())
            changed(connection, MODELS)
            record(self._audit, connection, deed(before, after))
            return after

    def _rollout(self, connection: Connection, rollout_id: str) -> Rollout:
        row = connection.execute(select(model_rollouts).where(model_rollouts.c.rollout_id == rollout_id)).first()
        versions = _members(connection, [rollout_id], self._database.scope)[rollout_id]
        if row is None or not versions:
            raise NotFound(f"there is no rollout {rollout_id!r}")
        return _rollout(row, versions)

    def _check_whole(self) -> None:
        if not self._database.scope.everywhere:
            raise NotAllowed("a rollout may concern the whole site: ask somebody whose role is not for a part of it")


_KEPT: Final = ("asset_id", "template", "detectors", "created_at", "state", "state_since", "reason", "card")


def _is(version_id: str) -> Any:
    return model_versions.c.version_id == version_id


def _check_asset(connection: Connection, asset_id: str, scope: Scope) -> None:
    seen = select(assets.c.asset_id).where(assets.c.asset_id == asset_id, sees_asset(scope, assets.c.asset_id))
    if connection.execute(seen).first() is None:
        raise NotFound(f"there is no asset {asset_id!r}")


def _hold(connection: Connection, asset_ids: Iterable[str]) -> None:
    """Nobody else changes the models of these machines before this transaction ends. Always in the same order."""
    ids = sorted(asset_ids)
    for start in range(0, len(ids), 500):
        held = select(assets.c.asset_id).where(assets.c.asset_id.in_(ids[start : start + 500]))
        connection.execute(held.order_by(assets.c.asset_id).with_for_update())


def _hold_versions(connection: Connection, version_ids: Iterable[str]) -> dict[str, ModelVersion]:
    """As they are, until the transaction ends: nobody deletes their bytes meanwhile. Absent where there is none."""
    ids = sorted(set(version_ids))
    found: dict[str, ModelVersion] = {}
    for start in range(0, len(ids), 500):
        some = select(model_versions).where(model_versions.c.version_id.in_(ids[start : start + 500]))
        found |= {row.version_id: _version(row) for row in connection.execute(in_order(some).with_for_update())}
    return found


def _hold_involved(connection: Connection, versions: Mapping[str, str]) -> None:
    """Those of machines (id by asset id), their champions, and the ones before these."""
    c, asset_ids = model_champions.c, list(versions)
    ids = set(versions.values())
    for start in range(0, len(asset_ids), 500):
        some = select(c.version_id, c.former_id).where(c.asset_id.in_(asset_ids[start : start + 500]))
        ids |= {version_id for row in connection.execute(some) for version_id in row if version_id is not None}
    _hold_versions(connection, ids)


def _check_free(connection: Connection, asset_ids: Collection[str]) -> None:
    m = model_rollout_members.c
    for row in connection.execute(select(m.asset_id, m.rollout_id).where(m.is_open)):
        if row.asset_id in asset_ids:
            raise Conflict(f"{row.asset_id} is in rollout {row.rollout_id!r}, which is under way: end that first")


def _follow(connection: Connection, after: Rollout, now: int) -> None:
    """Rollout, members, versions and champions as `after` says."""
    mine = model_rollouts.c.rollout_id == after.id
    connection.execute(update(model_rollouts).where(mine).values(_rollout_row(after)))
    members = model_rollout_members.c.rollout_id == after.id
    connection.execute(update(model_rollout_members).where(members).values(is_open=after.state in OPEN))
    for asset_id, version_id in after.versions.items():
        if after.state is ModelState.CHAMPION:
            _crown(connection, asset_id, version_id, now)
        elif after.state is ModelState.ROLLED_BACK:
            _depose(connection, asset_id, version_id, after.note, now)
        else:
            _set_state(connection, version_id, after.state, now)


def _crown(connection: Connection, asset_id: str, version_id: str, now: int) -> None:
    before = _champion(connection, asset_id)
    former = None if before is None else before.version_id
    if former == version_id:
        return
    row = {"asset_id": asset_id, "version_id": version_id, "since": now, "former_id": former}
    upsert(connection, model_champions, [row])
    if former is not None:
        _set_state(connection, former, ModelState.RETIRED, now)
    _set_state(connection, version_id, ModelState.CHAMPION, now)


def _depose(connection: Connection, asset_id: str, version_id: str, reason: str, now: int) -> None:
    """Rolled back; where it was the champion, the one before it is that again."""
    champion = _champion(connection, asset_id)
    if champion is not None and champion.version_id == version_id:
        mine = model_champions.c.asset_id == asset_id
        if champion.former_id is None:
            connection.execute(delete(model_champions).where(mine))
        else:
            again = {"version_id": champion.former_id, "since": now, "former_id": None}
            connection.execute(update(model_champions).where(mine).values(again))
            _set_state(connection, champion.former_id, ModelState.CHAMPION, now)
    _set_state(connection, version_id, ModelState.ROLLED_BACK, now, reason)


def _set_state(connection: Connection, version_id: str, state: ModelState, now: int, reason: str = "") -> None:
    told = {"state": state.value, "state_since": now, "reason": reason}
    connection.execute(update(model_versions).where(_is(version_id)).values(told))


def _champion(connection: Connection, asset_id: str) -> Row[Any] | None:
    return connection.execute(select(model_champions).where(model_champions.c.asset_id == asset_id)).first()


def _get(connection: Connection, version_id: str, scope: Scope) -> ModelVersion:
    query = select(model_versions).where(_is(version_id), sees_asset(scope, model_versions.c.asset_id))
    row = connection.execute(query).first()
    if row is None:
        raise NotFound(f"there is no model {version_id[:80]!r}")
    return _version(row)


def _version_of(connection: Connection, version_id: str) -> ModelVersion:
    return _version(connection.execute(select(model_versions).where(_is(version_id))).one())


def _version(row: Row[Any]) -> ModelVersion:
    return ModelVersion(
        id=row.version_id,
        asset_id=row.asset_id,
        template=row.template,
        detectors=tuple(row.detectors),
        created_at=row.created_at,
        card=msgspec.convert(row.card, ModelCard),
        signed_by=row.signed_by,
        size=row.size,
        state=ModelState(row.state),
        state_since=row.state_since,
        reason=row.reason,
        bytes_deleted_at=row.bytes_deleted_at,
    )


def _version_row(version: ModelVersion) -> dict[str, Any]:
    return {
        "version_id": version.id,
        "asset_id": version.asset_id,
        "template": version.template,
        "detectors": list(version.detectors),
        "created_at": version.created_at,
        "state": ModelState.CANDIDATE.value,
        "state_since": version.created_at,
        "reason": "",
        "bytes_deleted_at": None,
        "card": msgspec.to_builtins(version.card),
    }


def _members(connection: Connection, rollout_ids: Sequence[str], scope: Scope) -> dict[str, dict[str, str]]:
    m = model_rollout_members.c
    query = select(m.rollout_id, m.asset_id, m.version_id).where(m.rollout_id.in_(rollout_ids))
    found: dict[str, dict[str, str]] = {rollout_id: {} for rollout_id in rollout_ids}
    for row in connection.execute(query.where(sees_asset(scope, m.asset_id)).order_by(m.asset_id)):
        found[row.rollout_id][row.asset_id] = row.version_id
    return found


def _member_rows(rollout: Rollout) -> list[dict[str, Any]]:
    is_open = rollout.state in OPEN
    return [
        {"rollout_id": rollout.id, "asset_id": asset_id, "version_id": version_id, "is_open": is_open}
        for asset_id, version_id in rollout.versions.items()
    ]


def _rollout(row: Row[Any], versions: Mapping[str, str]) -> Rollout:
    reason = None if row.reason is None else RollbackReason(row.reason)
    return Rollout(
        row.rollout_id, versions, row.started_at, ModelState(row.state), row.since, row.share, reason, row.note
    )


def _rollout_row(rollout: Rollout) -> dict[str, Any]:
    return {
        "rollout_id": rollout.id,
        "started_at": rollout.started_at,
        "state": rollout.state.value,
        "since": rollout.since,
        "share": rollout.share,
        "reason": None if rollout.reason is None else rollout.reason.value,
        "note": rollout.note,
    }
