"""Columns that look like personal data, by their names or by what they hold: a hint for whoever writes the configuration, no more."""

import re

CELLS = 500  # of a column, which are looked at
MOSTLY = 0.8
"""The share of those cells from which on a column holds such things."""

_OF_PEOPLE = "first|last|full|sur|given|family|maiden|middle|customer|patient|employee|user|client|contact"
_BY_NAME = tuple(
    (what, re.compile(pattern))
    for what, pattern in (
        ("email addresses", r"(.*_)?(e_?)?mail(s|_?addr(ess)?)?"),
        ("names of people", rf"(.*_)?({_OF_PEOPLE})_?name|name"),
        ("phone numbers", r"(.*_)?((tele|cell_?)?phone|mobile|fax)(_?(no|number))?"),
        ("IP addresses", r"(.*_)?ip(_?addr(ess)?)?"),
        ("postal addresses", r"(.*_)?(address(_?line)?|street(_?name)?)(_?\d)?"),
        ("dates of birth", r"(.*_)?(date_of_birth|birth_?(date|day)|dob)"),
        ("numbers of people or accounts", r"(.*_)?(ssn|social_security|passport|national_id|tax_id|iban)(_?(no|number))?"),
    )
)
_BY_CONTENT = (
    ("email addresses", re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")),
    ("IP addresses", re.compile(r"(\d{1,3}\.){3}\d{1,3}")),
    ("social security numbers", re.compile(r"\d{3}-\d{2}-\d{4}")),
    ("account numbers (IBAN)", re.compile(r"[A-Z]{2}\d{2}( ?[A-Z0-9]{4}){2,7}( ?[A-Z0-9]{1,3})?")),
    ("phone numbers", re.compile(r"\+\d[\d ()./-]{6,18}\d|\(\d{3}\) ?\d{3}-\d{4}|\d{3}-\d{3}-\d{4}")),
)


class Look:
    """What the first cells of a column look like."""

    def __init__(self) -> None:
        self._seen = 0
        self._found = dict.fromkeys((what for what, _ in _BY_CONTENT), 0)

    def see(self, text: str) -> None:
        """Take one more cell that holds something into account."""
        if self._seen == CELLS:
            return
        self._seen += 1
        for what, pattern in _BY_CONTENT:
            self._found[what] += pattern.fullmatch(text) is not None

    def personal(self, name: str) -> str | None:
        """What the column of this name seems to hold; None when it looks like nobody's."""
        for what, count in self._found.items():
            if self._seen and count >= MOSTLY * self._seen:
                return what
        folded = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()).strip("_")
        return next((what for what, pattern in _BY_NAME if pattern.fullmatch(folded)), None)
