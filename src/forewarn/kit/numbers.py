"""Numbers as strangers send them."""

import math


def finite(given: object) -> float | None:
    """`given` as a float; None for a bool, for what is no number, for NaN and for what a float cannot hold."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    try:
        number = float(given)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
