"""How the twin's own operations stand in for moto's: a table of plain functions from request to reply.

An operation takes the request as botocore parsed it (a dict with the API's own keys) and gives back the reply in the API's shape; moto
serialises it with botocore's model. Each table becomes verified patches: `replaced` operations exist in moto, `added` ones do not.
Errors are AWS's: code and message as boto3 shows them.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.exceptions import SagemakerClientError

from twin.patches import ABSENT, Patch

MOTO_ACTION = "(self) -> moto.core.responses.ActionResult"

Request = dict[str, Any]
Reply = dict[str, Any]
Operation = Callable[[Request], Reply]
Table = Mapping[str, Operation]


def patches(owner: Any, why: str, *, replaced: Table, added: Table | None = None) -> list[Patch]:
    """One patch of moto's response class `owner` for each operation, keyed by moto's snake_case name."""
    tables = ((replaced, MOTO_ACTION), (added or {}, ABSENT))
    return [Patch(owner, name, _method(operation), expects, why) for table, expects in tables for name, operation in table.items()]


def _method(operation: Operation) -> Callable[[Any], Any]:
    def method(self: Any) -> Any:
        return ActionResult(operation({key: value for key, value in self.params.items() if value is not None}))

    return method


def invalid(message: str) -> SagemakerClientError:
    """SageMaker's ValidationException."""
    return SagemakerClientError("ValidationException", message)


def denied(message: str) -> SagemakerClientError:
    """SageMaker's AccessDeniedException."""
    return SagemakerClientError("AccessDeniedException", message)


def not_found(message: str) -> SagemakerClientError:
    """SageMaker's ResourceNotFound."""
    return SagemakerClientError("ResourceNotFound", message)


def in_use(message: str) -> SagemakerClientError:
    """SageMaker's ResourceInUse."""
    return SagemakerClientError("ResourceInUse", message)


def conflict(message: str) -> SagemakerClientError:
    """SageMaker's ConflictException."""
    return SagemakerClientError("ConflictException", message)


def moment(value: datetime | None) -> datetime | None:
    """A request's time: moto's parser gives it in UTC, and does not say so."""
    return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


def refuse_unknown(request: Mapping[str, Any], understood: Iterable[str], operation: str) -> None:
    """Stop at a parameter that the twin would silently drop. Empty and false values ask for nothing, so they pass."""
    unknown = sorted(key for key, value in request.items() if value and key not in set(understood))
    if unknown:
        raise invalid(f"The twin's {operation} does not understand {', '.join(unknown)}, and does not pretend to.")


def pick(record: Mapping[str, Any], keys: Iterable[str]) -> Reply:
    """The given keys of a record, those that it has: how a summary is made of a description."""
    return {key: record[key] for key in keys if record.get(key) is not None}


def page(request: Mapping[str, Any], key: str, items: list[Reply], default: int = 100) -> Reply:
    """One page of a list operation; the token is the offset of the next page."""
    try:
        start = int(request.get("NextToken") or 0)
    except ValueError:
        raise invalid(f"NextToken {request['NextToken']!r} is not one that this operation gave.") from None
    end = start + int(request.get("MaxResults") or default)
    return {key: items[start:end]} | ({"NextToken": str(end)} if end < len(items) else {})


def ordered(request: Mapping[str, Any], records: Iterable[Reply], by: str = "CreationTime", default: str = "Descending") -> list[Reply]:
    """Records by time, or by name when the request's SortBy names a name. `records` come in the order of creation, which breaks ties."""
    wanted = request.get("SortBy") or by
    listed = list(records)
    key = wanted if listed and wanted in listed[0] else by
    if wanted == "Name" and listed:
        key = next(name for name in listed[0] if name.endswith("Name"))
    listed.sort(key=lambda record: record[key])
    return listed[::-1] if (request.get("SortOrder") or default) == "Descending" else listed


def page_of_jobs(request: Mapping[str, Any], kind: str, records: Iterable[Mapping[str, Any]], summary: Iterable[str]) -> Reply:
    """One page of List<kind>Jobs: what has the status and the name that the request asks for, with the keys in `summary`."""
    status, wanted, shown = request.get("StatusEquals"), request.get("NameContains") or "", tuple(summary)
    found = [
        pick(record, shown) for record in records if status in {None, record[f"{kind}JobStatus"]} and wanted in record[f"{kind}JobName"]
    ]
    return page(request, f"{kind}JobSummaries", ordered(request, found))
