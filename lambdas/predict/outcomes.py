"""How one attempt to ask the endpoint ends, and which error of InvokeEndpoint means what. Pure.

Errors: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html, and what all AWS services may answer:
https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html. ModelError (424) is whatever the container answered beside
2xx; OriginalStatusCode tells whose fault it was, and is 0 when the container took too long.

    the caller's                    a 4xx of the container                                         as it said it, at once
    too many at once                ThrottlingException, a container's 429                         429 Too Many Requests
    the endpoint's, for a while     ServiceUnavailable, InternalFailure, InternalDependencyException,
                                    ModelNotReadyException, a container's 408 or 5xx, no connection 503 Service Unavailable
    too slow                        no answer in time, a container's 0 or 504                      504 Gateway Timeout
    nobody's yet                    ValidationError: there is no endpoint                          503 Service Unavailable
    the project's                   anything else, such as a missing permission                    the function fails: 500
"""

from dataclasses import dataclass

TOO_MANY, UNAVAILABLE, TOO_SLOW = 429, 503, 504
_THROTTLED = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"})
_NOT_NOW = frozenset({"ServiceUnavailable", "InternalFailure", "InternalDependencyException", "ModelNotReadyException"})


@dataclass(frozen=True)
class Answered:
    """The model answered."""

    body: bytes


@dataclass(frozen=True)
class Refused:
    """The model server found the request wrong; `message` is what it said."""

    status: int
    message: str


@dataclass(frozen=True)
class Unavailable:
    """This attempt failed, not for the request's sake. `status`: what the caller is told when no other attempt ends better."""

    why: str
    status: int = UNAVAILABLE


@dataclass(frozen=True)
class NotDeployed:
    """There is no endpoint."""


Outcome = Answered | Refused | Unavailable | NotDeployed


def of_error(code: str, status: int, original_status: int, original_message: str) -> Outcome | None:
    """What an error of InvokeEndpoint means, by its code and HTTP status; None for one that neither the caller nor time can mend.

    `original_status` and `original_message` are a ModelError's.
    """
    if code == "ModelError":
        return _of_container(original_status, original_message)
    if code == "ValidationError":
        return NotDeployed()  # the request's own limits were checked before, so this can only be the endpoint's name
    if code in _NOT_NOW:
        return Unavailable(code)
    if code in _THROTTLED or status == TOO_MANY:
        return Unavailable(code, TOO_MANY)
    return Unavailable(code) if status >= 500 else None


def _of_container(status: int, message: str) -> Outcome:
    said = f"the model server answered {status}"
    if status == TOO_MANY:
        return Unavailable(said, TOO_MANY)
    if status == 0:
        return Unavailable("the model server did not answer in time", TOO_SLOW)
    if status == TOO_SLOW:
        return Unavailable(said, TOO_SLOW)
    return Refused(status, message) if 400 <= status < 500 and status != 408 else Unavailable(said)
