"""How grave a score is."""

from typing import Final

from forewarn.domain.findings import Severity

_STEPS: Final = ((0.95, Severity.CRITICAL), (0.8, Severity.HIGH), (0.65, Severity.MEDIUM))


def severity_of(score: float) -> Severity:
    """Severity of a score 0-1 (0.5 is the limit): low from 0.5, medium from 0.65 (twice the limit by
    `ratio_score`), high from 0.8 (four times), critical from 0.95."""
    return next((severity for least, severity in _STEPS if score >= least), Severity.LOW)
