"""What stands before every route, whoever asks; `app/wiring.py` fills it in from the settings."""

from dataclasses import dataclass, field

from forewarn.api.origin import OriginCheck
from forewarn.api.rate_limits import RateLimits


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """As it is made here: every host name, no limits, and changes from other sites' pages refused."""

    origin: OriginCheck = field(default_factory=OriginCheck)
    limits: RateLimits = field(default_factory=RateLimits)
