"""What a number is as text."""

import math


def integer_text(text: str) -> str:
    """A written integer, however many digits it has."""
    return "0" if text == "-0" else text


def number_text(text: str) -> str:
    """A written number as the shortest text of the same number. One beyond all floats stays as it is, for the contract to refuse."""
    value = float(text)
    return repr(value) if math.isfinite(value) else text
