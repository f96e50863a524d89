"""How numbers and verdicts are written on every page."""

from __future__ import annotations

import math

MISSING = "–"
# Words and a sign beside the colour, for readers who do not see colours or print in grey.
VERDICTS = {
    "usable": ("✓", "Usable", "Nothing speaks against using this night."),
    "caution": ("!", "Caution", "Usable with these reservations:"),
    "reject": ("✕", "Reject", "Too little of the signal is reliable; do not use this night:"),
}
ARROWS = {
    "+": ("↑", "higher is usually better"),
    "-": ("↓", "lower is usually better"),
    "0": ("·", "no judgement of the direction"),
}


def format_number(value: float, decimals: int | None = None) -> str:
    """Return a number for reading: three digits unless `decimals` are asked, a true minus, – if missing.

    Parameters
    ----------
    value : float
    decimals : int, optional

    Returns
    -------
    str
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if decimals is None:
        size = math.floor(math.log10(abs(value))) if value else 0
        decimals = min(max(2 - size, 0), 6)
        text = f"{value:,.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{value:,.{decimals}f}"
    # Many readers would take a comma of thousands for a decimal comma; a thin space is not ambiguous.
    return text.replace(",", "\u202f").replace("-", "−")


def signed_number(value: float) -> str:
    """Return a number for reading with its sign.

    Parameters
    ----------
    value : float

    Returns
    -------
    str
    """
    text = format_number(value)
    return f"+{text}" if value > 0 else text


def number_range(low: float, high: float) -> str:
    """Return both ends of an interval, or a dash if one of them is missing.

    Parameters
    ----------
    low, high : float

    Returns
    -------
    str
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return MISSING
    return f"{format_number(low)} to {format_number(high)}"


def p_value(value: float) -> str:
    """Return a p-value with as many digits as it can bear.

    Parameters
    ----------
    value : float

    Returns
    -------
    str
    """
    return "< 0.0001" if value < 0.0001 else format_number(value, 3 if value >= 0.001 else 4)
