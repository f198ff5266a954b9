"""What is known of a kind of machine before it is named: signals, limits, parts, failure modes, alarm texts."""

from forewarn.policies.asset_templates.alarm_texts import AlarmText, alarm_text
from forewarn.policies.asset_templates.driven import COMPRESSOR, CONVEYOR, FAN, GEARBOX
from forewarn.policies.asset_templates.model import AssetTemplate, SignalTemplate
from forewarn.policies.asset_templates.pumps import CENTRIFUGAL_PUMP, INDUCTION_MOTOR, PUMP_DIALECT
from forewarn.policies.asset_templates.ratings import RATINGS, Ratings

TEMPLATES: dict[str, AssetTemplate] = {
    t.name: t for t in (CENTRIFUGAL_PUMP, INDUCTION_MOTOR, FAN, COMPRESSOR, CONVEYOR, GEARBOX, PUMP_DIALECT)
}

__all__ = ["RATINGS", "TEMPLATES", "AlarmText", "AssetTemplate", "Ratings", "SignalTemplate", "alarm_text"]
