"""Plant, anomalies, alarms, offsets."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _anomalies()
    _anomaly_indexes()
    _places_and_sources()
    _alarm_rules()
    _sensors()
    _alarm_journal()


def _anomalies() -> None:
    op.create_table(
        "anomalies",
        sa.Column("anomaly_id", sa.Text(), nullable=False),
        sa.Column("sensor_key", sa.Integer(), nullable=False),
        sa.Column("sensor_id", sa.Text(), nullable=False),
        sa.Column("asset_id", sa.Text(), nullable=False),
        sa.Column("detector", sa.Text(), nullable=False),
        sa.Column("detected_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("anomaly_type", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("anomaly_score", sa.Float(precision=53), nullable=False),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.Column("expected_value", sa.Float(precision=53), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detected_by", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("anomaly_id", name=op.f("pk_anomalies")),
        sa.UniqueConstraint(
            "sensor_key", "detector", "detected_at", name=op.f("uq_anomalies_sensor_key_detector_detected_at")
        ),
    )


def _anomaly_indexes() -> None:
    with op.batch_alter_table("anomalies", schema=None) as batch_op:
        batch_op.create_index(
            "ix_anomalies_asset_id",
            ["asset_id", sa.literal_column("detected_at DESC"), sa.literal_column("anomaly_id DESC")],
            unique=False,
        )
        batch_op.create_index(
            "ix_anomalies_lasting",
            ["sensor_key"],
            unique=False,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )
        batch_op.create_index(
            "ix_anomalies_newest",
            [sa.literal_column("detected_at DESC"), sa.literal_column("anomaly_id DESC")],
            unique=False,
        )
        batch_op.create_index(
            "ix_anomalies_sensor_id",
            ["sensor_id", sa.literal_column("detected_at DESC"), sa.literal_column("anomaly_id DESC")],
            unique=False,
        )
        batch_op.create_index(
            "ix_anomalies_severity",
            ["severity", sa.literal_column("detected_at DESC"), sa.literal_column("anomaly_id DESC")],
            unique=False,
        )
        batch_op.create_index(
            "ix_anomalies_status",
            ["status", sa.literal_column("detected_at DESC"), sa.literal_column("anomaly_id DESC")],
            unique=False,
        )


def _places_and_sources() -> None:
    op.create_table(
        "assets",
        sa.Column("asset_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("asset_type", sa.Text(), nullable=False),
        sa.Column("enterprise", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("components", sa.JSON(), nullable=False),
        sa.Column("specifications", sa.JSON(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("retired", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("asset_id", name=op.f("pk_assets")),
    )
    op.create_table(
        "places",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("retired", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_places")),
    )
    op.create_table(
        "plant_revision",
        sa.Column("plant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("plant_id", name=op.f("pk_plant_revision")),
    )
    op.create_table(
        "sources",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("retired", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sources")),
    )
    op.create_table(
        "stage_offsets",
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("log_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stage", name=op.f("pk_stage_offsets")),
    )


def _alarm_rules() -> None:
    op.create_table(
        "alarm_rules",
        sa.Column("asset_id", sa.Text(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("sensor_key", sa.Integer(), nullable=False),
        sa.Column("sensor_id", sa.Text(), nullable=False),
        sa.Column("condition", sa.Text(), nullable=False),
        sa.Column("threshold", sa.Float(precision=53), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("deadband", sa.Float(precision=53), nullable=False),
        sa.Column("on_delay_s", sa.Float(precision=53), nullable=False),
        sa.Column("off_delay_s", sa.Float(precision=53), nullable=False),
        sa.Column("latching", sa.Boolean(), nullable=False),
        sa.Column("only_running", sa.Boolean(), nullable=False),
        sa.Column("detector", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("consequence", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("response_minutes", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("retired", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.asset_id"], name=op.f("fk_alarm_rules_asset_id")),
        sa.PrimaryKeyConstraint("asset_id", "rule_id", name=op.f("pk_alarm_rules")),
    )


def _sensors() -> None:
    op.create_table(
        "sensors",
        sa.Column("sensor_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sensor_id", sa.Text(), nullable=False),
        sa.Column("asset_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sensor_type", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("range_low", sa.Float(precision=53), nullable=True),
        sa.Column("range_high", sa.Float(precision=53), nullable=True),
        sa.Column("low_critical", sa.Float(precision=53), nullable=True),
        sa.Column("low", sa.Float(precision=53), nullable=True),
        sa.Column("high", sa.Float(precision=53), nullable=True),
        sa.Column("high_critical", sa.Float(precision=53), nullable=True),
        sa.Column("max_rate_per_s", sa.Float(precision=53), nullable=True),
        sa.Column("flatline_s", sa.Float(precision=53), nullable=True),
        sa.Column("deadband", sa.Float(precision=53), nullable=False),
        sa.Column("running_above", sa.Float(precision=53), nullable=True),
        sa.Column("sampling_rate_hz", sa.Float(precision=53), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("retired", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.asset_id"], name=op.f("fk_sensors_asset_id")),
        sa.PrimaryKeyConstraint("sensor_key", name=op.f("pk_sensors")),
        sa.UniqueConstraint("sensor_id", name=op.f("uq_sensors_sensor_id")),
    )
    with op.batch_alter_table("sensors", schema=None) as batch_op:
        batch_op.create_index("ix_sensors_asset_id", ["asset_id", "position"], unique=False)


def _alarm_journal() -> None:
    op.create_table(
        "alarm_events",
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("asset_id", sa.Text(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.ForeignKeyConstraint(
            ["asset_id", "rule_id"],
            ["alarm_rules.asset_id", "alarm_rules.rule_id"],
            name=op.f("fk_alarm_events_asset_id_rule_id"),
        ),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_alarm_events")),
    )
    with op.batch_alter_table("alarm_events", schema=None) as batch_op:
        batch_op.create_index("ix_alarm_events_alarm", ["asset_id", "rule_id", "event_id"], unique=False)
        batch_op.create_index("ix_alarm_events_at", ["at"], unique=False)

    op.create_table(
        "alarms",
        sa.Column("asset_id", sa.Text(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("pending_since", sa.BigInteger(), nullable=True),
        sa.Column("latched", sa.Boolean(), nullable=False),
        sa.Column("raised_at", sa.BigInteger(), nullable=True),
        sa.Column("returned_at", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.Column("shelved_until", sa.BigInteger(), nullable=True),
        sa.Column("shelved_by", sa.Text(), nullable=True),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.Column("occurrences", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id", "rule_id"],
            ["alarm_rules.asset_id", "alarm_rules.rule_id"],
            name=op.f("fk_alarms_asset_id_rule_id"),
        ),
        sa.PrimaryKeyConstraint("asset_id", "rule_id", name=op.f("pk_alarms")),
    )
    with op.batch_alter_table("alarms", schema=None) as batch_op:
        batch_op.create_index("ix_alarms_state", ["state"], unique=False)
    op.execute("INSERT INTO plant_revision (plant_id, revision) VALUES (1, 0)")


def downgrade() -> None:
    with op.batch_alter_table("alarms", schema=None) as batch_op:
        batch_op.drop_index("ix_alarms_state")

    op.drop_table("alarms")
    with op.batch_alter_table("alarm_events", schema=None) as batch_op:
        batch_op.drop_index("ix_alarm_events_at")
        batch_op.drop_index("ix_alarm_events_alarm")

    op.drop_table("alarm_events")
    with op.batch_alter_table("sensors", schema=None) as batch_op:
        batch_op.drop_index("ix_sensors_asset_id")

    op.drop_table("sensors")
    op.drop_table("alarm_rules")
    op.drop_table("stage_offsets")
    op.drop_table("sources")
    op.drop_table("plant_revision")
    op.drop_table("places")
    op.drop_table("assets")
    with op.batch_alter_table("anomalies", schema=None) as batch_op:
        batch_op.drop_index("ix_anomalies_status")
        batch_op.drop_index("ix_anomalies_severity")
        batch_op.drop_index("ix_anomalies_sensor_id")
        batch_op.drop_index("ix_anomalies_newest")
        batch_op.drop_index(
            "ix_anomalies_lasting",
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )
        batch_op.drop_index("ix_anomalies_asset_id")

    op.drop_table("anomalies")
