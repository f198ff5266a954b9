"""Rows of models and rollouts, as the domain has them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from forewarn.catalog.model_tables import model_rollout_members
from forewarn.catalog.narrowing import sees_asset
from forewarn.domain.access import Scope
from forewarn.domain.model_versions import ModelCard, ModelState, ModelVersion
from forewarn.domain.rollouts import RollbackReason, Rollout
from forewarn.policies.rollout import OPEN


def version_of(row: Row[Any]) -> ModelVersion:
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


def version_row(version: ModelVersion) -> dict[str, Any]:
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


def members_of(connection: Connection, rollout_ids: Sequence[str], scope: Scope) -> dict[str, dict[str, str]]:
    m = model_rollout_members.c
    query = select(m.rollout_id, m.asset_id, m.version_id).where(m.rollout_id.in_(rollout_ids))
    found: dict[str, dict[str, str]] = {rollout_id: {} for rollout_id in rollout_ids}
    for row in connection.execute(query.where(sees_asset(scope, m.asset_id)).order_by(m.asset_id)):
        found[row.rollout_id][row.asset_id] = row.version_id
    return found


def member_rows(rollout: Rollout) -> list[dict[str, Any]]:
    is_open = rollout.state in OPEN
    return [
        {"rollout_id": rollout.id, "asset_id": asset_id, "version_id": version_id, "is_open": is_open}
        for asset_id, version_id in rollout.versions.items()
    ]


def rollout_of(row: Row[Any], versions: Mapping[str, str]) -> Rollout:
    reason = None if row.reason is None else RollbackReason(row.reason)
    return Rollout(
        row.rollout_id, versions, row.started_at, ModelState(row.state), row.since, row.share, reason, row.note
    )


def rollout_row(rollout: Rollout) -> dict[str, Any]:
    return {
        "rollout_id": rollout.id,
        "started_at": rollout.started_at,
        "state": rollout.state.value,
        "since": rollout.since,
        "share": rollout.share,
        "reason": None if rollout.reason is None else rollout.reason.value,
        "note": rollout.note,
    }
