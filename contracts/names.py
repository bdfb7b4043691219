"""Names that come from outside: a column's, a file's. Some are tricks on whoever reads them later, with a spreadsheet or in a terminal.

A cell that begins like a formula is run by spreadsheets (https://owasp.org/www-community/attacks/CSV_Injection); control characters and
marks of direction make a terminal or a page show something else than what is there.
"""

import unicodedata

FORMULA = ("=", "+", "-", "@")
# Control, format (marks of direction, zero width) and surrogate characters.
_UNSEEN = frozenset({"Cc", "Cf", "Cs"})


def trick_in(name: str) -> str | None:
    """What is wrong with a name that nobody vouches for; None when it is harmless."""
    if name.startswith(FORMULA):
        return "begins like a spreadsheet's formula"
    if any(unicodedata.category(character) in _UNSEEN for character in name):
        return "holds a character that cannot be seen"
    return None


def harmless(cell: str) -> str:
    """A cell of a CSV file that people open: what a spreadsheet would run is made text by an apostrophe. Numbers stay as they are."""
    return f"'{cell}" if cell.startswith(("\t", "\r", *FORMULA)) and not _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
