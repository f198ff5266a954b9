"""PostgreSQL: rows outside what the transaction may see do not exist, whatever the query forgot.

`forewarn.scope` is '*' for everything, or paths of the plant, one a line; without it there is nothing. The owner is
held to it too (FORCE); only superusers and roles with BYPASSRLS are not. SQLite has no such thing.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OF_ASSETS = ("sensors", "anomalies", "alarm_rules", "alarms", "alarm_events")
_OF_NOBODY = ("people", "machines", "grants", "sessions", "sign_in_failures", "audit", "audit_head", "sources")
_ALL = "current_setting('forewarn.scope', true) = '*'"


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    op.execute(
        "CREATE FUNCTION forewarn_sees(path text) RETURNS boolean LANGUAGE sql STABLE AS $$"
        "  SELECT EXISTS (SELECT 1"
        "  FROM unnest(string_to_array(current_setting('forewarn.scope', true), E'\\n')) allowed"
        "  WHERE path = allowed OR starts_with(path, allowed || '/')) $$"
    )
    _guard("assets", f"{_ALL} OR forewarn_sees(enterprise || '/' || site || '/' || area || '/' || line)")
    for table in _OF_ASSETS:
        # `assets` is itself narrowed, so what is found there may be seen.
        known = f"EXISTS (SELECT 1 FROM assets a WHERE a.asset_id = {table}.asset_id)"  # noqa: S608 (names of ours)
        _guard(table, f"{_ALL} OR {known}")
    for table in _OF_NOBODY:
        _guard(table, _ALL)


def _guard(table: str, condition: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY {table}_scope ON {table} USING ({condition}) WITH CHECK ({condition})")


def downgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table in ("assets", *_OF_ASSETS, *_OF_NOBODY):
        op.execute(f"DROP POLICY {table}_scope ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    op.execute("DROP FUNCTION forewarn_sees")
