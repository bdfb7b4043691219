"""What SageMaker does not know, or not any more."""

from typing import Any

from botocore.exceptions import ClientError

_UNKNOWN = frozenset({"ResourceNotFound", "ValidationException"})


def unless_unknown(operation: Any, **which: str) -> dict[str, Any] | None:
    """The reply, or None: SageMaker answers a ValidationException for a well-formed name that does not exist."""
    try:
        found: dict[str, Any] = operation(**which)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _UNKNOWN:
            raise
        return None
    return found
