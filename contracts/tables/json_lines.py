"""JSON Lines as rows of texts: an object a line, UTF-8, blank lines left out. https://jsonlines.org

The columns are the keys of the first rows, in the order in which they are seen first, for many writers leave out what is null. A row
without a key has a missing cell there; a key that only a later row has is an error, and so are nested values, repeated keys, and NaN.
"""

import io
import json
from collections.abc import Iterator
from typing import Any

from contracts.tables import formats
from contracts.tables.formats import FormatError
from contracts.tables.texts import integer_text, number_text

# So many rows, or so many characters of them, decide which columns there are.
FIRST_ROWS = 1000
FIRST_CHARACTERS = 16 * 1024 * 1024

Cells = dict[str, str]


class _RefusedError(ValueError):
    """What is wrong with a line, in words that quote nothing of it."""

    def __init__(self, problem: str, column: str | None = None) -> None:
        super().__init__(problem)
        self.column = column


def rows(file: io.RawIOBase) -> Iterator[tuple[int, list[str]]]:
    """(0, columns), then (line number, cells) of every row. Raises FormatError."""
    lines = _objects(file)
    first: list[tuple[int, Cells]] = []
    characters = 0
    for number, cells, length in lines:
        first.append((number, cells))
        characters += length
        if len(first) == FIRST_ROWS or characters > FIRST_CHARACTERS:
            break
    columns = list(dict.fromkeys(name for _, cells in first for name in cells))
    if not first:
        return
    if len(columns) > formats.MOST_COLUMNS:
        raise FormatError(f"the rows have more than {formats.MOST_COLUMNS} different keys. Next: give every row the same keys")
    yield 0, columns
    for number, cells in first:
        yield number, [cells.get(name, "") for name in columns]
    known = set(columns)
    for number, cells, _ in lines:
        if not cells.keys() <= known:
            name = next(name for name in cells if name not in known)
            raise FormatError(
                f"none of the first {len(first)} rows has this key. Next: give the first row every key, null where it is missing",
                number,
                name,
            )
        yield number, [cells.get(name, "") for name in columns]


def _objects(file: io.RawIOBase) -> Iterator[tuple[int, Cells, int]]:
    """(line number, cells, characters) of every line that is not blank."""
    text = io.TextIOWrapper(io.BufferedReader(file, 1 << 18), encoding="utf-8-sig", newline="\n")
    number = 0
    try:
        while line := text.readline(formats.LONGEST_LINE):
            number += 1
            if len(line) == formats.LONGEST_LINE:
                raise FormatError(f"the line has more than {formats.LONGEST_LINE} characters", number)
            if not line.isspace():
                yield number, _object(line, number), len(line)
    except UnicodeDecodeError:
        raise FormatError("the file is not UTF-8 text") from None


def _object(line: str, number: int) -> Cells:
    try:
        found = _DECODER.decode(line.strip())
    except _RefusedError as error:
        raise FormatError(str(error), number, error.column) from None
    except RecursionError:
        raise FormatError("the line is nested too deeply. Next: a flat object a line", number) from None
    except ValueError as error:
        raise FormatError(f"the line is not valid JSON: {error}", number) from None
    if not isinstance(found, _Row):
        raise FormatError('the line is no JSON object. Next: an object a line, such as {"column": 1}', number)
    return found.cells


class _Row:
    """An object, as cells. Not a dict, so that one inside another is told apart."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.cells: Cells = {}
        for name, value in pairs:
            if not (name.isascii() and (value.__class__ is not str or value.isascii())):
                _check_unicode(name, value)
            if name in self.cells:
                raise _RefusedError("the key occurs twice. Next: give every key once", name)
            self.cells[name] = _text(name, value)


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    raise _RefusedError("the value is nested. Next: a key for every value in it", name)


def _check_unicode(name: str, value: Any) -> None:
    """JSON can write half a character (\\ud800), and nothing else can."""
    try:
        f"{name}{value if isinstance(value, str) else ''}".encode()
    except UnicodeEncodeError:
        raise _RefusedError("a key or a value is not Unicode text: it holds half a character") from None


def _constant(word: str) -> Any:
    raise _RefusedError(f"{word} is not JSON. Next: null for a missing value")


# Numbers become texts at once: digits as they are, however many, and no float loses an integer's.
_DECODER = json.JSONDecoder(object_pairs_hook=_Row, parse_int=integer_text, parse_float=number_text, parse_constant=_constant)
