"""Private columns: which ones, and what takes the place of their values.

    data: {privacy: {drop: [name], hash: [email]}}

A dropped column leaves neither the uploaded file nor the caller's request. In place of a hashed column's value stands its keyed hash, the
same wherever the value comes in: prepare makes it of the uploaded table, predict of the request. Only who may read the key can tell which
value a hash stands for, not even by trying all values. A cell without a value stays one.

A hash is HMAC-SHA-256 of column and value, cut to 96 bits: 24 hexadecimal digits. Two of n different values get the same hash with a
chance of about n^2 / 2^97: of a billion values one in 10^11. The column is part of it, so that equal values of two columns cannot be told
to be equal.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

HASH_DIGITS = 24
KEY_CHARACTERS = 43  # letters and digits: 256 bits
KEY_VARIABLE = "HASH_KEY_SECRET"  # a job's environment variable: the name of the secret that holds the key

_Column = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class Privacy(BaseModel):
    """The private columns."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    drop: tuple[_Column, ...] = ()
    hash: tuple[_Column, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All of them; none when nothing is private."""
        return (*self.drop, *self.hash)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that two of them share when they name the same columns; "" when nothing is private."""
        if not self.columns:
            return ""
        content = json.dumps([sorted(self.drop), sorted(self.hash)])
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def problems(self, categorical: Iterable[str], others: Iterable[str], identity: str | None) -> list[str]:
        """What is wrong with them in a table that has these `categorical` features, this id, and `others` that are neither."""
        categorical, others = set(categorical), set(others)
        used = {*categorical, *others, *([identity] if identity else [])}
        problems = [f"privacy.drop {name!r} is used: it is a feature, the target, the id or the time" for name in self.drop if name in used]
        problems += [
            f"privacy.hash {name!r} is neither a categorical feature nor the id; a column that is not used belongs to privacy.drop"
            for name in self.hash
            if name not in categorical and name != identity
        ]
        problems += [f"privacy names {name!r} twice" for name in sorted({name for name in self.columns if self.columns.count(name) > 1})]
        # A request is searched for private columns however their names are written, so no other column may be called almost the same.
        alike = {fold(name): name for name in self.columns}
        problems += [
            f"privacy names {alike[fold(name)]!r}, and {name!r} differs from it by case or space alone; rename one"
            for name in sorted(used)
            if fold(name) in alike and name not in self.columns
        ]
        return problems


def fold(name: str) -> str:
    """A column's name without case and outer space."""
    return name.strip().casefold()


def hashed(key: bytes, column: str, text: str) -> str:
    """What stands for a cell of a hashed column. Outer space does not count; a missing cell gives ""."""
    value = text.strip()
    if not value:
        return ""
    # The length keeps ("ab", "c") and ("a", "bc") apart. Half a character, which JSON can write, is a value like any other.
    message = f"{len(column)}:{column}{value}".encode(errors="surrogatepass")
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:HASH_DIGITS]


def secret_name(prefix: str) -> str:
    """The secret in AWS Secrets Manager that holds the key of a project and environment."""
    return f"{prefix}-hash-key"
