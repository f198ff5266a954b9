"""Numbers as people read them."""

import math
from typing import Final

_DIGITS: Final = 4
_MOST_DIGITS: Final = 15


def shown(value: float, unit: str = "", *, apart_from: float | None = None) -> str:
    """`value` to four significant digits, whole digits always complete, with its unit.

    With `apart_from`, as many digits more as it takes to read differently from that number.

    >>> shown(3.29936, "bar"), shown(1522.5, "rpm"), shown(123456.7), shown(0.000123456), shown(80.0)
    ('3.299 bar', '1522 rpm', '123457', '0.0001235', '80')
    >>> shown(80.0001, "degC", apart_from=80.0)
    '80.0001 degC'
    """
    digits = _DIGITS
    text = _text(value, digits)
    if apart_from is not None and value != apart_from:
        while text == _text(apart_from, digits) and digits < _MOST_DIGITS:
            digits += 1
            text = _text(value, digits)
    return f"{text} {unit}".rstrip()


def _text(value: float, digits: int) -> str:
    if not math.isfinite(value) or (value != 0 and not 1e-6 < abs(value) < 1e12):
        return f"{value:.{digits}g}"
    whole = math.floor(math.log10(abs(value))) + 1 if value else 1
    text = f"{value:.{max(digits - whole, 0)}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
