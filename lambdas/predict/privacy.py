"""A request without the values of private columns (contracts/privacy.py): what the endpoint is sent, and captures, is made here.

Dropped columns go, and so does a hashed column that is no feature; a hashed feature's value is replaced by its hash. The rest stays as it
came, for the model server to judge. A request is taken apart and written anew: whatever is not a flat record, or CSV with a header, could
hide a value in a place that nobody looks at, so it is refused, in words that quote nothing of it. CSV needs the header because cells by
position would be mapped by guess.
"""

import csv
import io
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from contracts.privacy import Privacy, fold
from lambdas.api import JSON, Reply, refuse
from lambdas.predict.request import Request

JSON_LINES = "application/jsonlines"
Hasher = Callable[[str, str], str]
"""(column, text) -> what stands for it."""


class _UnclearError(Exception):
    """The request cannot be taken apart; the message quotes no value."""


class Concealer:
    """Takes private values out of requests for a model of these features."""

    def __init__(self, privacy: Privacy, features: Collection[str], hasher: Hasher) -> None:
        self._features = sorted(features)
        self._hashed = frozenset(privacy.hash) & frozenset(features)
        self._plain = frozenset(features) - self._hashed
        self._private = frozenset(map(fold, privacy.columns))
        self._hasher = hasher

    def conceal(self, request: Request) -> Request | Reply:
        """The request as the endpoint may see it, or the reply that says why that cannot be made of it."""
        kind = request.content_type.split(";")[0].strip().lower()
        rewrite = {JSON: self._json, JSON_LINES: self._json_lines}.get(kind, self._csv)
        try:
            return replace(request, body=rewrite(request.body).encode())
        except _UnclearError as error:
            return refuse(400, "RequestError", str(error))
        except UnicodeDecodeError:
            return refuse(400, "RequestError", "the body is not text in UTF-8")

    def _json(self, body: bytes) -> str:
        document = _parse(body.decode(), "the body")
        if isinstance(document, list):
            return json.dumps(self._records(document))
        if isinstance(document, dict) and set(document) == {"instances"} and isinstance(document["instances"], list):
            return json.dumps({"instances": self._records(document["instances"])})
        return json.dumps(self._record(1, document))

    def _json_lines(self, body: bytes) -> str:
        lines = [line for line in body.splitlines() if line.strip()]
        records = [_parse(line.decode(), f"row {number}") for number, line in enumerate(lines, 1)]
        return "".join(f"{json.dumps(record)}\n" for record in self._records(records))

    def _records(self, records: list[Any]) -> list[dict[str, Any]]:
        return [self._record(number, record) for number, record in enumerate(records, 1)]

    def _record(self, number: int, record: Any) -> dict[str, Any]:
        if not isinstance(record, Mapping):
            raise _UnclearError(f"row {number} must be an object of features, each with its name, because this project has private columns")
        kept: dict[str, Any] = {}
        for name, value in record.items():
            if isinstance(value, list | dict):
                raise _UnclearError(f"row {number}: {name[:80]!r} must be text, a number, true, false or null")
            if name in self._hashed:
                kept[name] = self._hash(number, name, value)
            elif self._is_public(name):
                kept[name] = value
        return kept

    def _is_public(self, name: str) -> bool:
        return name in self._plain or fold(name) not in self._private

    def _hash(self, number: int, name: str, value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise _UnclearError(f"row {number}: {name!r} must be text or null")
        return self._hasher(name, value)

    def _csv(self, body: bytes) -> str:
        try:
            rows = [row for row in csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True) if row]
        except csv.Error as error:
            raise _UnclearError(f"the body is not CSV: {error}") from None
        header = [cell.strip() for cell in rows[0]] if rows else []
        places = [place for place, name in enumerate(header) if name in self._hashed or self._is_public(name)]
        if sorted(header[place] for place in places) != self._features:
            raise _UnclearError(
                f"the first row of CSV must name the features ({', '.join(self._features)}), because this project has private columns; "
                "these may be there too. Next: send a header, or JSON"
            )
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow([header[place] for place in places])
        for number, row in enumerate(rows[1:], 1):
            if len(row) != len(header):
                raise _UnclearError(f"row {number} has {len(row)} cells, and the header {len(header)}")
            writer.writerow([self._cell(header[place], row[place]) for place in places])
        return out.getvalue()

    def _cell(self, name: str, text: str) -> str:
        return self._hasher(name, text) if name in self._hashed else text


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise _UnclearError(f"{where} is nested too deeply") from None
    except ValueError as error:
        raise _UnclearError(f"{where} is not JSON: {error}") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
