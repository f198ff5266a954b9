"""A site's settings, read by whoever needs them: pydantic-settings takes 15 MB that a gateway does without."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forewarn.app.settings import Settings


def read_settings(**options: Any) -> "Settings":
    """As settings_reading.read_settings."""
    from forewarn.app.settings_reading import read_settings as read

    return read(**options)
