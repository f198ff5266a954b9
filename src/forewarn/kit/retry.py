"""How long to wait before trying again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential with equal jitter: the n-th delay lies in [d/2, d], d = min(cap_s, first_s * factor**n)."""

    first_s: float = 0.2
    cap_s: float = 5.0
    factor: float = 2.0

    def delay_s(self, attempt: int, random: float) -> float:
        """Seconds to wait after `attempt` earlier failures in a row (0 = the first); `random` is in 0-1."""
        # The exponent is bounded: 2**1024 overflows a float after a weekend without the device.
        longest = min(self.cap_s, self.first_s * self.factor ** min(attempt, 64))
        return longest / 2 * (1 + random)
