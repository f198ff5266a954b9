"""The relational schema. Names follow the specification; where it has UUIDs, the API's text ids stand.

Rows that a plant file no longer names are `retired`, never deleted. Times are int64 microseconds UTC.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    desc,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)
Serial = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up by itself on INTEGER alone
Double = Float(53)


def required(name: str, kind: Any, *more: Any, **options: Any) -> Column[Any]:
    return Column(name, kind, *more, nullable=False, **options)


plant_revision = Table(
    "plant_revision",
    metadata,
    Column("plant_id", Integer, primary_key=True, autoincrement=False),
    required("revision", BigInteger),
)

places = Table(
    "places",
    metadata,
    Column("path", Text, primary_key=True),
    required("name", Text),
    required("retired", Boolean),
)

sources = Table(
    "sources",
    metadata,
    Column("name", Text, primary_key=True),
    required("connector", Text),
    required("settings", JSON),
    required("position", Integer),
    required("retired", Boolean),
)

assets = Table(
    "assets",
    metadata,
    Column("asset_id", Text, primary_key=True),
    required("name", Text),
    required("asset_type", Text),
    required("enterprise", Text),
    required("site", Text),
    required("area", Text),
    required("line", Text),
    required("status", Text),
    required("components", JSON),
    required("specifications", JSON),
    required("position", Integer),
    required("retired", Boolean),
    required("created_at", BigInteger),
    required("updated_at", BigInteger),
)

sensors = Table(
    "sensors",
    metadata,
    Column("sensor_key", Integer, primary_key=True, autoincrement=False),
    required("sensor_id", Text, unique=True),
    required("asset_id", Text, ForeignKey("assets.asset_id")),
    required("name", Text),
    required("sensor_type", Text),
    required("unit", Text),
    Column("range_low", Double),
    Column("range_high", Double),
    Column("low_critical", Double),
    Column("low", Double),
    Column("high", Double),
    Column("high_critical", Double),
    Column("max_rate_per_s", Double),
    Column("flatline_s", Double),
    required("deadband", Double),
    Column("running_above", Double),
    required("sampling_rate_hz", Double),
    Column("source", Text),
    Column("address", Text),
    required("position", Integer),
    required("retired", Boolean),
    required("created_at", BigInteger),
    Index("ix_sensors_asset_id", "asset_id", "position"),
)

anomalies = Table(
    "anomalies",
    metadata,
    Column("anomaly_id", Text, primary_key=True),
    required("sensor_key", Integer),
    required("sensor_id", Text),
    required("asset_id", Text),
    required("detector", Text),
    required("detected_at", BigInteger),  # the episode's start, in source time
    required("last_at", BigInteger),
    Column("ended_at", BigInteger),
    required("anomaly_type", Text),
    required("severity", Text),
    required("anomaly_score", Double),
    Column("value", Double),
    Column("expected_value", Double),
    required("reason", Text),
    required("detected_by", Text),
    required("count", BigInteger),
    required("status", Text),
    required("note", Text),
    Column("resolved_at", BigInteger),
    required("created_at", BigInteger),
    Column("evidence", JSON(none_as_null=True)),
    Column("feedback", JSON(none_as_null=True)),
    UniqueConstraint("sensor_key", "detector", "detected_at"),
)
for _filter in ("asset_id", "sensor_id", "status", "severity"):
    Index(f"ix_anomalies_{_filter}", anomalies.c[_filter], desc(anomalies.c.detected_at), desc(anomalies.c.anomaly_id))
Index("ix_anomalies_status_asset", anomalies.c.status, anomalies.c.asset_id)
Index("ix_anomalies_newest", desc(anomalies.c.detected_at), desc(anomalies.c.anomaly_id))
Index(
    "ix_anomalies_labelled",
    anomalies.c.detector,
    anomalies.c.detected_at,
    sqlite_where=text("feedback IS NOT NULL"),
    postgresql_where=text("feedback IS NOT NULL"),
)
Index(
    "ix_anomalies_lasting",
    anomalies.c.sensor_key,
    sqlite_where=text("ended_at IS NULL"),
    postgresql_where=text("ended_at IS NULL"),
)

alarm_rules = Table(
    "alarm_rules",
    metadata,
    Column("asset_id", Text, ForeignKey("assets.asset_id"), primary_key=True),
    Column("rule_id", Text, primary_key=True),
    required("sensor_key", Integer),
    required("sensor_id", Text),
    required("condition", Text),
    required("threshold", Double),
    required("priority", Text),
    required("title", Text),
    required("deadband", Double),
    required("on_delay_s", Double),
    required("off_delay_s", Double),
    required("latching", Boolean),
    required("only_running", Boolean),
    required("detector", Text),
    required("cause", Text),
    required("consequence", Text),
    required("action", Text),
    required("response_minutes", Integer),
    required("position", Integer),
    required("retired", Boolean),
)

alarms = Table(
    "alarms",
    metadata,
    Column("asset_id", Text, primary_key=True),
    Column("rule_id", Text, primary_key=True),
    required("state", Text),
    required("active", Boolean),
    Column("pending_since", BigInteger),
    required("latched", Boolean),
    Column("raised_at", BigInteger),
    Column("returned_at", BigInteger),
    Column("acknowledged_at", BigInteger),
    Column("acknowledged_by", Text),
    Column("shelved_until", BigInteger),
    Column("shelved_by", Text),
    Column("value", Double),
    required("occurrences", BigInteger),
    ForeignKeyConstraint(["asset_id", "rule_id"], ["alarm_rules.asset_id", "alarm_rules.rule_id"]),
    Index("ix_alarms_state", "state"),
)

alarm_events = Table(
    "alarm_events",
    metadata,
    Column("event_id", Serial, primary_key=True, autoincrement=True),
    required("asset_id", Text),
    required("rule_id", Text),
    required("at", BigInteger),
    required("kind", Text),
    required("state", Text),
    required("by", Text),
    required("comment", Text),
    Column("value", Double),
    ForeignKeyConstraint(["asset_id", "rule_id"], ["alarm_rules.asset_id", "alarm_rules.rule_id"]),
    Index("ix_alarm_events_alarm", "asset_id", "rule_id", "event_id"),
    Index("ix_alarm_events_at", "at"),
)

people = Table(
    "people",
    metadata,
    Column("person_id", Text, primary_key=True),
    required("name", Text),
    required("folded_name", Text, unique=True),
    required("full_name", Text),
    Column("password_hash", Text),
    required("must_change", Boolean),
    required("disabled", Boolean),
    Column("subject", Text, unique=True),
    required("created_at", BigInteger),
)

machines = Table(
    "machines",
    metadata,
    Column("machine_id", Text, primary_key=True),
    required("name", Text),
    Column("enrol_hash", LargeBinary),
    Column("enrol_until", BigInteger),
    Column("key_hash", LargeBinary),
    Column("next_key_hash", LargeBinary),
    Column("certificate", Text),
    required("revoked", Boolean),
    required("created_at", BigInteger),
    Column("last_seen_at", BigInteger),
    Index(
        "uq_machines_standing",
        "name",
        unique=True,
        sqlite_where=text("NOT revoked"),
        postgresql_where=text("NOT revoked"),
    ),
)

# holder_id: of a person or a machine.
grants = Table(
    "grants",
    metadata,
    Column("holder_id", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("path", Text, primary_key=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("session_id", Text, primary_key=True),
    required("person_id", Text, ForeignKey("people.person_id")),
    required("secret_hash", LargeBinary),
    Column("previous_hash", LargeBinary),
    required("created_at", BigInteger),
    required("rotated_at", BigInteger),
    required("expires_at", BigInteger),
    required("address", Text),
    required("agent", Text),
    Index("ix_sessions_person_id", "person_id"),
)

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("failure_key", Text, primary_key=True),
    required("count", Integer),
    required("last_at", BigInteger),
)

access_revision = Table(
    "access_revision",
    metadata,
    Column("access_id", Integer, primary_key=True, autoincrement=False),
    required("revision", BigInteger),
)

# Never updated, never deleted from: triggers refuse both.
audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    required("at", BigInteger),
    required("action", Text),
    required("actor", Text),
    required("target", Text),
    Column("before", Text),
    Column("after", Text),
    required("address", Text),
    required("why", Text),
    required("trace_id", Text),
    required("digest", Text),
    Index("ix_audit_at", "at"),
    Index("ix_audit_actor", "actor", "number"),
    Index("ix_audit_action", "action", "number"),
)

# One row: the newest entry. Writers lock it, so the chain has one end.
audit_head = Table(
    "audit_head",
    metadata,
    Column("head_id", Integer, primary_key=True, autoincrement=False),
    required("number", BigInteger),
    required("digest", Text),
)

stage_offsets = Table(
    "stage_offsets",
    metadata,
    Column("stage", Text, primary_key=True),
    required("log_offset", BigInteger),
)
